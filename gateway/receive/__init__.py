"""Ways in. admission.py brings a connection to its association; dimse.py answers it; each other source is one file."""
