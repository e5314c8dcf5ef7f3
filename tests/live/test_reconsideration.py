"""What a changed panel would have stopped, of journals that a real gate wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Run
from tests.live.worlds import pair

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.core.journal import Journal
from freezetag.live.gate.reconsideration import Change, reconsider


def recorded(limit: float = 100.0, steps: int = 10) -> list[bytes]:
    """A journal of one incarnation that spends 10 an action; the limit stops it, or nothing."""
    lines: list[bytes] = []
    journal = Journal(lines.append)
    panel = Panel((PowerLimit(limit, "tokens"),))
    clock, _, gate, wire = pair(panel=panel, meters={"tokens": None}, journal=journal, length=50.0)
    wire.renew()
    for number in range(steps):
        clock.advance(0.1)
        try:
            gate.end(gate.begin(f"step {number}"))
        except Refused:
            break
        gate.spend("tokens", 10.0)
    gate.close()
    return [line.rstrip(b"\n") for line in lines]


def test_a_lower_limit_says_what_it_would_have_stopped() -> None:
    found = reconsider(recorded(), Change({"tokens": 45.0}))
    assert (found.incarnations, found.admitted, found.barred) == (1, 10, 5)
    (stop,) = found.stops
    assert stop.action == "step 5"  # 50 were spent by then
    assert stop.trips == ("PowerLimit tokens exceeded",)
    assert stop.actions == [f"step {n}" for n in range(5, 10)]
    # The boundary is the panel's: equality is allowed.
    assert reconsider(recorded(), Change({"tokens": 50.0})).stops[0].action == "step 6"


def test_the_recorded_limit_stops_nothing_more() -> None:
    found = reconsider(recorded(), Change({"tokens": 100.0}))
    assert (found.stops, found.longer) == ([], [])


def test_a_higher_limit_is_named_and_not_made_up() -> None:
    found = reconsider(recorded(limit=35.0), Change({"tokens": 1000.0}))
    assert found.stops == []
    assert len(found.longer) == 1
    assert len(reconsider(recorded(limit=35.0), Change(without=("tokens",))).longer) == 1


def test_a_sensor_that_was_not_read_is_unknown_and_stops_at_once() -> None:
    (stop,) = reconsider(recorded(), Change({"money": 5.0})).stops
    assert stop.trips == ("PowerLimit money unknown",)
    assert len(stop.actions) == 10


def test_the_command(run: Run, tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join(recorded()) + b"\n")
    (tmp_path / "panel.toml").write_text("[limits]\ntokens = 45\n")
    code, out, _ = run("replay", str(tmp_path))
    assert (code, out.splitlines()[-1].split(":")[0]) == (0, "11 decisions again")
    code, out, _ = run("replay", "journal.jsonl", "--panel", "panel.toml")
    assert code == 1
    assert "would have stopped at entry" in out
    assert "of 10 actions in 1 incarnations, 5 would not have been let through" in out
    code, out, _ = run("replay", "journal.jsonl", "--panel", "panel.toml", "--json")
    assert json.loads(out)["barred"] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\ntokens = 'much'", "is no panel"),
        ("[limitz]\ntokens = 1", "is no panel"),
        ("without = 3", "is no panel"),
        ("", "changes nothing"),
        ("limits =", "cannot be read as a panel"),
    ],
)
def test_panels_that_are_none(run: Run, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join(recorded()) + b"\n")
    (tmp_path / "panel.toml").write_text(text)
    code, _, err = run("replay", "journal.jsonl", "--panel", "panel.toml")
    assert (code, said in err) == (2, True), err


def test_a_journal_that_was_changed(run: Run, tmp_path: Path) -> None:
    lines: Any = recorded()
    del lines[3]
    (tmp_path / "journal.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "panel.toml").write_text("[limits]\ntokens = 45\n")
    code, _, err = run("replay", "journal.jsonl", "--panel", "panel.toml")
    assert (code, "no journal that can be replayed" in err) == (2, True), err
