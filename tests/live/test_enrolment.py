"""What a gate holds of an authority: saved, read back, refused; how its panel is completed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.live.worlds import PEOPLE, authority, enrolled, gate_of, roster

from freezetag.core import Panel, RuntimeLimit, StopButton, UserError
from freezetag.live.gate.clock import SteppedClock, boot_clock, wall_clock
from freezetag.live.gate.enrolment import Enrolment, complete, describe
from freezetag.live.signed.keys import RosterError

MINE = Enrolment("own", b"k" * 32, roster(), 2.5, PEOPLE["eve"][1])


def test_an_enrolment_is_a_file_of_its_owner(tmp_path: Path) -> None:
    for enrolment in (MINE, Enrolment("own", b"k" * 32, None)):
        file = tmp_path / f"{enrolment.length}"
        enrolment.save(file)
        assert Enrolment.load(file) == enrolment
        assert file.stat().st_mode & 0o077 == 0  # nobody else reads the key


@pytest.mark.parametrize(
    "change",
    [
        {"authority": "other"},  # the roster's people would clear another authority's presses
        {"key": "not base64!"},
        {"length": 0},
        {"length": "NaN"},
        {"public": 3},
        {"roster": {"people": []}},
        {"roster": 3},
    ],
)
def test_files_that_are_no_enrolment(change: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "enrolment"
    MINE.save(file)
    data = json.loads(file.read_bytes())
    file.write_text(json.dumps({**data, **change}))
    with pytest.raises((UserError, RosterError)):
        Enrolment.load(file)
    file.write_text("{}")
    with pytest.raises(UserError, match="freezetag enrol"):
        Enrolment.load(file)
    with pytest.raises(UserError, match="freezetag enrol"):
        Enrolment.load(tmp_path / "missing")


def test_the_panel_is_completed_once() -> None:
    sensors = [item.sensor for item in complete(Panel(), [MINE]).interlocks]  # type: ignore[union-attr]
    assert sensors == ["button", "lease_age:own"]
    own = complete(Panel((StopButton(),)), [])
    assert own == Panel((StopButton(),))
    assert complete(None, [MINE]) is None
    assert describe(Panel((RuntimeLimit(3.0),))) == [
        {"interlock": "RuntimeLimit", "sensor": "runtime", "t_max": 3.0, "unit": "steps"}
    ]


def test_a_runtime_in_steps_is_not_counted_in_seconds() -> None:
    with pytest.raises(UserError, match="count runtime in seconds"):
        complete(Panel((RuntimeLimit(500),)), [MINE])
    assert complete(Panel((RuntimeLimit(500),)), [MINE], seconds=False) is not None


def test_without_cryptography_a_gate_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install cryptography"):
        complete(Panel(), [MINE])


def test_the_same_authority_twice_is_one_too_many() -> None:
    clock = SteppedClock()
    mine = enrolled(authority(clock))
    with pytest.raises(UserError, match="enrolled twice"):
        gate_of(clock, mine, mine)


def test_clocks_say_what_they_are() -> None:
    clock = boot_clock()
    assert clock() <= clock()
    assert (clock.name == "CLOCK_BOOTTIME") == clock.counts_suspend
    assert not clock.simulated
    assert wall_clock()() > 1.6e9
