"""Snapshots inside model files: really loaded by every loader that is meant to read such a file.

``python -m tests.embedding`` prints the table of docs/embedding.md, ``--write`` puts it there.
"""
