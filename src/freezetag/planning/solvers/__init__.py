"""Optimal values and every tie, of arrays or of a planning world (`planner`), and their bound."""
