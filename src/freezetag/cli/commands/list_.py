"""List the substrates, players and probes there are."""

from __future__ import annotations

from typing import Literal

from freezetag import catalogue
from freezetag.catalogue import announced, member, source
from freezetag.core import UserError
from freezetag.core.errors import printable

Kind = Literal["substrates", "players", "probes", "agents", "estimators"]


def list_(kind: Kind | None = None, /) -> None:
    """List what there is, one a line with its first sentence and, of what an installed package
    announces, the package.

    Parameters
    ----------
    kind
        substrates, players, probes, agents (of packages) or estimators; default: the first three,
        and agents if there are any
    """
    for each in (kind,) if kind else announced.KINDS:
        theirs = announced.of(each) if each in announced.KINDS else ()
        if kind is None and each == "agents" and not theirs:
            continue
        print(each)
        for ref in catalogue.members(each) if each != "agents" else ():
            where = f"{ref.family}/" if each == "players" else ""
            print(f"  {where + ref.name:<36} {catalogue.summary(ref)}")
        for one in theirs:
            print(f"  {printable(one.name):<36} {_said(one)}   (from {printable(one.package)})")
        if kind == "agents" and not theirs:
            print("  none is announced by an installed package")


def _said(one: announced.Announced) -> str:
    """What a member says of itself, or why it cannot be used. It is imported to find out; an
    agent is not, since it runs in a process of its own."""
    where, _ = source.parts(one.value)
    try:
        if one.kind != "agents":
            member.located(one.kind, one.value)
        elif source.file_of(where) is None:
            raise source.NotLoaded(f"there is no module {where!r}")
    except UserError as error:
        return f"cannot be used: {printable(str(error)).rstrip('.')}"
    return printable(source.docstring(where)) or one.value
