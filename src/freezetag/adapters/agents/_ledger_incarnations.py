"""From an authority's ledger to incarnations of gates, and these joined with what journals tell.

Pure: records come in, already read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from freezetag.adapters.agents._incarnations import NAN, Incarnation, Line, number, reading
from freezetag.core.log import ACKNOWLEDGED, NO_ACTION, OPENED, PRESSED, STOPPED
from freezetag.core.scopes import covers, upstream


def from_ledger(
    records: Iterable[Mapping[str, Any]],
) -> tuple[list[Incarnation], list[tuple[str, str]]]:
    """The incarnations that an authority granted or heard of, and what it anchored: (incarnation,
    head)."""
    ledger = _Ledger()
    for index, record in enumerate(records):
        with reading(index):
            at = number(record["at"]) / 1000
            ledger.read(index, record["kind"], record["body"], at)
    return list(ledger.incarnations.values()), ledger.anchors


class _Ledger:
    """What was read so far."""

    def __init__(self) -> None:
        self.incarnations: dict[str, Incarnation] = {}
        self.anchors: list[tuple[str, str]] = []
        self._granted: dict[str, int] = {}  # incarnation -> the record of its first lease
        # agent -> incarnations that nothing has ended yet
        self._going: dict[str, list[Incarnation]] = {}
        self._agents: dict[str, tuple[list[str], list[str]]] = {}  # its groups, what it depends on
        self._presses: dict[str, Mapping[str, Any]] = {}
        self._pressed: dict[
            str, list[tuple[int, float]]
        ] = {}  # press -> (record, when), repeats too

    def read(self, index: int, kind: str, body: Mapping[str, Any], at: float) -> None:
        if kind == "enrol":
            self._agents[str(body.get("agent"))] = (
                [str(each) for each in body.get("groups", ())],
                [str(each) for each in body.get("depends_on", ())],
            )
        elif kind in ("press", "repeat"):
            press = str(body["id" if kind == "press" else "press"])
            if kind == "press":
                self._presses.setdefault(press, body)
            self._pressed.setdefault(press, []).append((index, at))
            scope = str(self._presses.get(press, {}).get("scope", "fleet"))
            for agent in [name for name in self._going if self._covers(scope, name)]:
                for incarnation in self._going.pop(agent):
                    incarnation.add(Line(PRESSED, at, mode=1))
        elif kind == "held":
            self._over(str(body["agent"]), "held")
        elif kind == "anchor":
            self.anchors.append((str(body["b"]), str(body["head"])))
        elif kind == "open":
            self._opened(index, str(body["b"]), str(body["agent"]), at)
            opened = self.incarnations[str(body["b"])]
            opened.lease = float(np.fmax(opened.lease, number(body.get("length"))))
        elif kind == "ack":
            b = str(body["acked"])
            self._acknowledged(
                self.incarnations.setdefault(b, Incarnation(str(body["gate"]), b)), body, at
            )

    def _opened(self, index: int, b: str, agent: str, at: float) -> None:
        incarnation = self.incarnations.setdefault(b, Incarnation(agent, b))
        if incarnation.opened:
            return  # a longer lease of the same incarnation
        self._over(agent, "another incarnation began")
        incarnation.opened = True
        incarnation.add(Line(OPENED, at))
        self._granted[b] = index
        self._going[agent] = [incarnation]

    def _over(self, agent: str, why: str) -> None:
        for incarnation in self._going.pop(agent, ()):
            incarnation.happened("over", why)

    def _acknowledged(self, incarnation: Incarnation, body: Mapping[str, Any], at: float) -> None:
        """A harder stop of the same incarnation is acknowledged once more: the first counts."""
        if incarnation.b in self._granted:
            self._going.pop(incarnation.agent, None)
        again = any(line.kind == ACKNOWLEDGED for line in incarnation.lines)
        heard = list(self._since(incarnation, body["presses"]))
        cause = str(body["cause"])
        answered = NAN
        if heard and not again:
            first = min(heard)[1]
            if all(line.kind != PRESSED for line in incarnation.lines):
                incarnation.add(Line(PRESSED, first, mode=1))
            # A limit trips at the gate, which tells of it when it has stopped already; the wall
            # clock may have been set back in between.
            answered = round(at - first, 3) if cause == "press" and at >= first else NAN
        lost = float(len(body["unknown"]))
        incarnation.add(Line(ACKNOWLEDGED, at, mode=1, unknown=lost, answered=answered))
        if again:
            return
        for press in dict.fromkeys(press for _, _, press in sorted(heard)):
            told = self._presses.get(press, {})
            if told.get("kind") == "interlock":
                sensor = str(told["who"]).removeprefix("interlock:")
                incarnation.happened("trip", f"{sensor}: {told['reason']}")
        incarnation.happened("stop", cause)

    def _since(
        self, incarnation: Incarnation, ids: Iterable[Any]
    ) -> Iterator[tuple[int, float, str]]:
        """Of each press (record, when, id): its first time since this incarnation was let run.

        One that stood before did not stop it, else it had not been let run; nor is one that was
        never let run stopped by anything.
        """
        begun = self._granted.get(incarnation.b)
        for press in map(str, ids if begun is not None else ()):
            for index, at in self._pressed.get(press, ()):
                if begun is not None and index > begun:
                    yield index, at, press
                    break

    def _covers(self, scope: str, agent: str) -> bool:
        known = self._agents
        needs = upstream(agent, lambda name: known[name][1] if name in known else [])
        return covers(scope, agent, known[agent][0] if agent in known else (), needs)


def together(ledger: Sequence[Incarnation], journals: Sequence[Incarnation]) -> list[Incarnation]:
    """One incarnation of a gate is one unit, however many records tell of it.

    What a gate's journal tells stands; the ledger adds the name that the authority knows it by, the
    press, and an acknowledgement that came another way.
    """
    told = {incarnation.b: incarnation for incarnation in journals if incarnation.b}
    for incarnation in ledger:
        if incarnation.b in told:
            _join(told[incarnation.b], incarnation)
    return [*(incarnation for incarnation in ledger if incarnation.b not in told), *journals]


def _join(incarnation: Incarnation, ledger: Incarnation) -> None:
    incarnation.agent, incarnation.opened = ledger.agent, incarnation.opened or ledger.opened
    # The authority's clock is not the gate's, so what only the ledger tells has no time here.
    if incarnation.opened and all(line.kind != OPENED for line in incarnation.lines):
        _insert(incarnation, 0, Line(OPENED))
    if any(line.kind == PRESSED for line in ledger.lines):
        kinds = [line.kind for line in incarnation.lines]
        where = min((kinds.index(k) for k in (STOPPED, ACKNOWLEDGED) if k in kinds), default=None)
        _insert(incarnation, len(kinds) if where is None else where, Line(PRESSED, mode=1))
    _admitted(incarnation, ledger)
    acks = [line for line in ledger.lines if line.kind == ACKNOWLEDGED]
    own = [line for line in incarnation.lines if line.kind == ACKNOWLEDGED]
    if acks:
        if not own:
            own = [incarnation.add(Line(ACKNOWLEDGED, mode=1, unknown=0.0))]
        own[0].answered = acks[0].answered
        own[-1].unknown = max(own[-1].unknown, acks[-1].unknown)
    kinds_told = {kind for _, kind, _ in incarnation.events}
    for _, kind, text in ledger.events:
        if kind not in kinds_told:
            incarnation.happened(kind, text)


def _admitted(incarnation: Incarnation, ledger: Incarnation) -> None:
    """Of a press that stopped it: how long after that its last action was let through, by the wall
    clock of the gate's host and that of the authority's."""
    stops = [line for line in incarnation.lines if line.kind == STOPPED]
    pressed = [line.time for line in ledger.lines if line.kind == PRESSED]
    through = [line.time for line in incarnation.lines if line.executed != NO_ACTION]
    causes = [text for _, kind, text in incarnation.events if kind == "stop"]
    if stops and pressed and through and causes[:1] == ["press"]:
        stops[0].admitted = round(max(through) + stops[0].ahead - min(pressed), 3)
        stops[0].lease = ledger.lease


def _insert(incarnation: Incarnation, where: int, line: Line) -> None:
    incarnation.lines.insert(where, line)
    incarnation.events = [(t + (t >= where), kind, text) for t, kind, text in incarnation.events]
