"""A small world for the live tests: gates, an authority, and a network that is no friend."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from freezetag.core import Panel
from freezetag.live.authority.authority import Authority
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import Gate
from freezetag.live.signed.frames import FrameError
from freezetag.live.signed.keys import Person, Roster, generate
from freezetag.live.signed.presses import Clearance, Press

PEOPLE = {name: generate() for name in ("ann", "bob", "eve")}
SECRET = b"the authority's secret, 32 bytes"


def roster(authority: str = "own", *names: str, solo: bool = False) -> Roster:
    people = tuple(Person(name, PEOPLE[name][1]) for name in names or ("ann", "bob"))
    return Roster(authority, people, solo)


def counter(start: int = 0) -> Callable[[int], str]:
    """Fresh ids that repeat from run to run."""
    numbers = itertools.count(start + 1)
    return lambda size: f"{next(numbers):0{2 * size}x}"


def press(number: int, scope: str = "fleet", category: int = 0, kind: str = "press") -> Press:
    return Press(f"{number:032x}", scope, "somebody", number, "because", category, kind)


def signed(clearance: Clearance, *names: str) -> Clearance:
    for name in names:
        clearance = clearance.signed(*PEOPLE[name])
    return clearance


def authority(clock: Any, name: str = "own", **settings: Any) -> Authority:
    settings = {"secret": SECRET, "roster": roster(name), "fresh": counter(10**6), **settings}
    overseer = Authority(name, clock=clock, **settings)
    overseer.unlock()
    return overseer


def store(overseer: Authority, records: list[Any]) -> list[Any]:
    for kind, body in records:
        overseer.apply(kind, body)
    return records


def enrolled(overseer: Authority, agent: str = "agent", **limits: float) -> Enrolment:
    """Enrols and starts `agent`; what its gate holds."""
    store(overseer, overseer.enrol(agent, limits=limits))
    store(overseer, overseer.start(agent, "ann"))
    return held(overseer, agent)


def held(overseer: Authority, agent: str = "agent") -> Enrolment:
    return Enrolment(overseer.name, overseer.key_for(agent), overseer.facts.roster, overseer.length)


def gate_of(clock: Any, *enrolments: Enrolment, **settings: Any) -> Gate:
    settings = {"fresh": counter(), "panel": Panel(), **settings}
    return Gate(clock=clock, enrolments=enrolments, **settings)


@dataclass
class Wire:
    """Carries frames at once and in order; what is not a frame is kept in `orders`."""

    gate: Gate
    authorities: dict[str, Authority]
    orders: list[Any] = field(default_factory=list)

    def turn(self) -> None:
        """One round: every order of the gate is carried out, every answer brought back."""
        for order in self.gate.take():
            if order.kind != "send":
                self.orders.append(order)
                continue
            overseer = self.authorities[order.authority]
            try:
                answer, records = overseer.on_frame(order.text)
            except FrameError:
                continue
            store(overseer, records)
            if answer is not None:
                self.gate.receive(order.authority, answer)

    def renew(self) -> None:
        self.gate.ask()
        self.turn()


def pair(length: float = 5.0, **settings: Any) -> tuple[SteppedClock, Authority, Gate, Wire]:
    """A clock, an authority, and the open gate of one started agent on a good wire."""
    clock = SteppedClock()
    overseer = authority(clock, length=length)
    gate = gate_of(clock, enrolled(overseer), **settings)
    wire = Wire(gate, {overseer.name: overseer})
    wire.renew()
    return clock, overseer, gate, wire


def orders(gate: Any) -> list[str]:
    return [order.kind for order in gate.take()]


def stop(gate: Any, overseer: Any, number: int = 1, **fields: Any) -> None:
    """A press that reaches the gate at once."""
    store(overseer, overseer.press(press(number, **fields)))
    for name, b, frame in overseer.stop_frames():
        if (name, b) == (gate.name, gate.b):
            gate.receive(overseer.name, frame)


def reason(overseer: Authority, gate: Any) -> str:
    """Why a renewal of `gate` is refused; "grant" if it is not."""
    gate.take()
    gate.ask()
    answer, records = overseer.on_frame(gate.take()[0].text)
    store(overseer, records)
    message = json.loads((answer or "")[65:])
    return str(message.get("reason", message["kind"]))
