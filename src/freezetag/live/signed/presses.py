"""The state of a stop: two grow-only sets, presses and clearances, and their union.

A scope is stopped if a press that covers it has no valid clearance. A press names no epoch and a
clearance names only what its signers saw, so a press racing a reset survives in any order of
delivery. Nothing is ever removed, so merging is union: idempotent, commutative, associative.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

from freezetag.core.canonical import EXACT, canonical
from freezetag.core.errors import UserError
from freezetag.core.scopes import is_bar
from freezetag.live.signed.keys import Roster, key_id, sign

SIGNED = b"freezetag clearance\n"
KINDS = ("press", "interlock", "drill")
_ID = re.compile(r"[0-9a-f]{32}")
_LONGEST = {"scope": 200, "who": 200, "reason": 1000}


class StateError(UserError):
    """A press, a clearance or a state that cannot be read; the text names the field."""


@final
@dataclass(frozen=True)
class Press:
    """One press: `category` 0 kill at once, 1 prepared policy then 0, 2 hold.

    `when` is Unix milliseconds, for people only. `kind` is `press`, `interlock` (a limit tripped)
    or `drill`. Raises `StateError` for fields that no press can have.
    """

    id: str
    scope: str
    who: str
    when: int
    reason: str = ""
    category: int = 0
    kind: str = "press"

    def __post_init__(self) -> None:
        if not (isinstance(self.id, str) and _ID.fullmatch(self.id)):
            raise StateError(f"press id must be 32 lower-case hex digits, got {self.id!r:.60}")
        for field, longest in _LONGEST.items():
            value = getattr(self, field)
            if not isinstance(value, str) or len(value) > longest or not _encodable(value):
                raise StateError(f"press {self.id}: {field} must be text of at most {longest}")
        if type(self.when) is not int or not 0 <= self.when <= EXACT:
            raise StateError(f"press {self.id}: when must be milliseconds, got {self.when!r:.60}")
        if type(self.category) is not int or self.category not in (0, 1, 2):
            raise StateError(f"press {self.id}: category is 0, 1 or 2, got {self.category!r:.60}")
        if self.kind not in KINDS:
            raise StateError(f"press {self.id}: kind is one of {KINDS}, got {self.kind!r:.60}")

    @property
    def told(self) -> str:
        """By whom, and why if that was said."""
        return f"{self.who}: {self.reason}" if self.reason else self.who

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, data: Any) -> Press:
        try:
            return cls(**data)
        except TypeError:
            raise StateError(f"this is not a press: {data!r:.100}") from None


@final
@dataclass(frozen=True)
class Clearance:
    """Signatures under `text`, which names presses, the repeats seen of each, head and nonce."""

    text: str
    signatures: tuple[tuple[str, str], ...] = ()

    def signed(self, private: bytes, public: bytes) -> Clearance:
        """With one more signature."""
        made = base64.b64encode(sign(private, SIGNED + self.text.encode())).decode()
        kept = [pair for pair in self.signatures if pair[0] != key_id(public)]
        return Clearance(self.text, tuple(sorted([*kept, (key_id(public), made)])))

    def joined(self, other: Clearance) -> Clearance:
        """With the signatures of both; of one person the other's counts."""
        both = {**dict(self.signatures), **dict(other.signatures)}
        return Clearance(self.text, tuple(sorted(both.items())))

    def to_json(self) -> dict[str, Any]:
        return {"signatures": dict(self.signatures), "text": self.text}

    @classmethod
    def from_json(cls, data: Any) -> Clearance:
        """Raises `StateError` for what is not a clearance, or names nothing readable."""
        try:
            text, signatures = data["text"], data["signatures"]
            pairs = tuple(sorted(signatures.items()))
            readable = isinstance(text, str) and all(
                isinstance(part, str) for pair in pairs for part in pair
            )
        except (KeyError, TypeError, AttributeError):
            readable = False
        # Not through the cache: anybody may send this, and nothing of it is kept.
        if not readable or not _encodable(text) or _named.__wrapped__(text) is None:
            raise StateError("this is not a clearance.")
        return cls(text, pairs)


