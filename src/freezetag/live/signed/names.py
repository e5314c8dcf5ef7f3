"""What agents and groups may be called: nothing that could be read as a scope or as a path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

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


def scope_of(word: str) -> str:
    """The scope that a person means: a bare word is an agent's name.

    >>> scope_of("writer"), scope_of("group:team"), scope_of("fleet")
    ('agent:writer', 'group:team', 'fleet')
    """
    return word if word == "fleet" or ":" in word else f"agent:{word}"


def missing(name: str, there: Sequence[str]) -> str:
    """That nobody is called `name`, with the names near it, or some of those there are."""
    return f"no agent {name!r} is enrolled here. {_others(name, there) or 'Nobody is.'}"


def missing_group(name: str, there: Sequence[str]) -> str:
    """The same of a group that nobody is in."""
    return f"nobody here is in a group {name!r}. {_others(name, there) or 'There is no group.'}"


def _others(name: str, there: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, there, 3, 0.5)
    if near:
        return f"Near: {', '.join(near)}."
    more = f" and {len(there) - 10} more" if len(there) > 10 else ""
    return f"There is: {', '.join(there[:10])}{more}." if there else ""
