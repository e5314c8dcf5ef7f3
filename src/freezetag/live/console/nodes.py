"""A picture of the nodes that write one ledger: who was heard of within its lease, and who was not.

It says of another node only what this one knows: how long ago it last wrote its beat. One that was
silent for longer than its lease cannot grant by now; whether it is gone or cut off, nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freezetag.live.console.markup import Html, join, tag

WIDE, HIGH, ROW = 640, 34, 30
MOST = 8
"""Nodes that are drawn; more are counted."""


def nodes(status: Mapping[str, Any] | None) -> Html:
    """The section for `status["nodes"]`; nothing where one server has the ledger for itself."""
    if not status:
        return join()
    lease = float(status["lease"])
    mine = "grants" if status["holds"] else "grants nothing: it does not see the ledger"
    rows = [(status["node"], "here", mine, bool(status["holds"]))]
    rows += [
        (other, "", _heard(age, lease), age is not None and age <= lease)
        for other, age in status["others"].items()
    ]
    where = "on a standby, too" if status["synchronous"] else "on ONE disk alone"
    left = len(rows) - MOST
    head = tag(
        "h2", "Nodes", tag("small", f" each grants for {lease:g} s after it last saw the ledger")
    )
    more = tag("p", f"and {left} more") if left > 0 else None
    picture = _picture(rows[:MOST], where)
    return tag("section", head, picture, more, id="nodes", class_="nodes", data_live=True)


def _heard(age: float | None, lease: float) -> str:
    if age is None:
        return "never heard of since this node came up"
    if age <= lease:
        return f"wrote {age:.1f} s ago"
    return f"silent for {age:.0f} s: cannot grant by now"


def isolated(text: str) -> str:
    """SVG knows no `bdi`: isolates of Unicode, so that a name cannot turn what stands beside it."""
    return f"\u2068{text}\u2069"


def _picture(rows: list[tuple[str, str, str, bool]], where: str) -> Html:
    high = HIGH + ROW * len(rows)
    middle = high / 2
    parts = [
        tag("rect", x=WIDE - 150, y=f"{middle - 22:g}", width=140, height=44, class_="ledger-box"),
        tag("text", "ledger", x=WIDE - 80, y=f"{middle - 3:g}", class_="mid"),
        tag("text", where, x=WIDE - 80, y=f"{middle + 13:g}", class_="mid small"),
    ]
    for n, (node, here, said, seen) in enumerate(rows):
        y = HIGH / 2 + ROW * (n + 0.5)
        base = f"{y + 5:g}"
        parts += [
            tag(
                "path", d=f"M330 {y:g}L{WIDE - 150} {middle:g}", class_="seen" if seen else "silent"
            ),
            tag("text", "●" if seen else "?", x=12, y=base, class_="mid"),
            tag("text", isolated(node), " (this one)" if here else None, x=26, y=base),
            tag("text", said, x=326, y=base, class_="end small"),
        ]
    told = "; ".join(f"{node}{here and ' (this one)'}: {said}" for node, here, said, _ in rows)
    return tag(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDE} {high:g}",
        role="img",
        aria_label=f"{told}. The ledger is {where}.",
    )
