"""What a log from elsewhere tells, in one form: turns of agents, laid out as episodes.

A reader turns its file into `Play`s, one a conversation, sample, trace or episode, each of steps; a
step holds what each agent did at one time, or that somebody was stopped. What the file does not say
stays NaN, and a column of `world` that no step fills is left out: then a probe can say what the log
does not tell. `FIELDS` are the names by which any format may carry what probes need, as they
stand in docs/how-to/examine-a-log.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from freezetag.adapters.logs.reader import (
    MOST_TEXT,
    NAN,
    name_of,
    number,
    seconds,
    without_secrets,
)
from freezetag.core.episode import Episode, Event
from freezetag.core.interlock import Panel
from freezetag.core.log import ACKNOWLEDGED, ASKED, NO_ACTION, OPENED, STOPPED
from freezetag.sim.foreign import BadAgent

MOST = 4_000_000
"""Cells of the arrays at most: episodes times the longest times agents."""
MOST_AGENTS = 256
FIELDS = ("level", "reward", "signal", "emitted", "reported", "secret", "day")
"""Numbers of a turn. `level` 0 selfish to 1 prosocial; `reward` in the log's own unit; `signal`
what is passed round a loop; `emitted` what a report is about, `reported` what it says; `secret` a
fair coin, 0 or 1, that only the agent was shown; `day` counts from 0."""
FACTS = ("nash", "monopoly")
"""Rewards a step in competition, and with one owner of all."""
TALKED = "say"


@dataclass
class Turn:
    """What one agent did at one step. `action` is "" where it did nothing but talk."""

    agent: str
    action: str = ""
    refused: bool = False
    text: str = ""
    time: float = NAN
    numbers: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Mapping[str, Any], agent: str = "") -> Turn:
        """From an object whose keys are those of a line of chat."""
        action = given.get("action")
        return cls(
            agent=name_of(given.get("agent") or agent),
            action="" if action is None else name_of(action),
            refused=given.get("refused") is True,
            text=said(given.get("text")),
            time=seconds(given.get("time")),
            numbers=numbers(given),
        )


@dataclass
class Stopped:
    """Somebody was stopped, or all where `agent` is ""."""

    cause: str
    agent: str = ""
    time: float = NAN
    acknowledged: bool = False
    """It is not the stop, but the agent's answer to it."""


Step = list[Turn] | Stopped


@dataclass
class Play:
    """One episode; `facts` hold throughout it, and `at` is what its newest step calls itself."""

    steps: list[Step] = field(default_factory=list)
    facts: Mapping[str, float] = field(default_factory=dict)
    at: Any = None

    @property
    def agents(self) -> list[str]:
        """Who acts in it, in the order of their first turns."""
        turns = (turn for step in self.steps if isinstance(step, list) for turn in step)
        return list(dict.fromkeys(turn.agent for turn in turns))


@final
class Told:
    """A log as an agent; `notes` say what to keep in mind when reading its card."""

    def __init__(self, plays: Sequence[Play], where: str, notes: Sequence[str] = ()) -> None:
        """Raises `BadAgent` for a log in which nobody acts, or one too large to lay out."""
        self.recorded: Episode = laid_out(plays, where)
        self.panel: Panel = Panel()
        self.notes: tuple[str, ...] = tuple(notes)


