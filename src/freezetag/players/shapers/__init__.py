"""They act so that whoever learns beside them learns what they want."""
