"""Texts under way that people sign beside clearances: tokens taken back, handovers, browser keys.

A text is drafted here, kept for 15 minutes, and entered when enough people have signed just that.
What a restart forgets is signed anew: nothing happened.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

from freezetag.core.errors import UserError
from freezetag.live.authority.facts import Record
from freezetag.live.authority.signing import SIGN_WITHIN
from freezetag.live.signed import handover, revocation
from freezetag.live.signed.browser_key import (
    CERTIFIES,
    PREFIX,
    BrowserKeyError,
    Certificate,
    is_assertion,
)

if TYPE_CHECKING:
    from freezetag.live.authority.facts import Facts

MOST = 200
"""Texts of one kind that wait, where nothing else bounds them. One more is refused: whoever may
draft does not throw out what others are signing."""
AGAIN_WITHIN = SIGN_WITHIN / 2
"""Seconds in which whoever asks for a text about the same is given the one that waits."""


class StatementError(UserError):
    """What cannot be signed, or entered, now; the text says why."""


@dataclass(frozen=True)
class _Kind:
    prefix: bytes
    record: str
    does: str
    about: str = ""  # the field of what there is only so much of


KINDS = {
    "revocation": _Kind(revocation.SIGNED, "revoke", "takes back", "digest"),
    "handover": _Kind(handover.SIGNED, "handover", "takes up this ledger", "old"),
    "browser_key": _Kind(CERTIFIES, "browser_key", "certifies a browser's key"),
}


@dataclass
class _Open:
    kind: str
    since: float
    signatures: dict[str, str] = field(default_factory=dict)


@final
class Statements:
    """Of one service, called under its lock.

    `why_not(kind, fields)` says what stands against entering a statement now, or "".
    """

    def __init__(
        self,
        facts: Facts,
        clock: Callable[[], float],
        why_not: Callable[[str, Mapping[str, Any]], str],
    ) -> None:
        self._facts, self._clock, self._why_not = facts, clock, why_not
        self._open: dict[str, _Open] = {}
        self._answered: set[int] = set()  # challenges, by their last moments

    def draft(self, kind: str, text: str) -> dict[str, Any]:
        """Keeps a text that was made here, to be signed; or gives the newest that waits, if it is
        about the same token, key or heads and may be signed for long. Raises `StatementError`."""
        fields, about = json.loads(text), KINDS[kind].about
        if why := self._why_not(kind, fields):
            raise StatementError(why)
        self._forget()
        same = {each: entry for each, entry in self._open.items() if entry.kind == kind}
        if about:
            oldest = self._clock() - AGAIN_WITHIN
            for each in reversed(same):
                if same[each].since > oldest and json.loads(each)[about] == fields[about]:
                    return self.told(each)
        elif len(same) >= MOST:
            raise StatementError(
                f"{MOST} texts of that kind wait for signatures already; the oldest is gone within "
                f"{SIGN_WITHIN / 60:.0f} minutes."
            )
        self._open.setdefault(text, _Open(kind, self._clock()))
        return self.told(text)

    def certify(self, text: str, until: int, now: int) -> None:
        """Drafts the certificate of a key that a browser made when asked with the challenge that is
        good until then (Unix milliseconds), which counts once. Raises `StatementError`."""
        self._answered = {each for each in self._answered if each >= now}
        if until in self._answered:
            raise StatementError("a key was made from that page already; load it again.")
        self.draft("browser_key", text)
        self._answered.add(until)

    def sign(self, text: Any, signatures: Any) -> tuple[list[Record], dict[str, Any]]:
        """Adds signatures: the record once there are enough, and what to tell.

        Raises `StatementError` for a text that was not drafted here in the last 15 minutes, and for
        a signature of nobody in the roster.
        """
        self._forget()
        entry = self._open.get(text) if isinstance(text, str) else None
        if entry is None:
            raise StatementError(
                "this text was not drafted here in the last 15 minutes, or is used up."
            )
        pairs = _pairs(signatures)
        message = KINDS[entry.kind].prefix + str(text).encode()
        roster, keys = self._facts.roster, self._facts.browser_keys
        if entry.kind == "browser_key" and any(is_assertion(value) for _, value in pairs):
            raise StatementError("a browser's key is certified with key files alone.")
        try:
            keys.hear(message, pairs)
        except BrowserKeyError as error:
            raise StatementError(f"the browser's signature is not taken: {error}.") from None
        for name, value in pairs:
            if not roster.signers(message, [(name, value)]):
                raise StatementError(f"the signature by {name!r:.40} is of nobody in the roster.")
        merged = keys.kept(message, {**entry.signatures, **dict(pairs)}.items())
        entry.signatures = dict(merged)
        told = self.told(str(text))
        if told["missing"] or len(told["signed"]) < told["needed"]:
            return [], told | {"done": False}
        if why := self._why_not(entry.kind, json.loads(str(text))):
            raise StatementError(why)
        keys.record(message, merged)
        del self._open[str(text)]
        body = {"signatures": dict(merged), "text": str(text)}
        return [(KINDS[entry.kind].record, body)], told | {"done": True}

    def signers(self, text: Any) -> frozenset[str]:
        """Who signed a text so far; nobody, of a text that is not under way."""
        entry = self._open.get(text) if isinstance(text, str) else None
        if entry is None:
            return frozenset()
        message = KINDS[entry.kind].prefix + str(text).encode()
        return self._facts.roster.signers(message, entry.signatures.items())

    def told(self, text: str) -> dict[str, Any]:
        """A text under way: who signed it, who must, and how long it may be signed."""
        entry = self._open.get(text)
        if entry is None:
            raise StatementError("this text may not be signed any more; draft a new one.")
        roster = self._facts.roster
        signed = sorted(self.signers(text))
        fields = json.loads(text)
        # Nobody is given a key by others alone.
        must = [fields["person"]] if entry.kind == "browser_key" else []
        return {
            "kind": entry.kind,
            "text": text,
            "signed": signed,
            "needed": roster.quorum,
            "missing": [name for name in must if name not in signed],
            "seconds": max(0, round(SIGN_WITHIN - (self._clock() - entry.since))),
        }

    def pending(self, kind: str = "") -> list[dict[str, Any]]:
        """The texts that wait for signatures, oldest first."""
        self._forget()
        return [self.told(text) for text, each in self._open.items() if kind in ("", each.kind)]

    def by_nonce(self, nonce: str) -> dict[str, Any]:
        """The text with this nonce. Raises `StatementError`."""
        for each in self.pending():
            if json.loads(each["text"]).get("nonce") == nonce:
                return each
        raise StatementError("this text may not be signed any more; draft a new one.")

    def _forget(self) -> None:
        now = self._clock()
        kept = {t: each for t, each in self._open.items() if now - each.since < SIGN_WITHIN}
        self._open = kept


def _pairs(signatures: Any) -> list[tuple[str, str]]:
    if not isinstance(signatures, Mapping) or not signatures:
        raise StatementError("no signature came with it.")
    pairs = list(signatures.items())
    if len(pairs) > 20 or not all(isinstance(part, str) for pair in pairs for part in pair):
        raise StatementError("the signatures that came with it cannot be read.")
    return pairs


def signed_in_browser(facts: Facts, fields: Mapping[str, Any]) -> dict[str, str] | None:
    """The signature in a form's `assertion`, with its key's certificate; None without one."""
    if not fields.get("assertion"):
        return None
    made = read_object(fields["assertion"])
    for text, signatures in facts.browser_keys.certificates.values():
        key = Certificate.read(text)
        if key.credential == made.get("id"):
            parts = {each: made.get(each) for each in ("authenticator", "client", "signature")}
            parts["certificate"] = {"signatures": signatures, "text": text}
            return {key.digest[:16]: PREFIX + json.dumps(parts, sort_keys=True)}
    raise StatementError("that browser's key is not enrolled here, or was taken back.")


def read_object(text: Any) -> dict[str, Any]:
    """A form's field that holds a JSON object. Raises `StatementError`."""
    try:
        told = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise StatementError("what was put in is not what a browser or `freezetag sign` gives.")
    return told
