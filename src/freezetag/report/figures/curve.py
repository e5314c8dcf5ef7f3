"""Lines with bands: a kappa curve, learning over days, a variable over time.

REQUIRED x, y (numbers).
OPTIONAL low, high (band); series (str); limit; reference.
Rows of a series are joined in the order of x; a missing y breaks the line. labels["x_scale"]
"log10" makes the x axis logarithmic (all x > 0). An infinite x (kappa = inf) is drawn as a dot
at the right edge, marked "inf".
"""