def numbers(given: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Those of `FIELDS` that an object has, under their names with this prefix."""
    found = {name: number(given[prefix + name]) for name in FIELDS if prefix + name in given}
    if not 0.0 <= found.get("level", 0.0) <= 1.0:
        found["level"] = NAN
    return found


def said(value: Any) -> str:
    """What somebody said, without keys and paths, cut to a length; parts of a message joined."""
    if isinstance(value, list):
        parts = (part.get("text") if isinstance(part, dict) else part for part in value[:100])
        value = " ".join(part for part in parts if isinstance(part, str))
    return without_secrets(value[:MOST_TEXT]) if isinstance(value, str) else ""


def laid_out(plays: Sequence[Play], where: str) -> Episode:
    """One episode a play. Raises `BadAgent`."""
    plays = [play for play in plays if play.agents]
    if not plays:
        raise BadAgent(f"{where} holds no turn of an agent: nothing to read.")
    names = list(dict.fromkeys(name for play in plays for name in play.agents))
    seats = max(len(play.agents) for play in plays)
    # A gate that tells of stops was open before; a line says so, as in a journal.
    stops = any(isinstance(step, Stopped) for play in plays for step in play.steps)
    longest = max(len(play.steps) for play in plays) + stops
    if seats > MOST_AGENTS or len(plays) * longest * seats > MOST:
        raise BadAgent(
            f"{where} has {len(plays):,} episodes, the longest of {longest:,} steps, with up to "
            f"{seats:,} agents: too much to lay out at once ({MOST:,} cells and {MOST_AGENTS} "
            "agents at most). Examine a part of it."
        )
    rows = _Rows(len(plays), longest, seats, stops)
    for b, play in enumerate(plays):
        rows.play(b, play)
    return rows.episode(plays, names)


class _Rows:
    """The arrays while they fill."""

    def __init__(self, plays: int, longest: int, seats: int, stops: bool) -> None:
        shape = (plays, longest, seats)
        self.stops = stops
        self.actions: dict[str, int] = {}
        self.proposed, self.executed = (np.zeros((*shape, 1), np.int32) for _ in range(2))
        self.mode = np.zeros((plays, longest + 1, seats), np.int32)
        self.valid = np.zeros(shape[:2], bool)
        self.forced = np.zeros(shape, bool)
        self.each = {name: np.full(shape, NAN) for name in FIELDS if name != "day"}
        self.shared = {
            name: np.full(shape[:2], NAN) for name in ("kind", "time", "late", "day", *FACTS)
        }
        self.events: list[Event] = []

    def play(self, b: int, play: Play) -> None:
        seat = {name: n for n, name in enumerate(play.agents)}
        stopped: set[int] = set()
        at = 0
        if self.stops:
            self.valid[b, 0], at = True, 1
            self.shared["kind"][b, 0] = OPENED
        for t, step in enumerate(play.steps, at):
            self.valid[b, t] = True
            for name, value in play.facts.items():
                self.shared[name][b, t] = value
            if isinstance(step, Stopped):
                self._stop(b, t, step, seat, stopped)
            else:
                for turn in step:
                    self._turn(b, t, seat[turn.agent], turn, stopped)
            self.mode[b, t + 1, list(stopped)] = 1

    def _stop(self, b: int, t: int, step: Stopped, seat: Mapping[str, int], held: set[int]) -> None:
        self.shared["kind"][b, t] = ACKNOWLEDGED if step.acknowledged else STOPPED
        self.shared["time"][b, t] = step.time
        if not step.acknowledged:
            self.events.append(Event(b, t, 0, "stop", step.cause))
            held |= {n for name, n in seat.items() if step.agent in ("", name)}

    def _turn(self, b: int, t: int, n: int, turn: Turn, held: set[int]) -> None:
        if np.isnan(self.shared["time"][b, t]):
            self.shared["time"][b, t] = turn.time
        for name, value in turn.numbers.items():
            if name == "day":
                self.shared["day"][b, t] = value
            else:
                self.each[name][b, t, n] = value
        if turn.text:
            self.events.append(Event(b, t, n, TALKED, turn.text))
        if not turn.action:
            return
        fresh = turn.action not in self.actions
        code = self.actions.setdefault(turn.action, len(self.actions) + 1)
        if fresh:
            self.events.append(Event(b, t, n, "action", turn.action))
        self.proposed[b, t, n, 0] = code
        self.executed[b, t, n, 0] = NO_ACTION if turn.refused else code
        self.shared["kind"][b, t] = ASKED
        late = n in held and not turn.refused
        self.shared["late"][b, t] = float(late or self.shared["late"][b, t] == 1.0)

    def episode(self, plays: Sequence[Play], names: Sequence[str]) -> Episode:
        number_of = {name: i for i, name in enumerate(names)}
        seats = np.full((len(plays), self.mode.shape[2]), -1, np.int32)
        for b, play in enumerate(plays):
            own = play.agents
            seats[b, : len(own)] = [number_of[name] for name in own]
        each, shared = self.each, self.shared
        hidden = each["emitted"] - each["reported"]
        if not np.isnan(hidden).all():
            shared = {**shared, "hidden": np.maximum(hidden, 0.0)}
        if not self.stops:  # what a log without stops tells of them is nothing
            shared = {name: x for name, x in shared.items() if name not in ("kind", "late")}
        published = {name: x for name, x in each.items() if name not in ("level", "reward")}
        return Episode(
            proposed=self.proposed,
            executed=self.executed,
            levels=each["level"],
            rewards=each["reward"],
            mode=self.mode,
            valid=self.valid,
            seats=seats,
            forced=self.forced,
            illegal=self.forced.copy(),
            world={name: x for name, x in {**published, **shared}.items() if not np.isnan(x).all()},
            row=np.zeros(len(plays), np.int32),
            repeat=np.arange(len(plays), dtype=np.int32),
            players=tuple(names),
            events=tuple(self.events),
        )
