"""What the standards say, as data, each table beside the script that generated it. Imports nothing of ours."""
