"""A map of row against column; missing cells carry a cross, so that they are no value.

REQUIRED row (str), column (str), value (number or None). One data row per cell.
Rows and columns keep the order of first appearance unless labels["order"] == "value", which
sorts both by their mean (for a square map with the same names: both by the row's mean).
labels["value"] names the colour; labels["low"] and labels["high"] (numbers as text) fix its range.
"""
