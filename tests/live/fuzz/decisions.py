"""Fuzzed input to what decides: frames, certificates, tokens, latches.

Each target's function takes one input and gives what went wrong, or "".
"""

from __future__ import annotations

import json
import random
from typing import Any

from tests.live.fuzz.mutate import fields_changed, junk, varied
from tests.live.worlds import PEOPLE, authority, enrolled, gate_of, press, signed, store

from freezetag.core.errors import UserError
from freezetag.core.gate import Refused
from freezetag.live.authority.tokens import TokenBook, issue
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.latch import MemoryLatch
from freezetag.live.signed.frames import FrameError, incarnation_key, seal, unseal
from freezetag.live.signed.presses import Clearance, Presses


class Frames:
    """Frames at a gate that waits, one that is pressed, and an authority that is pressed."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, clock = dice, SteppedClock()
        self.authority = authority(clock)
        held = enrolled(self.authority)
        self.waiting = gate_of(clock, held)
        self.pressed = gate_of(clock, held, fresh=lambda size: "ab" * size)
        self.waiting.ask()
        (renewal,) = self.waiting.take()
        grant, records = self.authority.on_frame(renewal.text)
        store(self.authority, records)
        # The stop makes a gate's seeds of all kinds; what is fuzzed has never had a lease.
        self.pressed.press("by hand")
        self.pressed.ask()
        told = [order.text for order in self.pressed.take() if order.kind == "send"]
        store(self.authority, self.authority.press(press(7)))
        refuse, _ = self.authority.on_frame(told[-1])
        stops = [text for _, _, text in self.authority.stop_frames()]
        self.seeds = [t.encode() for t in (renewal.text, grant, refuse, *told, *stops) if t]
        self.standing = len(self.authority.facts.standing("agent"))

    def changed(self) -> bytes:
        """By one who has the key, in two of five; a grant as it was is not sent."""
        seed = self.dice.choice(self.seeds)
        if self.dice.random() < 0.6:
            return varied(self.dice, self.seeds)
        message = fields_changed(self.dice, json.loads(seed[65:]))
        gate = self.dice.choice((self.waiting, self.pressed))
        key = incarnation_key(self.authority.key_for("agent"), gate.b)
        try:
            if isinstance(message, dict) and message.get("kind") != "grant":
                message["b"] = gate.b if self.dice.random() < 0.8 else message.get("b")
            return seal(key, message).encode()
        except (ValueError, TypeError, UnicodeEncodeError):
            return junk(self.dice)

    def at_gate(self) -> str:
        frame = self.changed()
        own = self._authentic_grant(frame)
        for gate in (self.pressed,) if own else (self.pressed, self.waiting):
            gate.receive("own", frame)
            gate.take()
            gate.tick()
            try:
                gate.begin("fuzz")
            except Refused:
                continue
            return f"a gate opened at {frame!r}"
        return ""

    def _authentic_grant(self, frame: bytes) -> bool:
        """Whether it is a grant under the waiting gate's own key, which may well open it."""
        key = incarnation_key(self.authority.key_for("agent"), self.waiting.b)
        try:
            return unseal(frame, lambda gate, b: key)["kind"] == "grant"
        except FrameError:
            return False

    def at_authority(self) -> str:
        frame = self.changed()
        try:
            answer, records = self.authority.on_frame(frame)
        except FrameError:
            return ""
        for kind, body in records:
            self.authority.apply(kind, body)
            if kind in ("start", "clear", "open", "enrol"):
                return f"{kind} came of {frame!r}"
        if answer is not None and '"kind":"grant"' in answer:
            return f"granted under a press: {frame!r}"
        if len(self.authority.facts.standing("agent")) < self.standing:
            return f"a press was lost by {frame!r}"
        return ""


class Certificates:
    """Clearances signed by one, or by two and then changed, and states that hold them."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.authority = authority(SteppedClock())
        enrolled(self.authority)
        store(self.authority, self.authority.press(press(1)))
        once = signed(self.authority.draft(), "ann")
        elsewhere = Clearance(once.text.replace("own", "oth")).signed(*PEOPLE["ann"])
        two = elsewhere.signed(*PEOPLE["bob"])
        state = Presses([press(1)], [once, two]).to_json()
        objects = [once.to_json(), two.to_json(), state, signed(once, "eve").to_json()]
        self.seeds = [json.dumps(each).encode() for each in objects]

    def one(self) -> str:
        data = varied(self.dice, self.seeds)
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return ""
        facts = self.authority.facts
        for read, take in ((Clearance.from_json, self._clear), (Presses.from_json, self._merge)):
            try:
                take(read(value))
            except UserError:
                continue
        if not facts.standing("agent") or facts.agents["agent"].started:
            return f"cleared by {data!r}"
        return ""

    def _clear(self, clearance: Clearance) -> None:
        # One true signature is given; a second by bob would be right, and is not among the seeds.
        store(self.authority, self.authority.clear(clearance))
        self.authority.facts.presses.clear(clearance)

    def _merge(self, state: Presses) -> None:
        self.authority.facts.presses.merge(state)
        if len(self.authority.facts.presses.presses) > 200:
            self.authority.facts.presses = Presses([press(1)])


class Tokens:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        made = [issue(right, "fleet", "x") for right in ("press", "start", "admin")]
        self.texts = [text.encode() for text, _ in made]
        self.book = TokenBook(token for _, token in made)

    def one(self) -> str:
        data = varied(self.dice, self.texts)
        right = self.dice.choice(("press", "start", "admin", "status", ""))
        text: Any = data if self.dice.random() < 0.05 else data.decode("utf-8", "surrogateescape")
        found = self.book.check(text, right, self.dice.choice((None, "fleet", "agent:a")))
        if found and not (data in self.texts and found.right == right):
            return f"{data!r} is a token for {right}"
        return ""


class Latches:
    """What a gate reads at its start: a changed latch keeps it as shut as none at all."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, clock = dice, SteppedClock()
        self.held, self.clock = enrolled(authority(clock)), clock
        latch = MemoryLatch()
        gate_of(clock, self.held, latch=latch).press("by hand")
        self.seeds = [str(latch.text).encode()]

    def one(self) -> str:
        latch = MemoryLatch()
        latch.text = varied(self.dice, self.seeds).decode("utf-8", "replace")
        try:
            json.loads(latch.text)
        except (ValueError, RecursionError):
            return ""  # LatchFile's own part, tested with it
        gate = gate_of(self.clock, self.held, latch=latch)
        gate.tick()
        return f"opened by the latch {latch.text!r}" if gate.is_open else ""
