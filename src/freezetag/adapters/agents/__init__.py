"""Agents from elsewhere: one library or source a file, whose name is the scheme of their names."""
