"""An authority whose records come back from a disk, and renewals over a good wire."""

from __future__ import annotations

import json
from typing import Any

from tests.live.worlds import (
    SECRET,
    counter,
    roster,
    store,
)

from freezetag.core.canonical import canonical
from freezetag.live.authority.authority import Authority
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate


class Ledger:
    """The records of an authority, as they come back from a disk."""

    def __init__(self, clock: SteppedClock, **settings: Any) -> None:
        self.clock, self.records = clock, list[tuple[str, dict[str, Any], int]]()
        self.wall = 0
        self.server = self.restart(**settings)

    def restart(self, **settings: Any) -> Authority:
        given = {"secret": SECRET, "roster": roster(), "fresh": counter(10**6), **settings}
        self.server = Authority("own", clock=self.clock, wall=lambda: self.wall, **given)
        for kind, body, at in self.records:
            self.server.apply(kind, body, at)
        self.server.unlock(0.0)
        return self.server

    def store(self, records: list[Any]) -> list[str]:
        for kind, body in records:
            read = json.loads(canonical(body))
            self.records.append((kind, read, self.wall))
            self.server.apply(kind, read, self.wall)
        return [kind for kind, _ in records]

    def start(self, name: str = "agent", groups: tuple[str, ...] = (), **limits: float) -> None:
        self.store(self.server.enrol(name, groups=groups, limits=limits))
        self.store(self.server.start(name, "ann"))

    def renew(self, gate: Gate) -> str:
        """Renews over a good wire; "grant", or why not."""
        answer, records = self.server.on_frame(asked(gate))
        self.store(records)
        gate.receive("own", answer or "")
        message = json.loads((answer or "")[65:])
        return str(message.get("reason", message["kind"]))

    def forgets(self, *fields: str) -> None:
        """An older version wrote the ledger: no record has these fields."""
        for _, body, _ in self.records:
            for field in fields:
                body.pop(field, None)


def asked(gate: Gate) -> str:
    gate.take()
    gate.ask()
    return next(order.text for order in gate.take() if '"kind":"renew"' in order.text)


def renew(overseer: Authority, gate: Gate) -> str:
    answer, records = overseer.on_frame(asked(gate))
    store(overseer, records)
    gate.receive("own", answer or "")
    message = json.loads((answer or "")[65:])
    return str(message.get("reason", message["kind"]))
