"""Bridges to others: their agents, their worlds, and gates in front of what they use."""
