"""Worlds, one a file: the rules as pure functions of a state, for the driver to run.

The folder is the catalogue: `commons.py` holds `Commons`. Files that start with `_` are helpers.
"""
