"""Drafts under way: what was signed by whom, so that the second person signs the same text."""

from __future__ import annotations

import json
from typing import Any, final

from freezetag.live.authority.authority import SIGN_WITHIN, Authority
from freezetag.live.gate.clock import Clock
from freezetag.live.signed.presses import Clearance, approvers, needed


@final
class Resets:
    """The clearances that some but not all have signed. Called under the service's lock."""

    def __init__(self, authority: Authority, clock: Clock) -> None:
        self._authority, self._clock = authority, clock
        self._open: dict[str, tuple[Clearance, float]] = {}

    def draft(self, scope: str = "", fresh: bool = False) -> dict[str, Any]:
        """What to sign for the presses of `scope` ("": all that stand): the newest draft that
        somebody has signed and that names some of them, else a new one. Raises `ResetError`."""
        facts = self._authority.facts
        standing = facts.presses.standing(facts.roster)
        ids = {press.id for press in standing if scope in ("", press.scope)}
        for each in [] if fresh else reversed(self.pending()):
            if ids & set(each["presses"]):
                return {**each, "left": sorted(ids - set(each["presses"]))}
        clearance = self._authority.draft(ids)
        return {**self._told(clearance, self._clock()), "left": []}

    def adds(self, clearance: Clearance) -> bool:
        """Whether it holds the good signature of somebody who had not signed this text yet."""
        roster = self._authority.facts.roster
        earlier, _ = self._open.get(clearance.text, (Clearance(clearance.text), 0.0))
        return bool(approvers(clearance, roster) - approvers(earlier, roster))

    def signed(self, clearance: Clearance, records: int) -> dict[str, Any]:
        """Remembers signatures that were taken in; `records` is 1 if they were enough."""
        earlier, since = self._open.pop(clearance.text, (Clearance(clearance.text), self._clock()))
        merged = earlier.joined(clearance)
        if not records:
            self._open[clearance.text] = merged, since
        return {**self._told(merged, since), "cleared": bool(records)}

    def used_up(self, text: str) -> None:
        """Enough people signed it, and it was not written: it is not offered to anybody again."""
        self._open.pop(text, None)

    def pending(self) -> list[dict[str, Any]]:
        """What waits for more signatures, oldest first."""
        now = self._clock()
        self._open = {
            text: entry for text, entry in self._open.items() if now - entry[1] < SIGN_WITHIN
        }
        return [self._told(*entry) for entry in self._open.values()]

    def _told(self, clearance: Clearance, since: float) -> dict[str, Any]:
        facts = self._authority.facts
        named = json.loads(clearance.text)["presses"]
        kinds = {press.kind for press in facts.presses.presses if press.id in named}
        return {
            "text": clearance.text,
            "presses": sorted(named),
            "signed": sorted(approvers(clearance, facts.roster)),
            "needed": needed(kinds, facts.roster),
            "seconds": max(0, round(SIGN_WITHIN - (self._clock() - since))),
        }
