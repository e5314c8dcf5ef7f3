"""Pure functions of float64 arrays; each states its formula, interval, source and caveat."""
