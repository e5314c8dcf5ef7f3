"""Real gates and authority against the reference state, on a network that is no friend."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.live.lossy import AGENTS, RHO, SCENARIOS, Lossy, walk

from freezetag.live.gate.gate import OPEN

agents = st.sampled_from(AGENTS)
rates = st.sampled_from([1 - RHO, 1.0, 1 + RHO])
numbers = st.integers(0, 39)


class Oversight(RuleBasedStateMachine):
    """Every rule is something that people, processes or the network do; `Lossy` is the oracle."""

    @initialize(rates=st.tuples(rates, rates, rates), started=st.sets(agents))
    def begin(self, rates: tuple[float, float, float], started: set[str]) -> None:
        self.world = Lossy(rates)
        for name in sorted(started):
            self.world.start(name)
            self.world.ask(name)
        self.world.settle()

    @rule(seconds=st.floats(0, 6))
    def advance(self, seconds: float) -> None:
        self.world.advance(seconds)

    @rule(name=agents)
    def ask(self, name: str) -> None:
        self.world.ask(name)

    @rule(number=numbers, keep=st.booleans())
    def deliver(self, number: int, keep: bool) -> None:
        self.world.deliver(number, keep)

    @rule()
    def settle(self) -> None:
        self.world.settle()

    @rule(number=numbers)
    def lose(self, number: int) -> None:
        self.world.lose(number)

    @rule(name=agents)
    def act(self, name: str) -> None:
        self.world.act(name)

    @rule(name=agents)
    def end(self, name: str) -> None:
        self.world.end(name)

    @rule(scope=st.sampled_from(["fleet", "group:g", "agent:a"]), category=st.integers(0, 2))
    def press(self, scope: str, category: int) -> None:
        self.world.press(scope, category)

    @rule(name=agents)
    def press_here(self, name: str) -> None:
        self.world.press_here(name)

    @rule(name=agents, value=st.sampled_from([4.0, float("nan"), None, "low"]))
    def overload(self, name: str, value: object) -> None:
        self.world.overload(name, value)

    @rule()
    def draft(self) -> None:
        self.world.draft()

    @rule(number=numbers, people=st.sampled_from([("ann", "bob"), ("ann",), ("bob",)]))
    def sign(self, number: int, people: tuple[str, ...]) -> None:
        self.world.sign(number, *people)

    @rule(name=agents)
    def start(self, name: str) -> None:
        self.world.start(name)

    @rule(name=agents)
    def reopen(self, name: str) -> None:
        self.world.reopen(name)

    @rule()
    def crash_authority(self) -> None:
        self.world.crash_authority()

    @rule(name=agents)
    def crash_gate(self, name: str) -> None:
        self.world.crash_gate(name)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            self.world.probe()
            self.world.check()


Oversight.TestCase.settings = settings(
    max_examples=int(os.environ.get("FREEZETAG_LIVE_EXAMPLES", "100")),
    stateful_step_count=40,
    deadline=None,
)
TestOversight = Oversight.TestCase


def test_dice_find_nothing_either() -> None:
    """The walks that the mutants are caught by: the unchanged design passes them all."""
    admitted = sum(walk(seed).admitted for seed in range(200))
    assert admitted > 4_000  # a world in which nobody acts would prove nothing


@pytest.mark.long
def test_a_long_run_of_dice() -> None:
    """FREEZETAG_LIVE_WALKS=100000 is the nightly size."""
    for seed in range(300, 300 + int(os.environ.get("FREEZETAG_LIVE_WALKS", "1000"))):
        walk(seed)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.__name__)
def test_scenarios(scenario: Callable[[], Lossy]) -> None:
    scenario()


def test_the_world_can_come_back() -> None:
    """Press, stop, reset by two, start: the agent acts again. Safety alone would be easy."""
    world = Lossy()
    for _ in range(2):
        world.start("a")
        world.reopen("a")
        world.ask("a")
        world.settle()
        assert world.gates["a"].phase == OPEN
        world.probe()
        world.press("fleet")
        world.settle()
        assert world.gates["a"].phase == "stopped"
        world.draft()
        world.sign(len(world.drafts) - 1, "ann", "bob")
        world.reopen("a")
        world.ask("a")
        world.settle()
        world.probe()
    assert world.admitted == 2
