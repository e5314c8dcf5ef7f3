"""List the substrates, players and probes there are."""

from __future__ import annotations

from typing import Literal

from freezetag import catalogue


def list_(kind: Literal["substrates", "players", "probes"] | None = None, /) -> None:
    """List what there is, one a line with its first sentence.

    Parameters
    ----------
    kind
        substrates, players or probes; default: all three
    """
    for each in (kind,) if kind else catalogue.KINDS:
        print(each)
        for ref in catalogue.members(each):
            where = f"{ref.family}/" if each == "players" else ""
            print(f"  {where + ref.name:<36} {catalogue.summary(ref)}")
