"""Refusals in the journal: an agent that hammers at a closed gate does not fill the disk."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from tests.live.worlds import pair

from freezetag.core.gate import Refused
from freezetag.core.journal import Journal, read
from freezetag.live.gate.replay import replay


def refused(gate: Any, times: int, name: str = "pay") -> None:
    for _ in range(times):
        with contextlib.suppress(Refused):
            gate.begin(name)


@pytest.mark.parametrize("stopped", [True, False])
def test_an_agent_that_hammers_does_not_fill_the_disk(stopped: bool) -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append), strict=not stopped)
    if stopped:
        gate.press("enough")
    refused(gate, 5000)
    gate.press("and now")
    counts = [entry["count"] for entry in read(lines) if entry["kind"] == "refused"]
    assert counts == [*range(1, 101), 128, 256, 512, 1024, 2048, 4096]
    assert sum(map(len, lines)) < 100_000
    found = replay(lines)
    assert found.differences == ()
    assert len(found.unjudged) == (0 if stopped else len(counts))


def test_each_incarnation_counts_its_refusals_anew_and_says_how_many_at_its_end() -> None:
    lines: list[bytes] = []
    clock, _, gate, wire = pair(journal=Journal(lines.append), strict=True)
    for times in (150, 3):
        refused(gate, times)  # without max_seconds a strict gate lets nothing through
        clock.advance(6.0)
        gate.tick()
        wire.turn()
        gate.reopen()
        wire.renew()
    told = [entry["refused"] for entry in read(lines) if entry["kind"] == "stop"]
    assert told == [150, 3]
    assert [e["count"] for e in read(lines) if e["kind"] == "refused"][-3:] == [1, 2, 3]


def test_a_refused_action_with_a_long_name_is_written_short() -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append))
    gate.press("enough")
    refused(gate, 1, "x" * 1_000_000)
    (entry,) = [entry for entry in read(lines) if entry["kind"] == "refused"]
    assert entry["action"] == "x" * 200
