"""Options that are whole numbers: 1.5 is refused, and not rounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter


def _whole(kind: Any, tokens: Sequence[Any]) -> int:
    text = tokens[0].value
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number.") from None


def _counted(kind: Any, tokens: Sequence[Any]) -> int:
    if (number := _whole(kind, tokens)) < 0:
        raise ValueError(f"{number} is below 0.")
    return number


Whole = Annotated[int, Parameter(converter=_whole)]
Count = Annotated[int, Parameter(converter=_counted)]
"""A whole number that cannot be negative, such as a number of steps."""
