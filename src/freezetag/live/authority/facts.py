"""What an authority durably knows: agents, presses, clearances, starts. Rebuilt from its ledger.

`apply` is the only way in, in the order of the ledger, so that the state after a restart is the
state before it. Nothing here is granted; that is `freezetag.live.authority.authority`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any, final

from freezetag.core import scopes
from freezetag.core.errors import UserError
from freezetag.core.interlock import UNKNOWN
from freezetag.core.scopes import covers, is_bar
from freezetag.live.authority.budget import Limit
from freezetag.live.signed import handover, presses, revocation
from freezetag.live.signed.browser_key import BrowserKeyError, BrowserKeys
from freezetag.live.signed.keys import Roster
from freezetag.live.signed.presses import Clearance, Press, Presses
from freezetag.live.signed.records import (
    Ack,
    BrowserKey,
    Clear,
    Enrol,
    Handover,
    Held,
    Limits,
    Open,
    Pressed,
    Repeat,
    Revoke,
    Start,
    read,
)

ON_STOP = ("rest_is_safe", "policy", "no_safe_stop")
_NONE = float("inf")  # a limit that is not there
Record = tuple[str, dict[str, Any]]
"""(kind, body) of a ledger record to be stored."""


class EnrolmentError(UserError):
    """An agent that may not be enrolled like this; the text says why."""


@final
@dataclass
class Agent:
    """One enrolled agent. `epoch` rises with each start; it is HELD until `started`.

    `limits` maps sensors to limits: `runtime` and `presence` in seconds, any other a budget of the
    epoch. `depends_on` are the agents whose stop a `closure:` press carries over to this one.
    """

    name: str
    groups: frozenset[str] = frozenset()
    on_stop: str = "rest_is_safe"
    limits: Mapping[str, float] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    epoch: int = 0
    started: bool = False
    started_at: int = 0


@final
class Facts:
    """The durable state of one authority."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self.agents: dict[str, Agent] = {}
        self.group_limits: dict[str, dict[str, float]] = {}
        self.presses = Presses()
        self.browser_keys = BrowserKeys(roster.authority, roster.keys, roster.quorum)
        self._floor = 0  # no epoch up to here is given again
        self.handovers: list[handover.Handover] = []
        self.incarnations: dict[str, dict[str, dict[str, Any] | None]] = {}
        """agent -> incarnation that ever held a lease -> its ack, or None."""

    def apply(self, kind: str, body: Mapping[str, Any], at: int = 0) -> None:
        """Takes in one record; kinds that change no state here are allowed and ignored."""
        match read(kind, body):
            case Pressed():
                self.pressed(Press.from_json(dict(body)))
            case Repeat(press=press, replica=replica, count=count):
                self.presses.merge(Presses(repeats={press: {replica: count}}))
                self.hold_covered(each for each in self._stands() if each.id == press)
            case Clear():
                self.presses.clear(Clearance.from_json(dict(body)))
                self._used(presses.SIGNED, body)
            case BrowserKey(text=text, signatures=signatures):
                self.browser_keys.enrol(text, signatures)
            case Revoke(digest=digest):
                self._used(revocation.SIGNED, body)
                self.browser_keys.take_back(digest)
            case Handover():
                self._used(handover.SIGNED, body)
                self._hand_over(handover.Handover.from_json(dict(body)))
            case Enrol():
                self._enrol(body)
            case Limits(group=group, limits=limits):
                for name in self.loosened_by_group(group, limits):
                    self.agents[name].started = False
                self.group_limits[group] = dict(limits)
            case Start(agent=name, epoch=epoch):
                agent = self.agents[name]
                if epoch > agent.epoch:  # the same start twice is once
                    agent.epoch, agent.started_at = epoch, at
                    # Sets are read again here: a press since the decision keeps the agent held.
                    agent.started = not self.standing(agent.name)
            case Held(agent=name):
                self.agents[name].started = False
            case Open(agent=name, b=b):
                self.incarnations.setdefault(name, {}).setdefault(b, None)
            case Ack(gate=gate, acked=acked):
                self.incarnations.setdefault(gate, {})[acked] = dict(body)

    def news(self, state: Presses) -> list[Record]:
        """The records of what `state` has and we have not."""
        mine = self.presses
        records: list[Record] = [("press", p.to_json()) for p in state.presses - mine.presses]
        records += [("clear", c.to_json()) for c in state.clearances - mine.clearances]
        for press, counts in state.repeats.items():
            for replica, count in counts.items():
                if count > mine.repeats.get(press, {}).get(replica, 0):
                    records.append(("repeat", {"count": count, "press": press, "replica": replica}))
        return records

    def pressed(self, press: Press) -> None:
        """A press: whoever it covers is no longer started, until cleared and started again."""
        self.presses.add(press)
        self.hold_covered([press])

    def hold_covered(self, presses: Iterable[Press]) -> None:
        """Whoever one of the presses covers is no longer started."""
        for scope in {press.scope for press in presses}:
            for name in self.covered(scope):
                self.agents[name].started = False

    def standing(self, agent: str) -> tuple[Press, ...]:
        """The presses that stop `agent` now."""
        return tuple(press for press in self._stands() if self._covers(press.scope, agent))

    @property
    def bars(self) -> tuple[Press, ...]:
        """The presses that stand and bar a tool of everyone's."""
        return tuple(press for press in self._stands() if is_bar(press.scope))

    def reached(self, scope: str) -> tuple[str, ...]:
        """Whom a press of `scope` concerns: those it stops, or all whom it takes a tool from."""
        return tuple(self.agents) if is_bar(scope) else self.covered(scope)

    def covered(self, scope: str) -> tuple[str, ...]:
        """The enrolled agents that a press of `scope` stops: what `press --dry-run` shows."""
        return tuple(name for name in self.agents if self._covers(scope, name))

    def limits(self, agent: str) -> tuple[Limit, ...]:
        """The limits that `agent` is under: its own, and those its groups share."""
        known = self.agents[agent]
        own = [Limit(sensor, sensor, value, (agent,)) for sensor, value in known.limits.items()]
        shared = [
            Limit(f"group:{group}:{sensor}", sensor, value, self.covered(f"group:{group}"))
            for group in sorted(known.groups)
            for sensor, value in self.group_limits.get(group, {}).items()
        ]
        return (*own, *shared)

    def upstream(self, agent: str) -> frozenset[str]:
        """Everything `agent` depends on, through others too."""
        return scopes.upstream(agent, self._needs)

    def _needs(self, agent: str) -> tuple[str, ...]:
        known = self.agents.get(agent)
        return known.depends_on if known else ()

    def check_enrolment(self, body: Mapping[str, Any]) -> None:
        """Raises `EnrolmentError` for what an operator may not enrol."""
        name = body["agent"]
        if not isinstance(name, str) or not 0 < len(name) <= 100 or not name.isprintable():
            raise EnrolmentError(
                f"an agent's name is printable text of at most 100: {name!r:.120}."
            )
        if body["on_stop"] not in ON_STOP:
            raise EnrolmentError(f"{name}: on_stop is one of {ON_STOP}, not {body['on_stop']!r}.")
        if body["on_stop"] == "no_safe_stop" and not body.get("safe_state"):
            raise EnrolmentError(
                f"{name}: an agent without a safe stop needs a named, independent safe state "
                "that takes over. freezetag is not for machines that must run on."
            )
        check_limits(name, body["limits"])
        known = self.agents.get(name)
        if known and known.groups != set(body["groups"]) and self.standing(name):
            raise EnrolmentError(f"{name}: its groups cannot change while a press covers it.")
        check_count(name, self._values(_agent(body), self.group_limits))
        if known is None:
            return  # nobody is covered less because of it
        trial = Facts(self.roster)
        trial.agents = {**self.agents, name: _agent(body)}
        for scope in {press.scope for press in self._stands()}:
            if freed := set(self.covered(scope)) - set(trial.covered(scope)):
                raise EnrolmentError(
                    f"{name}: a press of {scope} stands, and would then no longer cover "
                    f"{', '.join(sorted(freed))}. Enrol it like this after the reset."
                )

    def check_group(self, group: str, limits: Mapping[str, float]) -> None:
        """Raises `EnrolmentError` for what an operator may not make a group's members share."""
        check_limits(f"group {group}", limits)
        if {"runtime", "presence"} & set(limits):
            raise EnrolmentError(f"group {group}: runtime and presence are limits of an agent.")
        shared = {**self.group_limits, group: limits}
        for name in self.covered(f"group:{group}"):
            check_count(name, self._values(self.agents[name], shared))

    def loosened_by(self, body: Mapping[str, Any]) -> bool:
        """Whether this enrolment raises, or drops, a limit that its agent is under now."""
        known = self.agents.get(body["agent"])
        return known is not None and _looser(
            self._values(known, self.group_limits), self._values(_agent(body), self.group_limits)
        )

    def loosened_by_group(self, group: str, limits: Mapping[str, float]) -> tuple[str, ...]:
        """The members of a group that raised, or dropped, limits of it concern."""
        looser = _looser(self.group_limits.get(group, {}), limits)
        return self.covered(f"group:{group}") if looser else ()

    def _values(self, agent: Agent, shared: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """All that limits `agent`, by the names of its limits."""
        values = dict(agent.limits)
        for group in agent.groups:
            for sensor, value in shared.get(group, {}).items():
                values[f"group:{group}:{sensor}"] = value
        return values

    def _used(self, prefix: bytes, body: Mapping[str, Any]) -> None:
        """The counters of the browsers' keys whose signatures are recorded."""
        message = prefix + str(body["text"]).encode("utf-8", "replace")
        for pair in body["signatures"].items():
            with contextlib.suppress(BrowserKeyError):  # which the verifier tells
                self.browser_keys.record(message, [pair])

    def _hand_over(self, made: handover.Handover) -> None:
        """All are held, and no epoch of the lost line comes again: a ledger has no more starts than
        records."""
        self.handovers.append(made)
        self._floor = max(self._floor, made.lost)
        for agent in self.agents.values():
            agent.started = False
            agent.epoch = max(agent.epoch, self._floor)

    def _stands(self) -> tuple[Press, ...]:
        return self.presses.standing(self.roster)

    def _enrol(self, body: Mapping[str, Any]) -> None:
        old = self.agents.get(body["agent"])
        looser = self.loosened_by(body)
        agent = _agent(body)
        agent.epoch = self._floor
        if old is not None:
            agent.epoch, agent.started_at = old.epoch, old.started_at
            agent.started = old.started and not looser
        self.agents[agent.name] = agent
        # It may have come under a press, and with it whoever depends on it.
        changed = [agent.name]
        if any(press.scope.startswith("closure:") for press in self._stands()):
            changed += [name for name in self.agents if agent.name in self.upstream(name)]
        for name in changed:
            if self.standing(name):
                self.agents[name].started = False

    def _covers(self, scope: str, name: str) -> bool:
        agent = self.agents.get(name)
        groups = agent.groups if agent else ()
        upstream = self.upstream(name) if scope.startswith("closure:") else ()
        return covers(scope, name, groups, upstream)


def _agent(body: Mapping[str, Any]) -> Agent:
    return Agent(
        body["agent"],
        frozenset(body["groups"]),
        body["on_stop"],
        dict(body["limits"]),
        tuple(body.get("depends_on", ())),
    )


def _looser(old: Mapping[str, float], new: Mapping[str, float]) -> bool:
    return any(not new.get(name, _NONE) <= limit for name, limit in old.items())


def check_limits(name: str, limits: Mapping[str, float]) -> None:
    """Raises `EnrolmentError` for a limit that could never let anything run, or never bind."""
    for sensor, limit in limits.items():
        if not 0 < limit < float("inf"):
            raise EnrolmentError(
                f"{name}: the limit of {sensor} is a number above 0, got {limit!r}."
            )


def check_count(name: str, limits: Sized) -> None:
    """Raises `EnrolmentError` for more limits than one panel holds."""
    if len(limits) > UNKNOWN:
        raise EnrolmentError(
            f"{name}: {len(limits)} limits, its groups' included, and a panel holds {UNKNOWN}. "
            "Leave out those that others imply."
        )
