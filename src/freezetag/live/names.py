"""What agents and groups may be called: nothing that could be read as a scope or as a path."""

from __future__ import annotations

import re

from freezetag.core.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def checked(name: str, what: str) -> str:
    """The name itself. Raises `UserError` for one that is a scope, or unfit for a file's name.

    >>> checked("writer-2", "an agent's name")
    'writer-2'
    """
    if name == "fleet":
        raise UserError(f"{what} cannot be 'fleet': that is the scope of all agents.")
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{what} is at most 100 letters, digits, '.', '_' and '-', with a letter, digit or '_' "
            f"first; got {name!r:.120}."
        )
    return name
