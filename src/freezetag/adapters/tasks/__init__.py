"""Worlds as tasks of other people's evaluation frameworks, one a file."""
