"""The command line: one file a command, mounted in main.py."""
