"""The table of a ledger's kinds: it knows all that a server writes, and says all of it once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import enrolled, home, serving, started, until

import freezetag as ft
from freezetag.live.signed.frames import CAUSES
from freezetag.live.signed.record import Record
from freezetag.live.signed.records import (
    FREEING,
    QUIET,
    RECORDS,
    read,
    sentence_of,
    state_of,
)

PRESS = {"id": "a" * 32, "scope": "group:g", "who": "ada", "when": 1, "reason": "x",
         "category": 0, "kind": "drill"}  # fmt: skip
ACK = {"gate": "a", "acked": "b", "presses": [], "last": 3, "unknown": [], "cause": "press",
       "category": 0, "policy": [], "own": True}  # fmt: skip
BODIES: dict[str, dict[str, Any]] = {
    "enrol": {"agent": "a", "groups": [], "on_stop": "rest_is_safe", "limits": {}},
    "limits": {"group": "g", "limits": {"tokens": 1.0}},
    "start": {"agent": "a", "epoch": 1, "who": "ada"},
    "open": {"agent": "a", "b": "b", "epoch": 1, "spent": {}, "length": 5.0, "allowed": {}},
    "anchor": {"gate": "a", "b": "b", "spent": {}, "head": "", "last": 1, "allowed": {}},
    "press": PRESS,
    "repeat": {"press": "a" * 32, "replica": "r", "count": 2},
    "ack": ACK,
    "held": {"agent": "a", "why": "silent"},
    "clear": {"text": "{}", "signatures": {"k": "s", "l": "s"}},
    "drill": {"agent": "a", "ms": 12, "press": "a" * 32},
    "drill_failed": {"agent": "a", "within": 3600, "count": 2, "press": "a" * 32},
    "key": {},
    "token": {"digest": "d", "right": "press", "scope": "fleet", "holder": "wall"},
    "revoke": {"text": '{"digest": "d"}', "signatures": {}},
    "browser_key": {"text": '{"credential": "c", "person": "ada"}', "signatures": {"k": "s"}},
    "handover": {"text": '{"new": [3, "r"], "old": [[9, "q"]], "why": "x"}', "signatures": {}},
    "alarm": {"agent": "", "what": "a certificate ends"},
}


@pytest.mark.parametrize("kind", RECORDS)
def test_each_kind_is_read_frozen_and_says_something(kind: str) -> None:
    found = read(kind, BODIES[kind])
    assert isinstance(found, Record)
    for field in dataclasses.fields(found):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(found, field.name, None)
    assert found.sentence({}).text.strip()
    # A newer version's field is left alone, and a body without what it needs is no record.
    assert read(kind, {**BODIES[kind], "newer": 1}) == found
    needed = [each for each in dataclasses.fields(found) if each.default is dataclasses.MISSING]
    for key in {each.name for each in needed if each.default_factory is dataclasses.MISSING}:
        left = {name: value for name, value in BODIES[kind].items() if name != key}
        with pytest.raises(KeyError, match=key):
            read(kind, left)


def test_the_states_names_are_those_that_folders_hold() -> None:
    """Stored in the table `state` of every folder: a change of one is a change of format."""
    names = {kind: tuple(state_of(kind, body, 7)) for kind, body in BODIES.items()}
    assert names == {
        "enrol": ("7", None, ""),
        "limits": ("limits 7", None, ""),
        "start": ("start a", None, "a"),
        "open": ("open a b", "a", ""),
        "anchor": ("anchor a b", "a", ""),
        "press": ("7", None, ""),
        "repeat": (f"repeat {'a' * 32} r", None, ""),
        "ack": ("ack a b", "a", ""),
        "held": ("held a", None, ""),
        "clear": ("7", None, ""),
        "drill": ("drill a", None, ""),
        "drill_failed": ("drill_failed a", None, ""),
        "key": ("key", None, ""),
        "token": ("token d", None, ""),
        "revoke": ("revoke d", None, ""),
        "browser_key": ("browser_key c", None, ""),
        "handover": ("handover 7", None, ""),
        "alarm": ("", None, ""),
    }
    assert set(names) == set(RECORDS)
    signed = ["browser_key", "clear", "handover", "revoke"]
    assert sorted(FREEING) == sorted([*signed, "enrol", "key", "start", "token"])
    assert sorted(QUIET) == ["anchor", "open"]
    assert tuple(state_of("of tomorrow", {}, 7)) == ("", None, "")


@pytest.mark.parametrize(
    ("kind", "change", "look", "text"),
    [
        ("press", {}, "drill", "drill group:g by ada: x"),
        ("press", {"kind": "press", "reason": ""}, "press", "pressed group:g by ada"),
        ("repeat", {}, "press", "pressed again (2) fleet"),
        ("ack", {}, "ack", "stopped a, after a press, last action 3"),
        ("ack", {"unknown": ["4:pay"]}, "unknown",
         "stopped a, after a press, last action 3; 1 outcome unknown"),
        ("clear", {}, "clear", "cleared with 2 signatures; held now"),
        ("start", {}, "start", "started a by ada, epoch 1"),
        ("start", {"by": "wall", "who": "Her Majesty"}, "start",
         "started a by wall, who said Her Majesty, epoch 1"),
        ("start", {"by": "ada"}, "start", "started a by ada, epoch 1"),
        ("enrol", {"by": "ada"}, "other", "enrolled a by ada"),
        ("enrol", {}, "other", "enrolled a"),
        ("token", {"by": "ada"}, "other", "issued a token to press fleet to wall by ada"),
        ("drill", {}, "ack", "proved a: drill acknowledged after 12 ms"),
        ("drill_failed", {}, "alarm",
         "NOT proved a: drill not acknowledged within 3600 ms, 2 in a row"),
        ("alarm", {"agent": "a"}, "alarm", "note a: a certificate ends"),
        ("of tomorrow", {}, "other", "of tomorrow"),
        ("clear", {"signatures": 3}, "other", "clear, in a form that this page cannot read"),
    ],
)  # fmt: skip
def test_sentences(kind: str, change: dict[str, Any], look: str, text: str) -> None:
    said = sentence_of(kind, {**BODIES.get(kind, {}), **change}, {"a" * 32: "fleet"})
    assert (said.look, said.text) == (look, text)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_of_a_stop_is_said_in_words(cause: str) -> None:
    said = sentence_of("ack", ACK | {"cause": cause}, {})
    assert said.text == f"stopped a, {CAUSES[cause]}, last action 3"
    assert "unknown" not in said.text  # which is what an outcome may be


def test_all_that_a_server_writes_is_in_the_table(tmp_path: Path) -> None:
    made = home(tmp_path / "oversight")
    with serving(made) as remote:
        file = enrolled(remote, tmp_path)
        with ft.connect(file) as gate:
            started(remote)
            assert gate.wait(5)
            with gate.action("work"):
                pass
            remote.post("/api/drill", {"agent": "writer"}, "drill", timeout=10)
            remote.press("fleet", "enough")
            remote.press("fleet", "enough")
            until(lambda: not gate.is_open)
        token = (made.path / "tokens" / "status").read_text().strip()
        from freezetag.live.gate.address import request

        text = request(remote.addresses[0], "GET", "/api/ledger", token=token)
    kinds = set()
    for line in text.splitlines():
        if not line.startswith("#"):
            record = json.loads(line)
            kinds.add(record["kind"])
            assert read(record["kind"], record["body"]) is not None, record
    assert kinds >= {"enrol", "start", "open", "press", "repeat", "ack", "drill"}
