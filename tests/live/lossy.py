"""Real gates and a real authority on a network that loses, delays, repeats and reorders.

The oracle beside them knows real time and the reference state: two sets, presses and what people
cleared. It raises `Violation` for an admission after the bound, under an acknowledged incarnation,
or before a start; for a press that a reset lost; and for a "stopped" that is shown and not true.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

from tests.live.worlds import SECRET, counter, gate_of, held, press, roster, signed

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.live.authority.authority import Authority, ResetError
from freezetag.live.authority.states import Shown, worst
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.signed.frames import FrameError, bound
from freezetag.live.signed.presses import Clearance, Press

AGENTS = ("a", "b")
LENGTH, RHO, LIMIT = 5.0, 1e-3, 3.0
NEVER = float("-inf")
QUIET = (Shown.EXPIRED, Shown.ACKNOWLEDGED, Shown.HELD)


class Violation(AssertionError):
    """Something that must never happen did."""


class Lossy:
    """The world that rules, or dice, act on."""

    def __init__(self, rates: tuple[float, float, float] = (1.0, 1 - RHO, 1 + RHO)) -> None:
        self.now = 0.0
        self.clocks = [SteppedClock(100.0 * n) for n in range(3)]
        self.rates = rates
        self.fresh = counter()
        self.ledger: list[tuple[str, dict[str, Any]]] = []
        self.authority = self._authority()
        self.authority.unlock()
        self.latches = {name: MemoryLatch() for name in AGENTS}
        self.power: dict[str, Any] = dict.fromkeys(AGENTS, 1.0)
        self.gates: dict[str, Gate] = {}
        self.frames: list[tuple[str, str, str]] = []  # (up or down, agent, text)
        self.drafts: list[Clearance] = []
        # The oracle.
        self.pressed: dict[str, Press] = {}
        self.cleared: set[str] = set()
        self.repeats: Counter[str] = Counter()
        self.stopped_since = dict.fromkeys(AGENTS, NEVER)
        self.own: dict[str, set[str]] = {name: set() for name in AGENTS}
        self.acked: set[str] = set()
        self.tripped: set[str] = set()
        self.signers: dict[str, set[str]] = {}
        self.admitted = 0
        for name in AGENTS:
            self._store(self.authority.enrol(name, groups=["g"]))
            self.gates[name] = self._gate(name)

    # What may happen.

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for clock, rate in zip(self.clocks, self.rates, strict=True):
            clock.advance(seconds * rate)
        for gate in self.gates.values():
            gate.tick()
        self._pump()

    def ask(self, name: str) -> None:
        self.gates[name].ask()
        self._pump()

    def reopen(self, name: str) -> None:
        self.gates[name].reopen()

    def deliver(self, number: int, keep: bool = False) -> None:
        if not self.frames:
            return
        at = number % len(self.frames)
        way, name, text = self.frames[at] if keep else self.frames.pop(at)
        if way == "down":
            self.gates[name].receive("own", text)
        else:
            try:
                answer, records = self.authority.on_frame(text)
            except FrameError:
                return
            self._store(records)
            if answer is not None:
                self.frames.append(("down", name, answer))
        self._pump()

    def settle(self) -> None:
        """The network is good for a moment: everything arrives, in order."""
        while self.frames:
            self.deliver(0)

    def lose(self, number: int) -> None:
        if self.frames:
            self.frames.pop(number % len(self.frames))

    def probe(self) -> None:
        """Whoever can act now does, so that an opening that lasts a moment is seen."""
        for name, gate in self.gates.items():
            if gate.is_open:
                self.act(name)
                gate.end(gate.last)

    def act(self, name: str) -> None:
        gate = self.gates[name]
        try:
            gate.begin("act")
        except Refused:
            self._pump()
            return
        self.admitted += 1
        if gate.b in self.acked:
            raise Violation(f"{name} acts under {gate.b}, which was acknowledged")
        # A rounding of clocks is allowed for, a tick is not.
        if self.now > self.stopped_since[name] + bound(LENGTH, RHO) + 1e-6:
            raise Violation(f"{name} acts at {self.now}, stopped since {self.stopped_since[name]}")
        power = self.power[name]
        if not (isinstance(power, float) and power <= LIMIT) or name in self.tripped:
            raise Violation(f"{name} acts with power {power}, tripped: {sorted(self.tripped)}")
        if self.own[name] - self.cleared:
            raise Violation(f"{name} acts though its own gate heard a press")

    def end(self, name: str) -> None:
        gate = self.gates[name]
        if gate._drain.in_flight:
            gate.end(min(gate._drain.in_flight))
        self._pump()

    def press(self, scope: str, category: int = 0) -> None:
        made = press(int(self.fresh(16), 16), scope, category)
        records = self.authority.press(made)
        self._store(records)
        if not records:
            raise Violation(f"the press of {scope} left no trace")
        for _, _, text in self.authority.stop_frames():
            self.frames.append(("down", self._agent_of(text), text))

    def press_here(self, name: str) -> None:
        """A STOP file beside the gate; the authority hears of it with the next renewal."""
        made = self.gates[name].press("STOP file")
        self.own[name].add(made.id)
        self._pump()

    def overload(self, name: str, value: Any, back: bool = True) -> None:
        """The meter of the gate reads `value` for a moment; over the limit it has to latch."""
        gate, before = self.gates[name], self.power[name]
        running = gate.is_open
        self.power[name] = value
        gate.tick()
        self.act(name)
        if running and isinstance(value, float) and value > LIMIT:
            self.tripped.add(name)
        if back:
            self.power[name] = before
        self._pump()

    def draft(self) -> None:
        try:
            self.drafts.append(self.authority.draft())
        except ResetError:
            return

    def sign(self, number: int, *people: str) -> None:
        """Signs one of the drafts, perhaps long after it was written."""
        if not self.drafts:
            return
        draft = self.drafts[number % len(self.drafts)]
        try:
            records = self.authority.clear(signed(draft, *people))
        except ResetError:
            return
        self._store(records)
        self.signers.setdefault(draft.text, set()).update(people)
        if records and len(self.signers[draft.text]) < 2:
            raise Violation("one person cleared a press")
        for _, body in records:
            for number, seen in json.loads(body["text"])["presses"].items():
                if sum(seen.values()) >= self.repeats[number]:
                    self.cleared.add(number)

    def start(self, name: str) -> None:
        try:
            records = self.authority.start(name, "ann")
        except ResetError:
            return
        standing = [p for p in self._standing() if self._covers(self.pressed[p], name)]
        if standing:
            raise Violation(f"{name} was started while {standing} stand")
        self._store(records)
        self.stopped_since[name] = float("inf")
        self.tripped.discard(name)

    def crash_authority(self) -> None:
        """Everything but the ledger is lost."""
        self.drafts.clear()
        self.authority = self._authority()
        for kind, body in self.ledger:
            self.authority.apply(kind, body)
        self.authority.unlock()

    def crash_gate(self, name: str) -> None:
        """kill -9 of the gate and, its host obeying, of what it let run."""
        self.gates[name] = self._gate(name)

    # What must hold whenever it is quiet.

    def check(self) -> None:
        known = {p.id for p in self.authority.facts.presses.standing(self.authority.facts.roster)}
        if lost := self._standing() - known:
            raise Violation(f"presses lost: {lost}")
        for name, gate in self.gates.items():
            shown = worst(row.shown for row in self.authority.shown(name))
            pressed = any(self._covers(self.pressed[p], name) for p in self._standing())
            if pressed and shown in QUIET and (gate.is_open or gate.in_flight):
                raise Violation(f"{name} is shown {shown} and acts")

    # How it works.

    def _authority(self) -> Authority:
        return Authority(
            "own",
            secret=SECRET,
            roster=roster(),
            clock=self.clocks[0],
            length=LENGTH,
            fresh=self.fresh,
        )

    def _gate(self, name: str) -> Gate:
        return gate_of(
            self.clocks[1 + AGENTS.index(name)],
            held(self.authority, name),
            panel=Panel((PowerLimit(LIMIT, sensor="power"),)),
            meters={"power": lambda: self.power[name]},
            name=name,
            kills=True,
            latch=self.latches[name],
            fresh=self.fresh,
        )

    def _store(self, records: list[Any]) -> None:
        for kind, body in records:
            self.ledger.append((kind, body))
            self.authority.apply(kind, body)
            if kind == "press":
                self._noted(Press.from_json(body))
            elif kind == "repeat":
                self.repeats[body["press"]] += 1
            elif kind == "held":
                self.stopped_since[body["agent"]] = min(self.now, self.stopped_since[body["agent"]])

    def _noted(self, made: Press) -> None:
        if made.id in self.pressed:
            return
        self.pressed[made.id] = made
        for name in AGENTS:
            if self._covers(made, name):
                self.stopped_since[name] = min(self.now, self.stopped_since[name])

    def _pump(self) -> None:
        for name, gate in self.gates.items():
            while orders := gate.take():
                for order in orders:
                    if order.kind == "send":
                        self.frames.append(("up", name, order.text))
                        if '"kind":"ack"' in order.text:
                            self._acknowledged(name, gate)
                    elif order.kind == "kill":
                        gate.killed()
        del self.frames[:-40]  # a full queue loses the oldest

    def _acknowledged(self, name: str, gate: Gate) -> None:
        if gate.in_flight:
            raise Violation(f"{name} acknowledged with work in flight")
        self.acked.add(gate.b)

    def _standing(self) -> set[str]:
        return set(self.pressed) - self.cleared

    def _covers(self, made: Press, name: str) -> bool:
        return made.scope in ("fleet", "group:g", f"agent:{name}")

    def _agent_of(self, text: str) -> str:
        return next(name for name in AGENTS if f'"gate":"{name}"' in text)


def walk(seed: int, steps: int = 120) -> Lossy:
    """One life of the world by dice; a fault of the design shows as a `Violation`."""
    dice = random.Random(seed)
    rate = lambda: dice.choice([1 - RHO, 1.0, 1 + RHO])  # noqa: E731
    world = Lossy((rate(), rate(), rate()))
    for name in AGENTS:
        world.start(name)
    for _ in range(steps):
        name = dice.choice(AGENTS)
        match dice.choices(range(15), ROUGH if seed % 2 else CALM)[0]:
            case 0:
                world.advance(dice.choice([0.1, 0.3, 0.5, 1.0, 2.0, 4.0]))
            case 1:
                world.ask(name)
            case 2:
                world.deliver(dice.randrange(40), keep=dice.random() < 0.3)
            case 3:
                world.lose(dice.randrange(40))
            case 4:
                world.act(name)
            case 5:
                world.end(name)
            case 6:
                world.press(dice.choice(["fleet", "group:g", "agent:a"]), dice.randrange(3))
            case 7:
                world.press_here(name)
            case 8:
                world.draft()
                if dice.random() < 0.5:
                    world.sign(len(world.drafts) - 1, "ann", "bob")
            case 9:
                world.sign(dice.randrange(4), *dice.choice([("ann", "bob"), ("ann",), ("bob",)]))
            case 10:
                world.start(name)
            case 11:
                world.crash_authority()
            case 12:
                world.crash_gate(name)
            case 13:
                world.overload(name, dice.choice([1.0, 4.0, float("nan"), None]))
            case _:
                world.reopen(name)
        world.probe()
        world.check()
    return world


def late_grant() -> Lossy:
    """A grant is under way while its gate crashes; a press comes; the next life asks, unheard."""
    world = Lossy()
    world.start("a")
    world.ask("a")
    world.deliver(0)
    (grant,) = world.frames
    world.crash_gate("a")
    world.press("fleet")
    world.advance(4.0)
    world.ask("a")
    world.frames = [grant]
    world.deliver(0)
    world.advance(2.0)
    world.probe()
    world.check()
    return world


def reset_and_wait() -> Lossy:
    """Press, stop, reset by two; the gate asks again and again, and nobody starts the agent."""
    world = Lossy()
    world.start("a")
    world.ask("a")
    world.settle()
    world.probe()
    world.press("agent:a")
    world.settle()
    world.draft()
    world.sign(0, "ann", "bob")
    for _ in range(3):
        world.reopen("a")
        world.ask("a")
        world.settle()
        world.advance(2.0)
        world.probe()
    world.check()
    return world


SCENARIOS = (late_grant, reset_and_wait)
CALM = (12, 16, 40, 3, 20, 6, 0.8, 0.3, 2, 3, 4, 0.5, 0.5, 0.5, 6)
ROUGH = (8, 16, 30, 2, 20, 4, 1, 1, 2, 3, 4, 0.5, 4, 0.2, 6)  # gates crash often
