"""Ask a probe for arms, run those nobody has run yet, until it asks for no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from freezetag.core import Arm, Finding, Probe, Record, Setting
from freezetag.core.log import Log
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.workers import Cache

Tick = Callable[[int], None]
ROUNDS = 200
"""A probe that still asks for arms after so many rounds has a fault."""


@dataclass
class Runner:
    """Runs arms for one agent and one seed; an arm that two probes ask for runs once.

    `on_arm(key, arm)` is called before an arm runs, `tick(acts)` as focal acts are done.
    """

    pupil: Pupil
    seed: int
    tick: Tick | None = None
    on_arm: Callable[[Any, Arm], None] | None = None
    cache: Cache | None = None
    done: dict[object, Record] = field(default_factory=dict)

    def probe(self, probe: Probe, setting: Setting) -> tuple[Finding, dict[Any, Record]]:
        """What the probe found, and the records it found it in.

        Raises `AgentFailed` or `WiringError`; arms that were done by then are kept in `done`.
        """
        seen: dict[Any, Record] = {}
        for _ in range(ROUNDS):
            asked = probe.design(setting, seen)
            wanted = {name: arm for name, arm in asked.items() if name not in seen}
            if not wanted:
                return probe.measure(setting, seen), seen
            for name, arm in wanted.items():
                seen[name] = self.arm(name, arm, seen)
        raise RuntimeError(f"{type(probe).__name__} asked for arms in {ROUNDS} rounds, no end.")

    def arm(self, name: Any, arm: Arm, seen: dict[Any, Record]) -> Record:
        """The record of an arm, run now or before; of a log, what it holds."""
        if isinstance(self.pupil.policy, Log):
            return Record(arm, (self.pupil.policy.recorded,))
        if self.on_arm is not None:
            self.on_arm(name, arm)
        key = _identity(arm, seen)
        if key not in self.done:
            self.done[key] = run_arm(arm, self.pupil, seen, self.seed, self.tick, self.cache)
        return self.done[key]


def _identity(arm: Arm, seen: dict[Any, Record]) -> object:
    """What an arm is: itself, and whatever it refers to by name, and what that refers to."""
    donors = (other for other in _refers(arm) if other in seen)
    return (arm, tuple((other, _identity(seen[other].arm, seen)) for other in donors))


def _refers(arm: Arm) -> tuple[Any, ...]:
    entries = (*arm.scenario.cast, *arm.scenario.treatments)
    return tuple(entry.arm for entry in entries if hasattr(entry, "arm"))
