"""The gate in an agent's action path: admits an action, or refuses it. Sans-IO.

`admit` and `grant` are one expression, `panel.latch(mode, reading) == 0`. Time comes in as a
function, frames as text, effects go out as `Order`s; a host moves them (design/0005-live.md).

    waiting --leases of all authorities--> open --any trip--> stopping --drained--> stopped

Every stop ends the incarnation `b`: a stopped one never admits again, so that no late, repeated or
reordered frame can revive it. `reopen` makes a new one, which has to ask for leases of its own.

Caveat: an action that was admitted may take effect later, however the gate stands; a gate inside
the agent's process binds no unwilling agent (tier 0).
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, final

from freezetag.core.errors import UserError
from freezetag.core.gate import Refused
from freezetag.core.interlock import GO, NO_PANEL, Panel
from freezetag.core.journal import Journal
from freezetag.core.scopes import bars, is_bar
from freezetag.live.gate.clock import Clock
from freezetag.live.gate.drain import Drain, Order
from freezetag.live.gate.enrolment import (
    WHY,
    Enrolment,
    Link,
    complete,
    describe,
    lacks_time,
    needs_runtime,
)
from freezetag.live.gate.fork import close_in_children
from freezetag.live.gate.latch import Latch, LatchError, Memory, MemoryLatch
from freezetag.live.gate.meters import Meters
from freezetag.live.gate.timekeeper import Timekeeper
from freezetag.live.signed.frames import DOWN, FrameError, unseal
from freezetag.live.signed.presses import Press

if TYPE_CHECKING:
    from freezetag.live.gate.decorator import Action

WAITING, OPEN, STOPPING, STOPPED = "waiting", "open", "stopping", "stopped"
CRASHED = "ended without closing: what it had in flight is not known"


def _nothing() -> None:
    """Cancels an action that its host has not begun yet."""


@final
class Gate:
    """One agent's gate. Thread-safe; every method returns at once.

    `panel` holds the agent's limits; the button and one watchdog per enrolment are added. `meters`
    maps sensors to functions, or to None for what is counted by `spend`. `strict` admits only what
    surely ends within the lease, which holds only if the host kills at `max_seconds`. `kills` says
    that the host obeys `kill`; without it a gate waits for what runs. Raises `UserError` for a
    gate on a live clock that no authority leases.
    """

    def __init__(
        self,
        panel: Panel | None,
        *,
        clock: Clock,
        enrolments: Sequence[Enrolment],
        name: str = "agent",
        wall: Callable[[], float] | None = None,
        max_jump: float = 0.5,
        strict: bool = False,
        category: int = 0,
        drain: float = 5.0,
        kills: bool = False,
        stop_policy: bool = False,
        meters: Mapping[str, Callable[[], float] | None] | None = None,
        latch: Latch | None = None,
        journal: Journal | None = None,
        poke: Callable[[], None] | None = None,
        fresh: Callable[[int], str] = secrets.token_hex,
    ) -> None:
        if not enrolments and not getattr(clock, "simulated", False):
            raise UserError(
                f"gate {name!r}: a gate on a live clock needs an authority that leases it. "
                "Give enrolments=[Enrolment.load(FILE)]; only a simulated clock runs without."
            )
        self.name = name
        self.phase = WAITING
        self.mode = GO if panel is not None else NO_PANEL
        self.cause = ""
        self.last = 0
        self.dropped = 0
        self.about_host: dict[str, Any] = {}  # for the journal, as its tier
        self.b = ""
        self._time = Timekeeper(clock, wall, max_jump)
        self._strict, self._category = strict, category
        self._memory = Memory(latch or MemoryLatch(), journal)
        self._poke, self._fresh = poke, fresh
        self._lock = threading.RLock()
        self._orders: deque[Order] = deque()
        self._new_drain = partial(
            Drain, self._order, kills=kills, policy=stop_policy, seconds=drain
        )
        self._links = {item.authority: Link(item, name) for item in enrolments}
        # The first authority is the owner: what the gate itself reports goes to its people.
        self._home = next(iter(self._links.values()), None) or Link(Enrolment("", b"", None), name)
        self._remembered = self._links or {"": self._home}
        self._meters, self._is_metered = Meters(meters or {}), bool(meters)
        self._panel = complete(panel, enrolments, seconds="runtime" not in self._meters)
        self._slices: list[Mapping[str, float]] = []
        self._ages = [(link.enrolment.sensor, link) for link in self._links.values()]
        self._reads_runtime = needs_runtime(self._panel, self._links, meters or ())
        self._reading: dict[str, Any] = {}
        self._ack: dict[str, Any] | None = None
        self._entered: set[str] = set()
        self._pressed = self._button = self._ended = False
        self._bars: tuple[Press, ...] = ()
        self._recall()
        self._begin_incarnation()
        close_in_children(self)

    # What the agent's side asks.

    @property
    def is_open(self) -> bool:
        with self._lock:
            self._judge()
            return self.phase == OPEN

    @property
    def alarms(self) -> list[str]:
        """What could not be written or believed, newest last."""
        return self._memory.alarms

    @property
    def in_flight(self) -> int:
        return len(self._drain.in_flight)

    @property
    def presses(self) -> tuple[Press, ...]:
        """The presses that stop this gate or bar a tool of it, of all authorities."""
        with self._lock:
            heard = tuple(p for link in self._remembered.values() for p in link.standing())
            return heard + self._memory.left_out

    @property
    def answers(self) -> dict[str, str]:
        """What each authority said last to this incarnation: "" for a lease, else why there is
        none. Who has not answered yet is not in it."""
        with self._lock:
            said = {name: link.answer for name, link in self._links.items()}
            return {name: answer for name, answer in said.items() if answer is not None}

    def check(self) -> None:
        """Raises `Refused` unless an action would be admitted now."""
        with self._lock:
            self._judge()
            self._require_open("this step")

    def begin(
        self,
        action: str,
        max_seconds: float | None = None,
        cancel: Callable[[], None] | None = None,
        detail: Any = None,
    ) -> int:
        """Admits `action` and gives its number, or raises `Refused`. Pair it with `end`.

        `cancel` is called, from any thread, when a stop wants the action to end; `detail` goes into
        the journal.
        """
        with self._lock:
            now = self._judge()
            keeps = self._memory.keeps
            decided = self._memory.decided(action, self.mode, self._reading, now) if keeps else {}
            try:
                self._require(action, max_seconds, now)
            except Refused as refused:
                self._refused += 1
                self._memory.refused(decided, refused.reason, self._refused)
                raise
            number = self.last + 1
            if keeps and not self._memory.write("begin", **decided, n=number, detail=detail):
                raise Refused(action, "the journal cannot be written")
            self.last = number
            if keeps:  # a disk may have taken longer for it than the lease lasts
                self._drain.in_flight[number] = (action, _nothing)
                try:
                    self._require(action, max_seconds, self._judge())
                except Refused:
                    self.end(number, "failed")
                    raise
            self._drain.in_flight[number] = (action, cancel)
            return number

    def end(self, number: int, outcome: str = "done") -> None:
        """The action is over: `done`, `failed`, or `unknown` if its effect may still come."""
        with self._lock:
            ended = self._drain.ended(number, outcome)
            if not ended or (self.phase == OPEN and not self._memory.keeps):
                return  # nothing waits for it
            now = self._time.now()
            if self._memory.keeps:
                self._memory.write("end", n=number, outcome=outcome, t=now)
            self._advance(now)

    def action(self, name: str, max_seconds: float | None = None) -> Action:
        """`with gate.action("pay"):` or `async with`; see `freezetag.live.gate.decorator`."""
        from freezetag.live.gate.decorator import Action

        return Action(self, name, max_seconds)

    def spend(self, sensor: str, amount: float) -> None:
        """Counts `amount` on a meter whose entry in `meters` is None, for the owner's epoch.

        What is not a number, or negative, stops.
        """
        with self._lock:
            self._meters.spend(sensor, amount)

    # What the host does.

    def ask(self) -> None:
        """Queues a renewal to every authority. Its lease will be counted from this moment."""
        with self._lock:
            now = self._judge()
            fields = {"phase": self.phase, "in_flight": self.in_flight, "last": self.last}
            told = {"spent": self._meters.known(), "head": self._memory.head, "ack": self._ack}
            for link in self._links.values():
                frame = link.ask(self.name, now, {**fields, **told})
                self._order(Order("send", link.enrolment.authority, frame))

    def receive(self, authority: str, text: str | bytes) -> bool:
        """Takes a frame in. Never raises: what is not authentic, readable and ours is dropped."""
        with self._lock:
            link = self._links.get(authority)
            try:
                if link is None:
                    raise FrameError(f"no enrolment at {authority!r:.60}")
                message = unseal(text, lambda gate, b: self._key(link, gate, b))
                if message["kind"] not in DOWN:
                    raise FrameError(f"{message['kind']} is a gate's own kind of frame")
            except FrameError:
                self.dropped += 1
                return False
            now = self._judge()
            if message["kind"] == "grant":
                return self._granted(link, message, now)
            if message["kind"] == "refuse":
                link.answer = message["reason"]
            self._heard(link, message["state"], now)
            return True

    def tick(self) -> None:
        """Notices what comes without a message: expiry, a clock that jumps, the end of a drain."""
        with self._lock:
            now = self._judge()
            if self._time.jumped(now):
                self._stop("clock", now, self._category)
            self._advance(now)

    def take(self) -> list[Order]:
        """What is to be done now, in order; each order is given once.

        Needs no lock, so that a latch or journal on a disk that hangs cannot hold up a kill.
        """
        orders = []
        with contextlib.suppress(IndexError):
            while True:
                orders.append(self._orders.popleft())
        return orders

    def press(self, reason: str, who: str = "local", category: int | None = None) -> Press:
        """A stop from beside the gate (STOP file, hardware button); only a clearance ends it."""
        with self._lock:
            press = self._own_press(reason, who, category, "press")
            self._stop("press", self._time.now(), self._demand())
            self._save()
            return press

    def left(self, deadline: float) -> float:
        """Seconds until an order's deadline, which is on the gate's clock."""
        return deadline - self._time.now()

    def killed(self) -> None:
        """The order `kill` is done: nothing of the agent runs or reaches out any more."""
        with self._lock:
            self._drain.killed()
            self._advance(self._time.now())

    def policy_done(self, steps: Sequence[str] = ()) -> None:
        """The prepared stop policy has run; `steps` are what it did."""
        with self._lock:
            self._drain.policy_done(steps)
            self._advance(self._time.now())

    def reopen(self) -> bool:
        """After a stop: a fresh incarnation that has to ask for leases. False if not stopped."""
        with self._lock:
            if self.phase != STOPPED or self._ended:
                return False
            self._begin_incarnation()
            return True

    def close(self) -> None:
        """The orderly end of the host: no further incarnation; clean once nothing is in flight."""
        with self._lock:
            self._ended = True
            self._stop("closed", self._time.now(), 2)

    # How it decides. All below is called under the lock.

    def _begin_incarnation(self) -> None:
        self.b = self._fresh(16)
        self.phase, self.cause = WAITING, ""
        self.mode = GO if self._panel is not None else NO_PANEL
        self._drain = self._new_drain()
        self._meters.reset()
        self._slices.clear()
        self._refused = 0
        for link in self._links.values():
            link.reset(self.b)
        self._entered.clear()
        self._count_presses()
        self._time.restart()
        if not self._links:
            self._open()

    def _passed(self) -> float:
        """The time, never less than before: a clock that runs backwards is a stop."""
        now = self._time.now()
        if self._time.went_back(now):
            self._stop("clock", now, self._category)
        return now

    def _judge(self) -> float:
        """Reads clock and meters, latches, stops on any trip; gives the time."""
        now = self._passed()
        if self.phase == WAITING or self._panel is None:
            return now
        reading = self._reading
        reading["button"] = 0.0
        if self._is_metered:
            self._meters.read(reading)
            now = self._passed()  # again: a meter may have taken longer than the lease lasts
        for sensor, link in self._ages:
            reading[sensor] = link.age(now)
        if self._reads_runtime:
            reading["runtime"] = max(link.runtime(now) for _, link in self._ages)
        if self._button:
            reading["button"] = 1.0
        try:
            mode = self._panel.latch(self.mode, reading)
        except Exception:  # an interlock of the user's own that fails is no reason to go on
            mode = self.mode | NO_PANEL
        self.mode = mode
        if mode != GO and self.phase == OPEN:
            self._tripped(now)
        return now

    def _tripped(self, now: float) -> None:
        assert self._panel is not None
        cause = "unknown"
        for trip in self._panel.causes(self.mode):
            if trip.kind == "unknown":
                continue
            if trip.interlock == "Watchdog":
                cause = "expired" if cause == "unknown" else cause
            elif self._button and trip.sensor == "button":
                cause = "press"
            else:
                # A limit is entered as a press, so that there is one way back for all of them.
                reason = f"{trip.interlock} tripped"
                self._own_press(reason, f"interlock:{trip.sensor}", None, "interlock")
                cause = "limit" if cause != "press" else cause
        self._stop(cause, now, self._demand())
        if self._entered:
            self._save()

    def _require(self, action: str, max_seconds: float | None, now: float) -> None:
        self._require_open(action)
        for press in self._bars:
            if bars(press.scope, action):
                raise Refused(action, f"{press.scope} is barred by {press.told}")
        if self._strict and (why := lacks_time(self._links.values(), now, max_seconds)):
            raise Refused(action, why)

    def _require_open(self, action: str) -> None:
        if self.phase != OPEN:
            raise self._refusal(action)
        if self._slices and (spent := self._meters.overdrawn(self._slices)):
            raise Refused(action, spent)

    def _refusal(self, action: str) -> Refused:
        if self._panel is None:
            return Refused(action, "no panel: an agent without interlocks is not let through")
        trips = self._panel.causes(self.mode)
        if self._pressed:
            press = self._stopping()[0]
            return Refused(action, f"stopped by {press.told}", trips)
        if self.phase == WAITING:
            said = [f"{name}: {WHY[why]}" for name, why in self.answers.items() if why in WHY]
            told = "".join(f"; {each}" for each in said)
            return Refused(action, f"no lease of all authorities yet{told}", trips)
        return Refused(action, f"the gate is {self.phase} ({self.cause})", trips)

    def _key(self, link: Link, gate: str, b: str) -> bytes | None:
        return link.key if gate == self.name and b == self.b else None

    def _granted(self, link: Link, message: Mapping[str, Any], now: float) -> bool:
        if self.phase not in (WAITING, OPEN) or self._pressed or not link.granted(message):
            self.dropped += 1
            if link.alarm:
                self._memory.alarm(link.alarm)
                link.alarm = ""
            return False
        if "state" in message:
            self._heard(link, message["state"], now)
        if self._pressed:
            return False
        self._meters.in_epoch(self._home.epoch)
        self._slices = [other.allowance for other in self._links.values() if other.allowance]
        if self.phase == WAITING and all(other.expiry > now for other in self._links.values()):
            self._open()
        return True

    def _open(self) -> None:
        if self._panel is None or self._pressed:
            return
        if not self._save(dirty=True):
            return  # without a mark, a crash could come back as "nothing was in flight"
        self.phase = OPEN
        told = {"b": self.b, "gate": self.name, "t": self._time.latest, **self.about_host}
        told |= {"at": self._time.unix_milliseconds()}
        epochs = {name: link.epoch for name, link in self._links.items()}
        self._memory.write("open", **told, panel=describe(self._panel), epochs=epochs)
        self._judge()

    def _heard(self, link: Link, state: Any, now: float) -> None:
        before = set(link.standing())
        changed = link.presses.merge(state)
        self._count_presses()
        standing = {press for press in link.standing() if not is_bar(press.scope)}
        # A gate that waits, and knew all this, has nothing to stop; each renewal tells it again.
        if standing and (self.phase != WAITING or standing - before):
            link.bar()
            self._stop("press", now, self._demand())
        if changed:
            self._save()
            self._cancel_barred()

    def _cancel_barred(self) -> None:
        """Of tools that are barred now: what runs is asked to end, and may still take effect."""
        for number, (action, cancel) in list(self._drain.in_flight.items()):
            if any(bars(press.scope, action) for press in self._bars):
                try:
                    if cancel is not None:
                        cancel()
                        continue
                except Exception:  # as at a stop: then the host is asked
                    pass
                self._order(Order("cancel", n=number))

    def _stopping(self) -> list[Press]:
        return [press for press in self.presses if not is_bar(press.scope)]

    def _count_presses(self) -> None:
        """A trip that was entered as a press has its own bit, so it is not the button as well."""
        standing = self._stopping()
        self._bars = tuple(press for press in self.presses if is_bar(press.scope))
        self._pressed = bool(standing)
        self._button = any(press.id not in self._entered for press in standing)

    def _own_press(self, reason: str, who: str, category: int | None, kind: str) -> Press:
        category = self._category if category is None else category
        when = self._time.unix_milliseconds()
        press = Press(self._fresh(16), f"agent:{self.name}", who, when, reason, category, kind)
        self._home.presses.add(press)
        self._home.bar()
        if kind == "interlock":
            self._entered.add(press.id)
        self._count_presses()
        return press

    def _demand(self) -> int:
        """The higher demand wins: 0 (kill) over 1 (policy, then kill) over 2 (hold)."""
        return min((press.category for press in self._stopping()), default=self._category)

    def _stop(self, cause: str, now: float, category: int) -> None:
        """Closes at once; a second stop can only make the first one harder."""
        if self.phase in (STOPPING, STOPPED):
            if self._drain.harden(category):
                self.phase = STOPPING
        else:
            self.phase, self.cause = STOPPING, cause
            seen = {"mode": self.mode, "reading": {**self._reading}, "t": now, "last": self.last}
            seen |= {"category": category, "refused": self._refused}
            seen |= {"at": self._time.unix_milliseconds()}
            self._memory.write("stop", cause=cause, **seen)
            self._drain.start(category, now, gently=cause == "closed")
        self._advance(now)

    def _advance(self, now: float) -> None:
        if self.phase != STOPPING or not self._drain.advance(now):
            return
        self.phase = STOPPED
        presses = [press.id for press in self._stopping()]
        self._ack = {"acked": self.b, "presses": presses, "last": self.last, "cause": self.cause}
        self._ack |= self._drain.outcome()
        self._memory.write("ack", **self._ack, t=now, at=self._time.unix_milliseconds())
        self._save()
        for link in self._links.values():
            ack = {"kind": "ack", "gate": self.name, "b": self.b, **link.counted(self._ack)}
            self._order(Order("send", link.enrolment.authority, link.seal(ack)))

    def _order(self, order: Order) -> None:
        self._orders.append(order)
        if self._poke is not None:
            with contextlib.suppress(Exception):
                self._poke()

    def _save(self, dirty: bool = False) -> bool:
        running = dirty or self.phase in (OPEN, STOPPING)
        return self._memory.save(self.name, self.b if running else None, self._remembered)

    def _recall(self) -> None:
        """Takes up the latch; one that cannot be read keeps the gate shut until people clear it."""
        try:
            crashed = self._memory.recall(self._remembered)
        except LatchError as error:
            self._memory.alarm(str(error))
            self._own_press(f"latch unreadable: {error!s:.500}", "gate", None, "interlock")
            return
        if crashed is not None:
            self._ack = {"acked": crashed, "presses": [], "last": 0, "cause": "crashed"}
            self._ack |= {"category": self._category, "policy": [], "unknown": [CRASHED]}

    def forked(self) -> None:
        """Closes this copy for good: called in a forked child, which must not act through it."""
        self._lock = threading.RLock()  # another thread may have held it
        self._ended, self.phase, self.cause = True, STOPPED, "forked"
        self._poke, self._orders, self._memory = None, deque(), Memory(MemoryLatch(), None)
