"""A reset being signed: the texts that were drafted here, and the signatures that came so far."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from freezetag.core.errors import UserError
from freezetag.live.authority.facts import Facts, Record
from freezetag.live.signed.browser_key import BrowserKeyError
from freezetag.live.signed.presses import SIGNED, Clearance, approvers, draft, needed

SIGN_WITHIN = 15 * 60.0
MOST_CLEARED = 500
"""The presses that one clearance names."""
LONGEST = 20_000
"""Bytes of a text as JSON holds it, each quote of it escaped: a frame has room for it, for people's
signatures (of keys in browsers too) and for presses; and so has a request."""


class ResetError(UserError):
    """A clearance or a start that is not allowed now; the text says what is missing."""


@final
class Signing:
    """Drafts and signatures of one authority; lost in a restart, which clears nothing."""

    def __init__(
        self,
        name: str,
        facts: Facts,
        clock: Callable[[], float],
        fresh: Callable[[int], str],
        wall: Callable[[], int],
    ) -> None:
        self._name, self._facts, self._clock, self._fresh = name, facts, clock, fresh
        self._wall = wall
        self._drafts: dict[str, tuple[float, bytes]] = {}  # when, and the hash of the text
        self._signed: dict[str, Clearance] = {}

    def draft(self, ids: Iterable[str] | None, head: Mapping[str, Any]) -> Clearance:
        """The text to sign: all standing presses (the oldest 500), or those named.

        Good for 15 minutes. Raises `ResetError` if none of them stands.
        """
        standing = [press.id for press in self._facts.presses.standing(self._facts.roster)]
        chosen = standing if ids is None else [press for press in standing if press in set(ids)]
        if not chosen:
            raise ResetError("no press of those stands, so there is nothing to clear.")
        nonce = self._fresh(16)
        now = self._clock()
        self._drafts = {n: old for n, old in self._drafts.items() if now - old[0] < SIGN_WITHIN}
        drafted, chosen = self._text(chosen[:MOST_CLEARED], head, nonce), chosen[:MOST_CLEARED]
        while len(json.dumps(drafted.text)) > LONGEST and len(chosen) > 1:
            chosen = chosen[: len(chosen) // 2]
            drafted = self._text(chosen, head, nonce)
        self._drafts[nonce] = now, _hash(drafted.text)
        return drafted

    def _text(self, chosen: list[str], head: Mapping[str, Any], nonce: str) -> Clearance:
        """What people sign of these presses: the repeats that they see, and whom each stops."""
        presses, wanted = self._facts.presses, set(chosen)
        scopes: dict[str, set[str]] = {}
        reasons: dict[str, set[str]] = {}
        for press in presses.presses:
            if press.id in wanted:
                scopes.setdefault(press.id, set()).add(press.scope)
                reasons.setdefault(press.id, set()).add(press.told)
        seen = {press: presses.repeats.get(press, {}) for press in chosen}
        told = {press: sorted(each) for press, each in scopes.items()}
        said = {press: sorted(each) for press, each in reasons.items()}
        until = self._wall() + int(SIGN_WITHIN * 1000)
        return draft(self._name, seen, head, nonce, told, said, until)

    def clear(self, clearance: Clearance) -> list[Record]:
        """Adds signatures; the record once enough people have signed, else nothing yet.

        Raises `ResetError` for a text that is not, to the letter, one that was drafted here in the
        last 15 minutes, and for a signature of nobody in the roster. So whatever is entered names
        presses that stood when people looked, and nothing else.
        """
        try:
            fields = json.loads(clearance.text)
            nonce, presses = fields["nonce"], fields["presses"]
            drafted, text = self._drafts[nonce]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ResetError("this clearance was not drafted here, or is used up.") from None
        if text != _hash(clearance.text):
            raise ResetError(
                "this text was not drafted here: sign the one that was, to the letter."
            )
        late = self._wall() > fields.get("until", float("inf"))
        if late or not self._clock() - drafted < SIGN_WITHIN:
            raise ResetError("this draft is older than 15 minutes; look again and sign a new one.")
        roster, keys = self._facts.roster, self._facts.browser_keys
        message = SIGNED + clearance.text.encode()
        try:
            keys.hear(message, clearance.signatures)
        except BrowserKeyError as error:
            raise ResetError(f"the browser's signature is not taken: {error}.") from None
        for pair in clearance.signatures:
            if not roster.signers(message, [pair]):  # nothing of it is kept in a cache
                raise ResetError(f"the signature by {pair[0]!r:.40} is of nobody in the roster.")
        earlier = self._signed.get(nonce, Clearance(clearance.text))
        merged = earlier.joined(clearance)
        merged = Clearance(merged.text, keys.kept(message, merged.signatures))
        self._signed[nonce] = merged
        kinds = {press.kind for press in self._facts.presses.presses if press.id in presses}
        if len(approvers(merged, roster)) < needed(kinds, roster):
            return []
        del self._drafts[nonce], self._signed[nonce]
        keys.record(message, merged.signatures)
        return [("clear", merged.to_json())]


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
