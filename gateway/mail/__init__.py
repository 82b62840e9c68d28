"""E-mail: one S/MIME message with a DICOM File-set in it (message.py), and its way to the server (smtp.py)."""
