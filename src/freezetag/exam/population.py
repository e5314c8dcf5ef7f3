"""Who sits beside the agent: the roster's class, or the names that a user gave."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from freezetag import catalogue, players
from freezetag.core import Ref
from freezetag.exam.resolve import schemes
from freezetag.exam.spec import BadSpec


def population(classmates: int | Sequence[str]) -> tuple[Ref, ...]:
    """The classmates in seat order. Raises `BadSpec` for a name that nobody has."""
    if isinstance(classmates, int):
        return players.class_of(classmates)
    return tuple(map(_ref, classmates))


def named(classmates: Any) -> int | tuple[str, ...]:
    """A class as a spec writes it down: a number, or names. Raises `BadSpec`."""
    if isinstance(classmates, bool | str):
        raise BadSpec(f"classmates is a number or a list of agents, got {classmates!r}.")
    if isinstance(classmates, int):
        return classmates
    given = tuple(classmates)
    if given == players.class_of(len(given)):
        return len(given)  # the roster's own class, by its size
    return tuple(map(_name, given))


def _name(agent: Any) -> str:
    if isinstance(agent, str | Path):
        return str(agent)
    if isinstance(agent, Ref) and not agent.settings:
        return agent.path
    what = f"{agent.name}, with settings" if isinstance(agent, Ref) else repr(agent)
    raise BadSpec(
        f"a classmate is named, so that the exam can be run again, and {what} has no name: put it "
        "into a file and give its path (mine.py), or a module and an object (mine:Agent)."
    )


def _ref(name: str) -> Ref:
    scheme, colon, _ = name.partition(":")
    if name.endswith(".py"):
        if not (path := Path(name)).is_file():
            raise BadSpec(f"there is no file {name} to sit as a classmate.")
        return Ref(f"python_file:{path.resolve()}")
    if colon:
        return Ref(name if scheme in schemes() else f"python_file:{name}")
    try:
        return catalogue.find("players", name)
    except catalogue.Unknown as unknown:
        hint = f" Did you mean {' or '.join(unknown.near)}?" if unknown.near else ""
        raise BadSpec(
            f"there is no classmate called {name!r}.{hint} Give players' names, files, "
            "package.module:object or axelrod:NAME."
        ) from None
