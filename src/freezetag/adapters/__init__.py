"""Bridges to other libraries' worlds and agents, one library a file, each imported lazily."""
