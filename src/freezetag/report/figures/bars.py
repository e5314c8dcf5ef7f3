"""Bars from zero, one per name, for shares and counts that have a natural zero.

REQUIRED name (str), value.
OPTIONAL low, high (95 % whiskers); series (str: bars side by side, at most six); limit; reference.
Bars stay in the order given.
"""
