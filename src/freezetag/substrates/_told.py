"""What worlds share that are told in words: facts in an order, questions with few answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from freezetag.core.speech import LETTERS, Check, Wording, numeral

HOW_LONG = "How many steps there are is not told."
AT_ONCE = "All answer at the same time, in every step anew."


def turned(wording: Wording, facts: Sequence[str], factor: str = "order") -> list[str]:
    """The facts as they stand, or from the last to the first."""
    return list(facts if wording[factor] == "plain" else reversed(facts))


def letters(wording: Wording, count: int) -> tuple[str, ...]:
    """A letter for each of so many things. Raises `ValueError` where there are too few."""
    if count > len(LETTERS):
        raise ValueError(f"{count} things are too many to be told by {len(LETTERS)} letters.")
    some = LETTERS[:count]
    return tuple(some if wording["labels"] == "plain" else reversed(some))


def amount(text: str, right: float, wrong: Iterable[float], digits: int = 2) -> Check:
    """A question whose answer is a number, among at most four that are told apart, in their
    order."""
    every = {_number(x, digits) for x in (right, *wrong)}
    if len(every) == 1:
        every.add(_number(right + 1, digits))
    listed, told = sorted(every, key=float), _number(right, digits)
    first = max(0, min(listed.index(told) - 1, len(listed) - 4))
    return Check.among(text, told, listed[first : first + 4])


def whether(text: str, right: bool) -> Check:
    """A question that is answered by yes or no."""
    return Check.among(text, "yes" if right else "no", ("yes", "no"))


def _number(value: float, digits: int) -> str:
    told = numeral(value) if digits == 2 else f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if told == "-0" else told


def points(value: float) -> str:
    """So many points.

    >>> points(1.0), points(0.5)
    ('1 point', '0.5 points')
    """
    told = numeral(value)
    return f"{told} point{'s' * (told != '1')}"


def percent(share: float) -> str:
    """A share as a percentage, to four digits.

    >>> percent(0.025), percent(1 / 31)
    ('2.5 %', '3.226 %')
    """
    return f"{100 * share:.4g} %"


def last_seen(levels: Sequence[float], scale: str) -> str:
    """What the others did in the last step, on a scale from 0 to 100; "" if nobody was seen."""
    if not levels:
        return ""
    mean = round(100 * sum(levels) / len(levels))
    many = f"{len(levels)} others were" if len(levels) > 1 else "1 other was"
    return f" {many} seen; on a scale from {scale}: {mean} on average."
