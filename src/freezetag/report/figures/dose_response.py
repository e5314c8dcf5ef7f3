"""A value with its interval over the size of the class: 0 (class of 1), 1, 2, 5, 10, 30.

REQUIRED size (int, number of classmates), value.
OPTIONAL low, high (95 %); series (str); limit.
The axis is log(1 + size), so that 0 has a place.
"""
