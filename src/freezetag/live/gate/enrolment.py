"""One authority as a gate sees it: what was agreed at enrolment, and the lease it granted last.

Expiry is counted on the gate's own clock from the moment a renewal was *sent*, never from receipt,
and only for renewals of the present incarnation. Source: Gray & Cheriton, "Leases" (1989). What is
claimed, and under which assumptions, is in `freezetag.live.signed.frames`.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import secrets
from collections.abc import Container, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, final

from freezetag.core.errors import UserError
from freezetag.core.interlock import Panel, StopButton, Watchdog
from freezetag.core.scopes import CAPABILITY
from freezetag.live.signed.frames import incarnation_key, seal
from freezetag.live.signed.handover import Handover, HandoverError, Head
from freezetag.live.signed.keys import Roster
from freezetag.live.signed.presses import Press, Presses

_NAN = float("nan")
WHY = {
    "clone": "another copy of this gate runs",
    "held": "it is held until somebody starts it",
    "limit": "a limit is reached, or one of its readings is missing",
    "locked": "the server is locked",
    "pressed": "a press stands",
    "unknown": "no agent of this name is enrolled",
    "waiting": "an earlier lease has to end first",
}
"""What a refusal's reason means."""


@final
@dataclass(frozen=True)
class Enrolment:
    """What a gate holds of one authority, all of it out of the agent's reach.

    `key` authenticates frames; `length` (seconds, or steps) is the longest lease the gate accepts;
    `roster` checks clearances; `public`, if given, must sign every checkpoint.
    """

    authority: str
    key: bytes
    roster: Roster | None
    length: float = 5.0
    public: bytes | None = None

    def __post_init__(self) -> None:
        if not 0 < self.length < float("inf"):
            raise UserError(f"enrolment at {self.authority}: length is {self.length!r} seconds")
        if self.roster is not None and self.roster.authority != self.authority:
            raise UserError(
                f"enrolment at {self.authority}: the roster is of {self.roster.authority}, whose "
                "people could then clear this authority's presses."
            )

    @property
    def sensor(self) -> str:
        return f"lease_age:{self.authority}"

    def save(self, path: str | Path) -> None:
        """Writes the file that `freezetag enrol` hands to a gate; readable by its owner only."""
        data = {
            "authority": self.authority,
            "key": base64.b64encode(self.key).decode(),
            "length": self.length,
            "public": None if self.public is None else base64.b64encode(self.public).decode(),
            "roster": None if self.roster is None else self.roster.to_json(),
        }
        file = Path(path)
        file.touch(mode=0o600)
        file.write_text(json.dumps(data, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Enrolment:
        """Raises `UserError` for a file that is missing or no enrolment."""
        try:
            data = json.loads(Path(path).read_bytes())
            roster, public = data["roster"], data["public"]
            return cls(
                str(data["authority"]),
                base64.b64decode(data["key"], validate=True),
                None if roster is None else Roster.from_json(roster),
                float(data["length"]),
                None if public is None else base64.b64decode(public, validate=True),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{path} is not an enrolment: {type(error).__name__}: {error}. "
                "Make one with `freezetag enrol`."
            ) from None


def enrolled_as(files: Sequence[Path]) -> str:
    """The one agent that all enrolment files are for. Raises `UserError` for several."""
    names = set()
    for file in files:
        try:
            names.add(str(json.loads(file.read_bytes())["gate"]))
        except OSError as error:
            raise UserError(f"cannot read the enrolment {file}: {error.strerror}.") from None
        except (ValueError, TypeError, KeyError):
            raise UserError(
                f"{file} is not an enrolment. A server writes one: "
                "freezetag enrol AGENT --out FILE."
            ) from None
    if len(names) > 1:
        raise UserError(f"these enrolments are of different agents: {', '.join(sorted(names))}.")
    return names.pop() if names else ""


class _Asked(NamedTuple):
    """A renewal under way: when it was sent, and the checkpoint it named."""

    at: float
    size: int
    root: str


@final
class Link:
    """The gate's state for one authority: presses heard, epochs barred, and the newest lease."""

    def __init__(self, enrolment: Enrolment, gate: str = "") -> None:
        self.enrolment = enrolment
        self.presses = Presses(me=f"agent:{gate}")
        self.barred = -1  # grants of this epoch or an older one are stale: a press ended it
        self.seen_size, self.seen_root, self.seen_note = 0, "", ""
        self.alarm = ""
        self.n = 0
        self.reset("")

    def reset(self, b: str) -> None:
        """A new incarnation: nothing asked, nothing granted."""
        self.b = b
        self.key = incarnation_key(self.enrolment.key, b)
        self._before, self.n = self.n, 0
        self.epoch: int | None = None
        self.expiry = -float("inf")
        self.allowance: Mapping[str, float] = {}
        self.answer: str | None = None  # "" for a lease, else why there is none
        self._newest = 0
        self._runtime, self._runtime_at = _NAN, _NAN
        self._asked: dict[int, _Asked] = {}

    def standing(self) -> tuple[Press, ...]:
        return self.presses.standing(self.enrolment.roster)

    def ask(self, gate: str, now: float, fields: Mapping[str, Any]) -> str:
        """A renewal as a frame; the lease that answers it is counted from `now`."""
        self.n += 1
        oldest = now - self.enrolment.length
        self._asked = {n: asked for n, asked in self._asked.items() if asked.at > oldest}
        self._asked[self.n] = _Asked(now, self.seen_size, self.seen_root)
        standing = self.standing()
        own = {
            "knows": [CAPABILITY],
            "n": self.n,
            "presses": Presses(standing).portion(standing, 20_000, self.n)["presses"],
            "root": self.seen_root,
            "salt": secrets.token_hex(8),  # so that two copies never say the same
            "size": self.seen_size,
        }
        if (ack := fields["ack"]) is not None:
            own["ack"] = self.counted(ack)
        return self.seal({"kind": "renew", "gate": gate, "b": self.b, **fields, **own})

    def counted(self, ack: Mapping[str, Any]) -> dict[str, Any]:
        """An acknowledgement with the number of the last renewal that its incarnation asked for."""
        return {**ack, "asked": self.n if ack["acked"] == self.b else self._before}

    def seal(self, message: Mapping[str, Any]) -> str:
        return seal(self.key, message)

    def granted(self, grant: Mapping[str, Any]) -> bool:
        """Takes a lease in; False if stale, foreign, of a barred epoch or of a rewritten past."""
        n, epoch = grant["n"], grant["epoch"]
        asked = self._asked.get(n)
        if asked is None or n <= self._newest:
            return False  # a repeat, or overtaken: it can add nothing
        if epoch <= self.barred or self.epoch not in (None, epoch):
            return False
        if not self._extends(grant["checkpoint"], grant["proof"], asked, grant.get("handover")):
            return False
        self._newest, self.epoch = n, epoch
        self.expiry = max(self.expiry, asked.at + min(grant["length"], self.enrolment.length))
        self.allowance = grant["slice"]
        self.answer = ""
        self._runtime, self._runtime_at = grant["runtime"], asked.at
        return True

    def age(self, now: float) -> float:
        """The watchdog's reading: reaches the enrolment's `length` when the lease ends."""
        return self.enrolment.length - (self.expiry - now)

    def runtime(self, now: float) -> float:
        """Seconds of the epoch, never less than the authority would count."""
        return self._runtime + (now - self._runtime_at)

    def bar(self) -> None:
        """No lease of this epoch opens the gate again."""
        self.barred = max(self.barred, -1 if self.epoch is None else self.epoch)

    def _extends(self, note: str, proof: list[str], asked: _Asked, handover: Any) -> bool:
        """Whether the checkpoint is signed and continues the one we named when we asked, or the one
        for which enough people gave up just that by a handover.

        While several renewals are under way, only an answer that continues the *newest* one we
        saw becomes the newest, so that no fork between two answers stays unseen.
        """
        public = self.enrolment.public
        if public is None:
            return True
        from freezetag.live.signed.merkle import LedgerError, check_consistency, open_note

        try:
            head = open_note(note, self.enrolment.authority, public)
            size, root = asked.size, asked.root
            if root and handover is not None:
                size, root = self._taken_up(handover, (size, root))
            if root and not check_consistency(
                size, bytes.fromhex(root), head.size, head.root, proof
            ):
                raise LedgerError(f"checkpoint {head.size} does not extend {size}")
        except (LedgerError, HandoverError) as error:
            self.alarm = str(error)
            return False
        if (asked.size, asked.root) == (self.seen_size, self.seen_root):
            self.seen_size, self.seen_root, self.seen_note = head.size, head.root.hex(), note
        return True

    def _taken_up(self, data: Any, seen: Head) -> Head:
        """The head that people took up in place of the one we saw. Raises `HandoverError`."""
        made = Handover.from_json(data)
        if seen not in made.old:
            raise HandoverError(f"a handover does not name the head over {seen[0]} that was seen")
        if not made.counts(self.enrolment.roster):
            raise HandoverError("a handover is not signed by enough people of the roster")
        return made.new

    def memory(self) -> dict[str, Any]:
        """What has to survive a restart."""
        return {
            "barred": self.barred,
            "note": self.seen_note,  # signed, so that others can hold the authority to it
            "seen": [self.seen_size, self.seen_root],
            "standing": sorted(press.id for press in self.standing()),
            "state": self.presses.to_json(),
        }

    def recall(self, data: Any) -> None:
        """Raises `StateError`, `KeyError`, `TypeError` or `ValueError` for what is no memory."""
        me, self.presses = self.presses.me, Presses.from_json(data["state"])
        self.presses.me = me
        self.barred = int(data["barred"])
        size, root = data["seen"]
        self.seen_size, self.seen_root = int(size), bytes.fromhex(root).hex()
        self.seen_note = str(data.get("note", ""))


def complete(
    panel: Panel | None, enrolments: Sequence[Enrolment], *, seconds: bool = True
) -> Panel | None:
    """The agent's panel with a button and one watchdog per authority; None stays None.

    `seconds`: the sensor "runtime" is what leases say, in seconds. Raises `UserError` for a limit
    in another unit, and where no clearance could be checked.
    """
    if enrolments and importlib.util.find_spec("cryptography") is None:
        raise UserError(
            "without the package cryptography a gate can check no clearance. "
            "Run: pip install cryptography"
        )
    if len({item.authority for item in enrolments}) < len(enrolments):
        raise UserError("the same authority is enrolled twice. Its two keys would be one voice.")
    if panel is None:
        return None
    own = panel.interlocks
    for item in own if enrolments and seconds else ():
        if item.sensor == "runtime" and item.unit != "seconds":
            raise UserError(
                f"{item} is in {item.unit}, and leases count runtime in seconds. "
                "Say RuntimeLimit(T, unit='seconds'), or give the gate a meter 'runtime'."
            )
    button = () if any(item.sensor == "button" for item in own) else (StopButton(),)
    dogs = (Watchdog(item.length, sensor=item.sensor) for item in enrolments)
    return Panel((*own, *button, *dogs))


def lacks_time(links: Iterable[Link], now: float, seconds: float | None) -> str:
    """Why an action of `seconds` does not surely end within all leases; "" if it does."""
    links = list(links)
    length = min((link.enrolment.length for link in links), default=_NAN)
    if seconds is None or not 0 <= seconds <= length:
        return (
            f"max_seconds is {seconds!r}, and a strict gate admits what surely ends within a "
            f"lease of {length:g} s. Take a larger lease, or steps with gate.check()."
        )
    if not now + seconds <= min(link.expiry for link in links):
        return f"the lease ends before the {seconds:g} s it may take"
    return ""


def needs_runtime(panel: Panel | None, links: Sized, meters: Container[str]) -> bool:
    """Whether an interlock of `panel` is for the leases' runtime, and no meter reads it."""
    sensors = {item.sensor for item in panel.interlocks} if panel is not None else set()
    return bool(len(links)) and "runtime" in sensors and "runtime" not in meters


def describe(panel: Panel) -> list[dict[str, Any]]:
    """The panel as the journal keeps it, so that a replay can decide the same again."""
    return [{"interlock": type(item).__name__, **vars(item)} for item in panel.interlocks]
