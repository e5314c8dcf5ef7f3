"""Who may act: the decisions of one authority, sans-IO. A server adds sockets and storage.

A renewal is granted only if the authority is unlocked, the agent is enrolled and started, no
uncleared press covers it, no other life of it may still act, and its `Panel` shows no trip. A
method that changes something has already stopped in memory what must stop, and returns the records
to be stored; `apply` takes each in once it is durable. Calls must be serialised (one thread).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, final

from freezetag.core.interlock import GO, UNKNOWN, Panel
from freezetag.core.scopes import CAPABILITY, is_bar
from freezetag.live.authority.budget import allowance
from freezetag.live.authority.drills import Drills
from freezetag.live.authority.facts import Agent, Facts, Record
from freezetag.live.authority.incarnations import DOUBLED, OUTLIVED, PER_HOUR, Lives, joined
from freezetag.live.authority.readings import Readings
from freezetag.live.authority.reasons import Reasons
from freezetag.live.authority.rollback import RollbackError as RollbackError
from freezetag.live.authority.rollback import no_checkpoint, no_handover
from freezetag.live.authority.signing import SIGN_WITHIN as SIGN_WITHIN
from freezetag.live.authority.signing import ResetError as ResetError
from freezetag.live.authority.signing import Signing
from freezetag.live.authority.states import Incarnation, Shown, finite, rows, worst
from freezetag.live.authority.states import Row as Row
from freezetag.live.signed.frames import (
    FrameError,
    code_of,
    gate_key,
    incarnation_key,
    seal,
    settle,
    unseal,
)
from freezetag.live.signed.handover import Handover
from freezetag.live.signed.keys import Roster
from freezetag.live.signed.presses import Clearance, Press, Presses
from freezetag.live.signed.records import Ack, Anchor, Open, Start, read

START_WITHIN = 60.0
"""Seconds after which a start that never became durable may be tried again."""
TOLD = 32
"""Presses of an agent's, whoever pressed, beyond which those that its gate alone tells of wait."""
ANCHOR_EVERY = 10.0
"""Seconds between two records of how far a gate's journal and meters are."""


