"""Dots with whiskers, one row per name: estimates beside each other on one axis.

REQUIRED name (str), value.
OPTIONAL low, high (95 %); series (str); limit; reference.
Rows stay in the order given, first on top.
"""