def draft(
    authority: str,
    presses: Mapping[str, Mapping[str, int]],
    head: Mapping[str, Any],
    nonce: str,
    scopes: Mapping[str, Sequence[str]] | None = None,
    reasons: Mapping[str, Sequence[str]] | None = None,
    until: int | None = None,
) -> Clearance:
    """The clearance to be signed: `presses` maps ids to the repeats that the signers see, `scopes`
    maps them to what they stop. Without `scopes` (an older server's) it is for whatever has the
    ids. `reasons` maps them to what was said for them, `until` (Unix milliseconds) is the last
    moment at which it may be handed in; both are for those who sign and those who verify."""
    counts = {press: dict(seen) for press, seen in presses.items()}
    body: dict[str, Any] = {"authority": authority, "head": dict(head), "nonce": nonce}
    body["presses"] = counts
    if scopes is not None:
        body["scopes"] = {press: sorted(each) for press, each in scopes.items()}
    if reasons is not None:
        body["reasons"] = {press: sorted(each) for press, each in reasons.items()}
    if until is not None:
        body["until"] = until
    return Clearance(canonical(body).decode())


@final
class Presses:
    """The two sets, and the repeat counts (which only grow, too).

    A clearance that says scopes is for presses of just these. A gate holds a press as it was
    pushed, and its people may sign it as the stop of that gate alone: `me` is that scope.
    """

    def __init__(
        self,
        presses: Iterable[Press] = (),
        clearances: Iterable[Clearance] = (),
        repeats: Mapping[str, Mapping[str, int]] | None = None,
        me: str = "",
    ) -> None:
        self.me = me
        self.presses = set(presses)
        self.clearances = set(clearances)
        self.repeats = {press: dict(counts) for press, counts in (repeats or {}).items()}
        self._looked: tuple[tuple[int, Roster | None], tuple[Press, ...]] | None = None

    def add(self, press: Press) -> None:
        self.presses.add(press)

    def clear(self, clearance: Clearance) -> None:
        self.clearances.add(clearance)

    def repeat(self, press: str, replica: str) -> int:
        """One more press of the same button while it is down, counted per replica."""
        counts = self.repeats.setdefault(press, {})
        counts[replica] = counts.get(replica, 0) + 1
        return counts[replica]

    def merge(self, other: Presses) -> bool:
        """Takes in another replica's state; True if anything was new."""
        before = self.size
        self.presses |= other.presses
        self.clearances |= other.clearances
        for press, counts in other.repeats.items():
            mine = self.repeats.setdefault(press, {})
            for replica, count in counts.items():
                mine[replica] = max(mine.get(replica, 0), count)
        return self.size != before

    @property
    def size(self) -> int:
        """A number that grows whenever the state does."""
        repeats = sum(1 + sum(counts.values()) for counts in self.repeats.values())
        return len(self.presses) + len(self.clearances) + repeats

    def standing(self, roster: Roster | None) -> tuple[Press, ...]:
        """The presses that no valid clearance covers, oldest first; no roster, no clearance."""
        state = (self.size, roster)
        if self._looked is None or self._looked[0] != state:
            left = self.presses
            if roster is not None:
                left = {press for press in left if not self._is_cleared(press, roster)}
            ordered = tuple(sorted(left, key=lambda press: (press.when, press.id)))
            self._looked = (state, ordered)  # nothing is ever removed, so the size tells
        return self._looked[1]

    def _is_cleared(self, press: Press, roster: Roster) -> bool:
        return any(self._cleared(press, clearance, roster) for clearance in self.clearances)

    def _cleared(self, press: Press, clearance: Clearance, roster: Roster) -> bool:
        seen = (_named(clearance.text) or {}).get(press.id)
        if seen is None:
            return False
        if any(n > seen.get(r, 0) for r, n in self.repeats.get(press.id, {}).items()):
            return False  # pressed again after the signers looked
        scopes = scopes_of(clearance.text)
        if scopes is not None and not {press.scope, self.me} & {*scopes.get(press.id, ())}:
            return False  # whoever signed meant another press than this
        return len(approvers(clearance, roster)) >= needed([press.kind], roster)

    def only(self, presses: Iterable[Press]) -> Presses:
        """The part of the state that concerns `presses`."""
        kept = set(presses)
        ids = {press.id for press in kept}
        return Presses(
            kept,
            [c for c in self.clearances if ids & set(_named(c.text) or ())],
            {press: counts for press, counts in self.repeats.items() if press in ids},
        )

    def portion(
        self, wanted: Iterable[Press], largest: int = 40_000, turn: int = 0
    ) -> dict[str, Any]:
        """The state of as many of `wanted` as a frame holds (`largest` bytes).

        Union makes portions safe, and whoever counts `turn` up tells all of it by and by. Each
        portion holds the hardest press, and the first one the newest, which nobody was told yet.
        Clearances come where they fit beside a press, so that none keeps a press from being told.
        """
        state = self.only(wanted)
        if not state.presses or _bytes(state.to_json()) <= largest:
            return state.to_json()
        costs = {clearance: _bytes(clearance.to_json()) for clearance in state.clearances}
        costs = {each: cost for each, cost in costs.items() if cost <= largest * 3 // 4}
        first, *rest = sorted(state.presses, key=_told_first)
        begun = state._bare(first) + 100  # the frame of the state itself
        room = largest - max(costs.values(), default=0)
        pieces: list[list[Press]] = [[]]
        used = begun
        for press in rest:
            cost = state._bare(press)
            if pieces[-1] and used + cost > room:
                pieces.append([])
                used = begun
            pieces[-1].append(press)
            used += cost
        part = Presses([first, *pieces[turn % len(pieces)]])
        ids = {press.id for press in part.presses}
        part.repeats = {press: each for press, each in state.repeats.items() if press in ids}
        told = [each for each in costs if ids & set(_named(each.text) or ())]
        told.sort(key=lambda each: (each.text, each.signatures))
        start = turn // len(pieces) % len(told) if told else 0
        left = largest - _bytes(part.to_json())
        for clearance in (*told[start:], *told[:start]):
            if costs[clearance] + 2 <= left:
                part.clearances.add(clearance)
                left -= costs[clearance] + 2
        return part.to_json()

    def _bare(self, press: Press) -> int:
        """The bytes of a press and its repeats in a frame."""
        return _bytes(press.to_json()) + _bytes({press.id: self.repeats.get(press.id, {})}) + 4

    def to_json(self) -> dict[str, Any]:
        presses = sorted(self.presses, key=lambda p: (p.when, p.id, p.kind))
        clearances = sorted(self.clearances, key=lambda c: (c.text, c.signatures))
        return {
            "clearances": [clearance.to_json() for clearance in clearances],
            "presses": [press.to_json() for press in presses],
            "repeats": {press: dict(counts) for press, counts in self.repeats.items()},
        }

    @classmethod
    def from_json(cls, data: Any) -> Presses:
        """Raises `StateError` and nothing else for whatever is not a state."""
        try:
            presses = [Press.from_json(item) for item in data["presses"]]
            clearances = [Clearance.from_json(item) for item in data["clearances"]]
            repeats = data["repeats"]
        except (KeyError, TypeError):
            raise StateError(f"this is not a state of presses: {data!r:.100}") from None
        if not _counts(repeats):
            raise StateError(f"repeats must map press ids to counts, got {repeats!r:.100}")
        return cls(presses, clearances, repeats)


def needed(kinds: Iterable[str], roster: Roster) -> int:
    """How many people clear presses of these kinds together: one where all of them are drills."""
    return 1 if set(kinds) == {"drill"} else roster.quorum


@lru_cache(maxsize=4096)
def approvers(clearance: Clearance, roster: Roster) -> frozenset[str]:
    """Names of those who validly signed this clearance for this roster's authority."""
    try:
        authority = json.loads(clearance.text)["authority"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return frozenset()
    if authority != roster.authority:
        return frozenset()
    return roster.signers(SIGNED + clearance.text.encode(), clearance.signatures)


@lru_cache(maxsize=4096)
def _named(text: str) -> Mapping[str, Mapping[str, int]] | None:
    """What a clearance's text names: {press id: {replica: repeats seen}}, or None."""
    try:
        presses = json.loads(text)["presses"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return presses if _counts(presses) else None


@lru_cache(maxsize=4096)
def scopes_of(text: str) -> Mapping[str, Sequence[str]] | None:
    """What a clearance's text says that its presses stop: {press id: scopes}; None if it does not
    say, and nothing where that cannot be read."""
    told = json.loads(text)
    if "scopes" not in told:
        return None
    scopes = told["scopes"]
    good = isinstance(scopes, dict) and all(
        isinstance(each, list) and all(isinstance(scope, str) for scope in each)
        for each in scopes.values()
    )
    return scopes if good else {}


def _told_first(press: Press) -> tuple[bool, int, int, str]:
    """What stops an agent before what bars a tool, the hardest first, and the newest of these."""
    bar = is_bar(press.scope)
    return bar, 0 if bar else press.category, -press.when, press.id


def _bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode())


def _counts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(counts, dict)
        and all(type(count) is int and 0 <= count <= EXACT for count in counts.values())
        for counts in value.values()
    )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
