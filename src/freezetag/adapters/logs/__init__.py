"""Formats of logs, a file each; see `reader.Reader`. A new format is one new file here."""
