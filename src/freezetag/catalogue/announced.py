"""What installed packages announce by entry points, and in which package.

A package writes into its pyproject.toml, for worlds, players, probes or agents in Python:

    [project.entry-points."freezetag.substrates"]
    volunteers = "my_package.volunteers:Volunteers"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from freezetag.core.errors import UserError

KINDS = ("substrates", "players", "probes", "agents")


class Ambiguous(UserError):
    """A name that two packages announce."""


@dataclass(frozen=True)
class Announced:
    """One entry point: `value` is "package.module:Class", `package` "name version"."""

    kind: str
    name: str
    value: str
    package: str


def of(kind: str) -> tuple[Announced, ...]:
    """All that is announced of a kind, by name. Nothing is imported."""
    found = []
    for entry in metadata.entry_points(group=f"freezetag.{kind}"):
        package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package"
        value = f"{entry.module}:{entry.attr}" if entry.attr else entry.module
        found.append(Announced(kind, entry.name, value, package))
    return tuple(sorted(set(found), key=lambda one: (one.name, one.package)))


def called(theirs: Sequence[Announced], name: str) -> Announced | None:
    """The one of this name, hyphens and underscores alike. Raises `Ambiguous` for two."""
    plain = name.replace("-", "_")
    hits = [one for one in theirs if one.name.replace("-", "_") == plain]
    if len({one.value for one in hits}) > 1:
        both = " and ".join(f"{one.package} ({one.value})" for one in hits)
        raise Ambiguous(f"{name!r} is announced by {both}. Name one by package.module:Class.")
    return hits[0] if hits else None
