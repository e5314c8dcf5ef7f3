"""Whom a scope stops: one table, for the rule and for all who have to come to the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.live.test_verify_meaning import told
from tests.live.worlds import press, roster

from freezetag.adapters.agents._ledger_incarnations import from_ledger
from freezetag.core.log import PRESSED
from freezetag.core.scopes import covers
from freezetag.live.authority.facts import Facts

TABLE = {
    "fleet": True,
    "agent:a": True,
    "agent:b": False,
    "group:g": True,
    "group:a": False,
    "group:h": False,
    "closure:a": True,
    "closure:up": True,
    "closure:far": True,
    "closure:down": False,
    "closure:b": False,
    "capability:pay": False,
    "capability:a": False,
    # What nobody understands is no smaller stop.
    "capability:": True,
    "agent:": True,
    "group:": True,
    "closure:": True,
    "fleet:": True,
    "fleet:b": True,
    "": True,
    "Agent:b": True,
    "all": True,
}
"""Of the agent `a` in the group `g`, which depends on `up`, and that on `far`."""
ENROLLED: list[tuple[str, dict[str, Any]]] = [
    ("enrol", {"agent": agent, "groups": groups, "depends_on": needs, "limits": {},
               "on_stop": "rest_is_safe", "safe_state": ""})
    for agent, groups, needs in [
        ("far", [], []), ("up", [], ["far"]), ("a", ["g"], ["up"]), ("down", [], ["a"]),
        ("b", ["h"], []),
    ]
]  # fmt: skip


def by_rule(scope: str, folder: Path) -> bool:
    return covers(scope, "a", {"g"}, {"up", "far"})


def by_authority(scope: str, folder: Path) -> bool:
    facts = Facts(roster())
    for kind, body in ENROLLED:
        facts.apply(kind, body)
    facts.apply("press", press(1, scope).to_json())
    stopped = "a" in facts.covered(scope)
    assert bool(facts.standing("a")) == stopped
    return stopped


def by_verifier(scope: str, folder: Path) -> bool:
    pressed = ("press", press(1, scope).to_json())
    return bool(told(folder, *ENROLLED, pressed, ("start", {"agent": "a", "epoch": 1})))


def by_reader_of_ledgers(scope: str, folder: Path) -> bool:
    opened = ("open", {"agent": "a", "b": "b", "epoch": 1})
    bodies = [*ENROLLED, opened, ("press", press(1, scope).to_json())]
    read = ({"at": i, "kind": kind, "body": body} for i, (kind, body) in enumerate(bodies))
    (incarnation,), _ = from_ledger(read)
    return any(line.kind == PRESSED for line in incarnation.lines)


@pytest.mark.parametrize("scope", TABLE)
@pytest.mark.parametrize("by", [by_rule, by_authority, by_verifier, by_reader_of_ledgers])
def test_everybody_reads_a_scope_alike(
    by: Callable[[str, Path], bool], scope: str, tmp_path: Path
) -> None:
    assert by(scope, tmp_path) == TABLE[scope]
