"""Fuzzed input of seven kinds: none crashes, none opens a gate.

The long mode is `python -m tests.live.fuzz --runs 100000`.
"""

from __future__ import annotations

import random

import pytest
from tests.live.fuzz import __main__ as fuzz
from tests.live.fuzz.mutate import varied

from freezetag.live.authority.authority import Authority
from freezetag.live.gate.gate import OPEN, Gate


@pytest.mark.slow
def test_nothing_crashes_and_nothing_opens() -> None:
    found = fuzz.run(2000, seed=1)
    assert set(found) == set(fuzz.WEIGHTS)
    for name, (count, wrong) in found.items():
        assert count >= 50, name
        assert wrong == [], name


def test_most_inputs_are_changed_and_many_are_still_readable() -> None:
    """Else the fuzzing would try one thing, or nothing but what the first check refuses."""
    dice = random.Random(1)
    seeds = [b'{"kind":"renew","n":1,"spent":{"a":1}}']
    made = [varied(dice, seeds) for _ in range(500)]
    assert sum(each != seeds[0] for each in made) > 450
    assert sum(each.startswith(b'{"kind"') for each in made) > 200
    assert len(set(made)) > 350


def test_a_gate_that_opens_for_anything_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(self: Gate, authority: str, text: str | bytes) -> bool:
        self.phase, self._pressed = OPEN, False
        self._judge = lambda: 0.0  # type: ignore[method-assign]
        return True

    monkeypatch.setattr(Gate, "receive", receive)
    assert fuzz.Frames(random.Random(1)).at_gate().startswith("a gate opened")


def test_an_authority_that_grants_under_a_press_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = fuzz.Frames(random.Random(1))
    monkeypatch.setattr(Authority, "_why_not", lambda *_: "")
    found = {frames.at_authority() for _ in range(300)}
    assert any(each.startswith(("granted", "open came")) for each in found)
