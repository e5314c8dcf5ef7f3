"""Explain a probe: what it asks, how it measures, its source, and how to fool it."""

from __future__ import annotations

import inspect
import textwrap

from freezetag import catalogue
from freezetag.core import Ref


def explain(probe: str, /) -> None:
    """Explain a probe, a world or a player.

    Parameters
    ----------
    probe
        a name that `freezetag list` shows
    """
    ref = _find(probe)
    member = catalogue.member_class(ref)
    print(f"{ref.name}   ({ref.path})\n")
    print(textwrap.indent(inspect.getdoc(member) or "", "  "))
    for field in ("asks", "source", "caveat", "claims"):
        value = getattr(member, field, None)
        if isinstance(value, str | tuple) and value:
            print(f"\n{field}:")
            for text in (value,) if isinstance(value, str) else value:
                print(textwrap.fill(text, 96, initial_indent="  ", subsequent_indent="  "))
    for field in ("needs", "worlds"):
        names = [getattr(x, "__name__", getattr(x, "name", "")) for x in getattr(member, field, ())]
        if names:
            print(f"\n{field}: {', '.join(names)}")


def _find(name: str) -> Ref:
    for kind in ("substrates", "players"):
        try:
            return catalogue.find(kind, name)
        except catalogue.Unknown:
            continue
    return catalogue.find("probes", name)