@final
class Authority:
    """One overseer of agents. Locked from construction: takes presses, grants nothing.

    `clock` is the clock that leases are waited out on; `wall` gives Unix milliseconds. The host may
    set `checkpoint`: size that a gate saw -> (newest note, proof), which raises `RollbackError` if
    the gate saw more than there is; and `past`: head that a gate saw -> the size to prove from, and
    the handover by which people gave that head up. With `drill_within` seconds, not 0, nobody is
    started while the newest drill is older (`freezetag.live.authority.drills`); renewals go on.
    """

    def __init__(
        self,
        name: str,
        *,
        secret: bytes,
        roster: Roster,
        clock: Callable[[], float],
        wall: Callable[[], int] = lambda: 0,
        length: float = 5.0,
        drain: float = 5.0,
        rearm_within: float = 60.0,
        drill_within: float = 0.0,
        replica: str = "a",
        fresh: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        self.name, self.length, self.replica = name, length, replica
        self.facts = Facts(roster)
        self.locked = True
        self.spurious = 0
        self.alarms: list[str] = []  # the newest hundred
        self.checkpoint: Callable[[int], tuple[str, list[str]]] = no_checkpoint
        self.past: Callable[[int, str], tuple[int, Handover | None]] = no_handover
        self.head: Callable[[], dict[str, Any]] = lambda: {"root": "", "size": 0}
        self._secret, self._clock, self._wall, self._fresh = secret, clock, wall, fresh
        self._drain, self._rearm_within = drain, rearm_within
        self._lives = Lives(clock)
        self._readings = Readings(self._lives, clock, wall)
        self.meters = self._readings.meters
        self.drills = Drills(drill_within, clock, wall)
        self._reasons = Reasons()
        self._starting: dict[str, float] = {}  # since when a start waits to be durable
        self._signing = Signing(name, self.facts, clock, fresh, wall)

    # Durable facts.

    def apply(self, kind: str, body: Mapping[str, Any], at: int = 0) -> None:
        """A record that is durable now, or is read back from the ledger at a start."""
        record = read(kind, body)
        known = self.facts.agents.get(record.agent) if isinstance(record, Start) else None
        before = known.epoch if known is not None else -1
        self.facts.apply(kind, body, at)
        self._readings.newest = max(self._readings.newest, at)
        self.drills.apply(kind, body, at)
        self._reasons.apply(kind, body)
        match record:
            case Start(agent=agent, epoch=epoch):
                self._starting.pop(agent, None)
                if epoch > before:
                    self._lives.started(agent)
            case Open():
                self._lives.opened(body)
            case Ack():
                self._lives.acked(body)
            case Anchor():
                self._lives.anchored(body)
                self._readings.anchored(body)

    @property
    def lives(self) -> Lives:
        """The lives of all gates, for nodes that tell one another of them."""
        return self._lives

    def not_started(self, agent: str) -> None:
        """A start of it was surely not written, so the next one need not wait."""
        self._starting.pop(agent, None)

    def unlock(self, down: float | None = None) -> None:
        """The ledger's tail is verified, the lock held, the keys read: renewals may be granted.

        Leases that may be outstanding count as issued now. `down` is for how many seconds nobody
        could be heard; if it is not known, since the newest record, so that a gate whose lease ran
        out meanwhile is re-armed only after a short outage.
        """
        if down is None:
            down = max(0.0, (self._wall() - self._readings.newest) / 1000)
        self._lives.recount(down)
        self.locked = False

    # People.

    def enrol(
        self,
        agent: str,
        groups: Iterable[str] = (),
        on_stop: str = "rest_is_safe",
        limits: Mapping[str, float] | None = None,
        depends_on: Iterable[str] = (),
        safe_state: str = "",
    ) -> list[Record]:
        """A new or changed agent; a new one is HELD, and one whose limits are raised.

        Raises `EnrolmentError`, also where it would take somebody out of a press that stands.
        """
        body = {
            "agent": agent,
            "depends_on": sorted(depends_on),
            "groups": sorted(groups),
            "limits": dict(limits or {}),
            "on_stop": on_stop,
            "safe_state": safe_state,
        }
        self.facts.check_enrolment(body)
        loosened = [agent] if self.facts.loosened_by(body) else []
        return [("enrol", body), *self._hold_all(loosened)]

    def limit_group(self, group: str, limits: Mapping[str, float]) -> list[Record]:
        """Budgets that a group shares; raised ones hold its members. Raises `EnrolmentError`."""
        self.facts.check_group(group, limits)
        loosened = self.facts.loosened_by_group(group, limits)
        record = ("limits", {"group": group, "limits": dict(limits)})
        return [record, *self._hold_all(loosened)]

    def key_for(self, agent: str) -> bytes:
        """What the gate of `agent` gets at enrolment."""
        return gate_key(self._secret, agent)

    def press(self, press: Press) -> list[Record]:
        """Stops at once, in memory; a repeat on one that stands is counted instead."""
        for other in self.facts.presses.standing(self.facts.roster):
            if other.id == press.id:
                return []
            if (other.scope, other.who, other.kind) == (press.scope, press.who, press.kind) and (
                other.category <= press.category
            ):
                count = self.facts.presses.repeat(other.id, self.replica)
                return [("repeat", {"count": count, "press": other.id, "replica": self.replica})]
        self.facts.pressed(press)
        return [("press", press.to_json())]

    def merge(self, state: Presses) -> list[Record]:
        """Takes in another replica's presses and clearances."""
        records = self.facts.news(state)
        for heard in state.presses:
            self.facts.pressed(heard)
        self.facts.presses.merge(state)
        standing = self.facts.presses.standing(self.facts.roster)
        self.facts.hold_covered(press for press in standing if press.id in state.repeats)
        return records

    def draft(self, ids: Iterable[str] | None = None) -> Clearance:
        """The text to sign, as `Signing.draft` gives it. Raises `ResetError`."""
        return self._signing.draft(ids, self.head())

    def clear(self, clearance: Clearance) -> list[Record]:
        """Adds signatures, as `Signing.clear` does; the record once there are enough of them.

        Raises `ResetError`.
        """
        return self._signing.clear(clearance)

    def start(self, agent: str, who: str) -> list[Record]:
        """One named person lets a cleared agent run again. Raises `ResetError`."""
        known = self.facts.agents.get(agent)
        if known is None:
            raise ResetError(f"no agent {agent!r} is enrolled here.")
        if self.locked:
            raise ResetError("the server is locked: its ledger is not verified, or was changed.")
        if standing := self.facts.standing(agent):
            stand = "1 press stands" if len(standing) == 1 else f"{len(standing)} presses stand"
            raise ResetError(f"{agent}: {stand}; reset comes before start.")
        if known.started:
            why = self.why(agent)
            raise ResetError(f"{agent} is started already{f', and waits: {why}' if why else ''}.")
        if why := self.drills.why_not(known):
            raise ResetError(why)
        now = self._clock()
        if now - self._starting.get(agent, float("-inf")) < START_WITHIN:
            raise ResetError(f"{agent} is being started; see `freezetag status` shortly.")
        if any(life.alive(now) for life in self._lives.of(agent)):
            raise ResetError(f"{agent}: an earlier lease may still be in force; try again shortly.")
        self._starting[agent] = now
        return [("start", {"agent": agent, "epoch": known.epoch + 1, "who": who})]

    # Gates.

    def on_frame(self, text: str | bytes) -> tuple[str | None, list[Record]]:
        """(answer, records). Send the answer only when the records are durable and applied.

        A frame that is not authentic raises `FrameError`; answer it with nothing.
        """
        message = unseal(text, lambda gate, b: incarnation_key(self.key_for(gate), b))
        if message["kind"] not in ("renew", "ack"):
            raise FrameError(f"{message['kind']} does not come from a gate")
        gate, b = message["gate"], message["b"]
        if gate not in self.facts.agents:
            return (self._refuse(message, "unknown") if "n" in message else None), []
        if message["kind"] == "ack":
            return None, self._acked(gate, b, message)
        if self._lives.is_over(gate, b):
            return self._refuse(message, "waiting"), []
        records = self._acked(gate, b, message["ack"]) if message["ack"] else []
        records += self._told(gate, message["presses"])
        life = self._lives.get(gate, b)
        if (body := self._lives.doubled(life, message["n"], code_of(text))) is not None:
            return self._cloned(message, life, {**body, "gate": gate}, records), records
        newer = message["n"] > life.n
        silence = self._lives.silence(gate)
        if newer:  # a frame that is played again says nothing of now
            life.heard, life.n = self._clock(), message["n"]
            life.in_flight, life.last = message["in_flight"], message["last"]
            life.tells(message["spent"])
        copied = newer and self._outlived(gate, life, message, records)
        reason = self._why_not(gate, life, message, silence, newer, records)
        if newer:
            self._reasons.answered(gate, reason)
        if reason:
            answer = self._refuse(message, "clone" if copied and reason == "held" else reason)
        else:
            answer = self._grant(gate, life, message, records)
        if newer and not any(kind == "open" for kind, _ in records):
            records += self._anchor(gate, life, message)
        return answer, records

    def _cloned(
        self,
        message: Mapping[str, Any],
        life: Incarnation,
        body: dict[str, Any],
        records: list[Record],
    ) -> str:
        """Refuses an incarnation for which two processes speak: whichever acknowledges, the other
        may act on, so that its lease is waited out, and what became of it is not known."""
        agent = self.facts.agents[message["gate"]]
        records.append(("ack", body))
        if agent.started:
            self._hold(agent, f"{life.b}: {DOUBLED}: a cloned gate", records)
        return self._refuse(message, "clone")

    def longest(self) -> float:
        """Seconds: the longest lease that may be outstanding; the bound to show is of this one."""
        return self._lives.longest(self.length)

    def stop_frames(self) -> list[tuple[str, str, str]]:
        """(gate, b, frame) for every incarnation that a standing press stops and has not acked."""
        frames, now = [], self._clock()
        stopped: dict[str, tuple[Press, ...]] = {}
        bars = self.facts.bars
        states: dict[tuple[Press, ...], Any] = {}  # a press of the fleet is the same for all
        for agent, life in self._lives:
            if agent not in stopped:
                stopped[agent] = (*self.facts.standing(agent), *bars)
            standing = stopped[agent]
            if not standing or (life.ack is not None and not life.alive(now)):
                continue
            if standing not in states:
                states[standing] = self.facts.presses.portion(standing)
            message = {"kind": "stop", "gate": agent, "b": life.b, "state": states[standing]}
            frames.append((agent, life.b, self._seal(agent, life.b, message)))
        return frames

    def shown(self, agent: str) -> list[Row]:
        """The states to show; an enrolled agent has always a row, heard or not."""
        known = self.facts.agents[agent]
        return rows(
            agent,
            self._lives.of(agent),
            self._clock(),
            pressed=bool(self.facts.standing(agent)),
            started=known.started,
            new=known.epoch == 0,
            drain=self._drain,
        )

    def why(self, agent: str) -> str:
        """Why it does not run, in a clause; "" if it does, or where its presses say so."""
        pressed = bool(self.facts.standing(agent))
        return self._reasons.of(self.facts.agents[agent], self._lives.of(agent), pressed=pressed)

    def banner(self) -> Shown:
        """The worst state of all enrolled agents."""
        return worst(row.shown for agent in self.facts.agents for row in self.shown(agent))

    # How it decides.

    def _why_not(
        self,
        gate: str,
        life: Incarnation,
        message: Mapping[str, Any],
        silence: float,
        newer: bool,
        records: list[Record],
    ) -> str:
        """Why this renewal is refused; "" if it is granted. May add records."""
        agent, now = self.facts.agents[gate], self._clock()
        if self.facts.standing(gate) or any(not is_bar(p.scope) for p in message["presses"]):
            return "pressed"
        if self.facts.bars and CAPABILITY not in message.get("knows", ()):
            return "pressed"  # an older gate, which would not know what to refuse
        if self.locked:
            return "locked"
        if not agent.started:
            return "held"
        if life.ack is not None or message["phase"] not in ("waiting", "open") or not newer:
            return "waiting"
        lives = self._lives.of(gate)
        if any(later.leased for later in lives[lives.index(life) + 1 :]):
            # Two lives under one identity, and the older one is not dead.
            self._hold(agent, "two incarnations alive: a cloned gate", records)
            return "clone"
        if any(other.alive(now) for other in lives if other is not life):
            return "waiting"
        if not life.leased and any(other.leased for other in lives if other is not life):
            if not silence < self._rearm_within:
                self._hold(agent, f"silent for {silence:.0f} s", records)
                return "held"
            self.spurious += 1
        if not life.leased and self._lives.crowded(gate):
            self._hold(agent, f"{PER_HOUR} incarnations within an hour", records)
            return "held"
        limits = self.facts.limits(gate)
        reading = self._readings.of(agent, limits)
        if len(limits) > UNKNOWN:
            return "limit"  # an older ledger may have taken in more than a panel holds
        panel = Panel(tuple(limit.interlock for limit in limits))
        mode = panel.latch(GO, reading)
        if mode == GO:
            return ""
        trips = panel.causes(mode)
        self._reasons.lacks(gate, [trip.sensor for trip in trips if trip.kind != "exceeded"])
        for trip in trips:
            if trip.kind == "exceeded":
                most = next(limit.value for limit in limits if limit.name == trip.sensor)
                text = f"{trip.sensor} {reading[trip.sensor]:g} of {most:g}"
                records += self._interlock(agent, trip.sensor, text)
        return "limit"

    def _grant(
        self, gate: str, life: Incarnation, message: Mapping[str, Any], records: list[Record]
    ) -> str:
        agent, now = self.facts.agents[gate], self._clock()
        size, handover = self.past(message["size"], message["root"])
        try:
            note, proof = self.checkpoint(size)
        except RollbackError as error:
            self.locked = True
            self._alarm(f"{gate}: {error}")
            return self._refuse(message, "locked")
        runtime = self._readings.runtime(agent)
        length = min(self.length, agent.limits.get("runtime", float("inf")) - runtime)
        allowed = allowance(self.facts.limits(gate), self._lives.of, life)
        if not life.leased:
            self._lives.begun(gate)
        life.until = max(life.until, now + settle(length))
        if self.length > life.length:  # the first lease, or the first that is longer
            opened = {"agent": gate, "b": life.b, "epoch": agent.epoch, "length": self.length}
            opened |= {"allowed": finite(life.allowed), "spent": finite(life.spent)}
            records.append(("open", opened))
        # Told with every lease, so that none outlives a bar that its gate has not heard of.
        known = {press for press in self.facts.presses.presses if is_bar(press.scope)}
        asked = {press.id for press in message["presses"]}
        told = {press for press in known if press.id in asked}.union(self.facts.bars)
        more: dict[str, Any] = {}
        if told:
            more["state"] = self.facts.presses.portion(told, turn=message["n"])
        if handover is not None:
            more["handover"] = handover.to_json()
        return self._seal(
            gate,
            life.b,
            {
                **more,
                "kind": "grant",
                "gate": gate,
                "b": life.b,
                "n": message["n"],
                "length": length,
                "epoch": agent.epoch,
                "runtime": runtime,
                "scope": ["fleet", *sorted(f"group:{g}" for g in agent.groups)],
                "slice": allowed,
                "checkpoint": note,
                "proof": proof,
            },
        )

    def _refuse(self, message: Mapping[str, Any], reason: str) -> str:
        gate, b = message["gate"], message["b"]
        ids = {press.id for press in message["presses"]}
        heard = {press for press in self.facts.presses.presses if press.id in ids}
        # What the gate asks about comes first: it may have been cleared.
        standing = (*self.facts.standing(gate), *self.facts.bars)
        state = self.facts.presses.portion(heard or standing, turn=message["n"])
        refusal = {"kind": "refuse", "gate": gate, "b": b, "n": message["n"]}
        return self._seal(gate, b, {**refusal, "reason": reason, "state": state})

    def _outlived(
        self, gate: str, life: Incarnation, message: Mapping[str, Any], records: list[Record]
    ) -> bool:
        """Whether a life goes on that, by its own word or a later life's, is over.

        Its own word may have overtaken a renewal on the way: that is no sign of a copy.
        """
        body = self._lives.outlived(life, message, self.length)
        if body is None:
            return False
        records.append(("ack", body))
        agent, why = self.facts.agents[gate], f"{life.b} {OUTLIVED}: a cloned gate"
        if agent.started:
            self._hold(agent, why, records)
        else:
            self._alarm(f"{gate}: {why}")
        return True

    def _acked(self, gate: str, b: str, ack: Mapping[str, Any]) -> list[Record]:
        body = {key: ack[key] for key in ("acked", "category", "cause", "last", "policy")}
        body |= {"gate": gate, "presses": ack["presses"], "unknown": ack["unknown"]}
        body["own"] = ack["acked"] == b
        known = self.facts.incarnations.get(gate, {}).get(ack["acked"])
        body = joined(self._lives.ack_of(gate, ack["acked"]), joined(known, body))
        if known == body:
            return []
        if not self._lives.counted(gate, ack["acked"]):
            if self._lives.crowded(gate):
                return []  # of one that never held a lease, and one too many in this hour
            self._lives.begun(gate)
        if not self._lives.is_over(gate, ack["acked"]):
            life = self._lives.get(gate, ack["acked"])
            life.acknowledges(body, self._clock())
            life.asked = max(life.asked, ack.get("asked", 0))
        elif body["unknown"]:
            # Told only after somebody started the agent again, so no row would show it.
            self._alarm(f"{gate}: an earlier incarnation ended with {', '.join(body['unknown'])}")
        return [("ack", body)]

    def _anchor(self, gate: str, life: Incarnation, message: Mapping[str, Any]) -> list[Record]:
        """Now and then, where the gate's journal and meters stand: a restart goes on from it.

        At once where its slice grows, so that no more is ever granted than a record tells.
        """
        body = {key: message[key] for key in ("b", "gate", "head", "last", "spent")}
        body["allowed"], now = finite(life.allowed), self._clock()
        body |= self._readings.to_anchor(self.facts.agents[gate], life.anchor)
        grown = any(value > life.booked.get(name, 0.0) for name, value in life.allowed.items())
        idle = body == life.anchor or now - life.anchored < ANCHOR_EVERY
        if not life.leased or (idle and not grown):
            return []
        life.anchor, life.anchored = body, now
        return [("anchor", body)]

    def _told(self, gate: str, presses: Iterable[Press]) -> list[Record]:
        """Presses that a gate presents: its own, or ours that were pushed and then lost.

        Those of a wider scope are taken in for this gate alone, under their id, by which they can
        be cleared: a gate stops nobody else, and what stops it must be something people can see.
        Nobody can verify them, so that while `TOLD` stand for it no more are written down: it is
        refused all the same, and tells of the rest after the reset.
        """
        records: list[Record] = []
        known = self.facts.presses.presses
        room = TOLD - len(self.facts.standing(gate))
        for press in (each for each in presses if each not in known):
            if len(records) >= room:
                break
            same = (other.scope for other in known if other.id == press.id)
            if not any(gate in self.facts.covered(scope) for scope in same):
                narrow = replace(press, scope=f"agent:{gate}")
                self.facts.pressed(narrow)
                records.append(("press", narrow.to_json()))
        return records

    def _interlock(self, agent: Agent, sensor: str, reason: str) -> list[Record]:
        who = f"interlock:{sensor}"
        at = self._wall()
        press = Press(self._fresh(16), f"agent:{agent.name}", who, at, reason, 0, "interlock")
        return self.press(press)

    def _hold_all(self, loosened: Iterable[str]) -> list[Record]:
        records: list[Record] = []
        for agent in (self.facts.agents[name] for name in loosened):
            if agent.started:
                self._hold(agent, "its limits were raised; somebody has to start it", records)
        return records

    def _hold(self, agent: Agent, why: str, records: list[Record]) -> None:
        agent.started = False
        self._alarm(f"{agent.name}: {why}")
        records.append(("held", {"agent": agent.name, "why": why}))

    def _alarm(self, what: str) -> None:
        self.alarms.append(what)
        del self.alarms[:-100]

    def _seal(self, gate: str, b: str, message: Mapping[str, Any]) -> str:
        return seal(incarnation_key(self.key_for(gate), b), message)
