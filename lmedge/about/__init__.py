"""What is here: in a folder or file, and on this machine."""
