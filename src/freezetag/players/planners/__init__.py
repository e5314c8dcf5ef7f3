"""Planners: each a pair of worlds, the one it reasons in and the one it acts in."""
