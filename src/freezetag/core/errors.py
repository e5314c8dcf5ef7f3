"""The user's mistakes, as a class of their own: shown as a message, never as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend. `str()` says what was wrong, where, and what to do.

    `exit_code` is what the command line ends with: 2 for a wrong request, 3 for a run that failed.
    """

    exit_code = 2


class RunError(UserError):
    """A request that was fine, and a run that failed: a full disk, an agent that crashed."""

    exit_code = 3


def printable(text: str, limit: int = 300) -> str:
    """Text from outside, safe for a terminal: no control characters, at most `limit` long.

    >>> printable("a\\x1b[31mred\\nline")
    'a?[31mred line'
    """
    text = text[: 4 * limit]
    text = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
