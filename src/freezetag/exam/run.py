"""Ask a probe for arms, run those nobody has run yet, until it asks for no more.

Arms of one round run side by side, on as many threads as there are cores: compiling and computing
leave Python alone. A thread without one takes an arm that a probe to come will ask for first. Arms
with an agent that is asked from outside (a process, an object) run one after the other, in the
order they were asked for, because such an agent may remember. So records, and the failure that is
raised, are the same with one thread and with many.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from freezetag import catalogue
from freezetag.core import (
    FOCAL,
    Arm,
    Episode,
    Finding,
    Learned,
    Probe,
    Record,
    Ref,
    Setting,
    is_focal,
)
from freezetag.core.log import Log, ReadsLogs
from freezetag.estimators._cores import cores
from freezetag.exam.hands import Hands, Work
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import Foreign
from freezetag.sim.outside.hosted import Hosted
from freezetag.sim.workers import Cache

Tick = Callable[[int], None]
ROUNDS = 200
"""A probe that still asks for arms after so many rounds has a fault."""
LOG = "record"
"""The one arm of a log."""
MOST_THREADS = 8
"""Each holds the record of an arm in memory."""


def most_threads() -> int:
    """How many arms run side by side at most, unless somebody says otherwise."""
    return min(cores(), MOST_THREADS)


def read_log(probe: ReadsLogs, setting: Setting, log: Episode) -> tuple[Finding, dict[Any, Record]]:
    """What a probe finds in a log, and the log as the one arm that there is."""
    arm = Arm(setting.scenario(cast=(FOCAL,), seating=((0,),)), 1)
    return probe.from_log(log, setting), {LOG: Record(arm, (log,))}


class _Stopped(Exception):
    """Another arm failed, or somebody pressed Ctrl-C: this one need not go on."""


@dataclass
class Runner:
    """Runs arms for one agent and one seed; an arm that two probes ask for runs once.

    `on_arm(key, arm)` is called before an arm runs, `tick(acts)` as focal acts are done; one call
    at a time, from the threads that run the arms. `threads` run at most, by default one per core.
    """

    pupil: Pupil
    seed: int
    tick: Tick | None = None
    on_arm: Callable[[Any, Arm], None] | None = None
    cache: Cache | None = None
    done: dict[object, Record] = field(default_factory=dict)
    threads: int = field(default_factory=most_threads)
    ahead: Sequence[tuple[Probe, Setting]] = ()

    def __post_init__(self) -> None:
        self._telling = threading.Lock()
        self._over = threading.Event()
        self._untold: dict[object, int] = {}
        """Acts of arms that ran before their probe asked for them."""
        self._hands: Hands | None = None
        if self.ahead and self.threads > 1 and not self._one_by_one:
            self._hands = Hands(self.threads, self._to_come())

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._hands is not None:
            self._hands.close()

    @property
    def _one_by_one(self) -> bool:
        return isinstance(self.pupil.policy, Log | Foreign)

    def _to_come(self) -> Iterator[tuple[object, Work]]:
        """The arms that the probes ahead ask for first, as far as they can run side by side."""
        for probe, setting in self.ahead:
            try:
                asked = probe.design(setting, {})
            except Exception:  # it is asked again in its turn, and fails there
                continue
            for arm in asked.values():
                if not _refers(arm) and not self._asks_outside(arm, {}):
                    yield _identity(arm, {}), partial(self._run, arm, {}, self._over)

    def probe(self, probe: Probe, setting: Setting) -> tuple[Finding, dict[Any, Record]]:
        """What the probe found, and the records it found it in.

        Raises `AgentFailed` or `WiringError`; arms that were done by then are kept in `done`.
        """
        policy = self.pupil.policy
        if isinstance(policy, Log) and isinstance(probe, ReadsLogs):
            return read_log(probe, setting, policy.recorded)
        seen: dict[Any, Record] = {}
        for _ in range(ROUNDS):
            asked = probe.design(setting, seen)
            wanted = {name: arm for name, arm in asked.items() if name not in seen}
            if not wanted:
                return probe.measure(setting, seen), seen
            self.arms(wanted, seen)
        raise RuntimeError(f"{type(probe).__name__} asked for arms in {ROUNDS} rounds, no end.")

    def arms(self, wanted: Mapping[Any, Arm], seen: dict[Any, Record]) -> None:
        """Put the records of these arms into `seen`, run now or before. Raises as `probe` does,
        for the first arm that failed, in the order in which they are given."""
        for wave in _waves(wanted, seen):
            alone = len(wave) == 1 and self._hands is None
            if alone or self.threads == 1:
                for name, arm in wave.items():
                    seen[name] = self.arm(name, arm, seen)
            else:
                self._side_by_side(wave, seen)

    def arm(self, name: Any, arm: Arm, seen: Mapping[Any, Record]) -> Record:
        """The record of an arm, run now or before."""
        self._tell(name, arm)
        key = _identity(arm, seen)
        if key not in self.done:
            self.done[key] = run_arm(arm, self.pupil, seen, self.seed, self.tick, self.cache)
        return self.done[key]

    def _side_by_side(self, wave: Mapping[Any, Arm], seen: dict[Any, Record]) -> None:
        stop = threading.Event()
        keys = {name: _identity(arm, seen) for name, arm in wave.items()}
        one, many = Hands(1), self._hands or Hands(self.threads)
        running: dict[object, Future[Record]] = {}
        before = dict(seen)
        try:
            for name, arm in wave.items():
                key = keys[name]
                if key in self.done or key in running or key in many.running:
                    self._tell(name, arm)
                if key not in self.done and key not in running:
                    hands = one if self._asks_outside(arm, before) else many
                    work = partial(self._run, arm, before, stop, name)
                    running[key] = hands.submit(key, work)
            for name, key in keys.items():
                if key in running:
                    self.done[key] = running[key].result()
                    if self.tick is not None and (acts := self._untold.pop(key, 0)):
                        with self._telling:
                            self.tick(acts)
                seen[name] = self.done[key]
        finally:
            # Nothing is waited for here, so that Ctrl-C is answered at once.
            stop.set()
            many.forget(running)
            one.close()
            if many is not self._hands:
                many.close()

    def _run(
        self, arm: Arm, before: Mapping[Any, Record], stop: threading.Event, name: Any = None
    ) -> Record:
        """Run an arm on a thread; no further than to its next act once somebody says stop. It is
        told of under its `name`, if it has one yet."""

        def tick(acts: int) -> None:
            if stop.is_set() or self._over.is_set():
                raise _Stopped
            if name is None:
                self._untold[key] = self._untold.get(key, 0) + acts
            elif self.tick is not None:
                with self._telling:
                    self.tick(acts)

        key = _identity(arm, before)
        if stop.is_set() or self._over.is_set():
            raise _Stopped
        if name is not None:
            self._tell(name, arm)
        return run_arm(arm, self.pupil, before, self.seed, tick, self.cache)

    def _asks_outside(self, arm: Arm, seen: Mapping[Any, Record]) -> bool:
        """Whether an agent that is not compiled sits in it, or the world is not."""
        world = arm.scenario.substrate
        if isinstance(catalogue.load(world) if isinstance(world, Ref) else world, Hosted):
            return True
        return any(self._is_outside(one, seen) for one in arm.scenario.cast)

    def _is_outside(self, one: Any, seen: Mapping[Any, Record]) -> bool:
        if is_focal(one):
            return isinstance(self.pupil.policy, Foreign)
        if isinstance(one, Learned):  # somebody of the arm it learned in
            return one.arm in seen and self._asks_outside(seen[one.arm].arm, seen)
        return isinstance(one, Foreign) or ":" in getattr(one, "path", "")

    def _tell(self, name: Any, arm: Arm) -> None:
        if self.on_arm is not None:
            with self._telling:
                self.on_arm(name, arm)


def _waves(wanted: Mapping[Any, Arm], seen: Mapping[Any, Record]) -> Iterator[dict[Any, Arm]]:
    """The arms in order, cut before each that refers to one of the same wave."""
    wave: dict[Any, Arm] = {}
    for name, arm in wanted.items():
        if wave.keys() & set(_refers(arm)):
            yield wave
            wave = {}
        wave[name] = arm
    if wave:
        yield wave


def _identity(arm: Arm, seen: Mapping[Any, Record]) -> object:
    """What an arm is: itself, what it refers to by name, what that refers to, and so on."""
    donors = tuple(
        (other, _identity(seen[other].arm, seen)) for other in _refers(arm) if other in seen
    )
    return arm, donors


def _refers(arm: Arm) -> tuple[Any, ...]:
    entries = (*arm.scenario.cast, *arm.scenario.treatments)
    return tuple(entry.arm for entry in entries if hasattr(entry, "arm"))
