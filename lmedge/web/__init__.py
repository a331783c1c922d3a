"""Faces in a browser: a folder of static files, and a server for it."""
