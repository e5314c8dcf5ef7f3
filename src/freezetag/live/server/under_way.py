"""What was decided and is not in the ledger yet, of what may not be decided twice.

Between decision and commit the facts do not show that a token or a key goes, or that a browser's
key comes. Whatever is decided meanwhile has to count with it: the ledger will have it first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, final

from freezetag.live.authority.tokens import why_kept
from freezetag.live.signed.browser_key import Certificate
from freezetag.live.signed.records import BrowserKey, Revoke, read

if TYPE_CHECKING:
    from freezetag.live.server.service import Service


@final
class UnderWay:
    """Of one service, called under its lock."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._leaving = service.authority.facts.browser_keys.leaving  # which asks it, too
        self._certified: set[str] = set()  # credentials

    def begin(self, kind: str, body: Mapping[str, Any], done: Future[int]) -> None:
        """A record was handed to the writer: it is under way until it is applied, or fails."""
        match read(kind, body):
            case Revoke(digest=digest):
                self._until(done, self._leaving, digest)
            case BrowserKey(text=text):
                self._until(done, self._certified, Certificate.read(text).credential)

    def _until(self, done: Future[int], those: set[str], one: str) -> None:
        those.add(one)
        done.add_done_callback(partial(_over, those, one))

    def why_kept(self, digest: str) -> str:
        """Why this token may not be taken back now; "" if it may."""
        book = self._service.home.tokens.all()
        return why_kept(tuple(each for each in book if each.digest not in self._leaving), digest)

    def why_not(self, kind: str, fields: Mapping[str, Any]) -> str:
        """What stands against a statement now; "" if it may be drafted, signed and entered."""
        if self._service.milliseconds() > fields.get("until", float("inf")):
            return "its last moment is over; draft a new one."
        if kind == "handover":
            open_ones = self._service.handovers.open
            return "" if open_ones else "nothing is to be handed over any more."
        keys = self._service.authority.facts.browser_keys
        if kind == "browser_key":
            known = {key.credential for key in keys.known()} | self._certified
            if fields["credential"] in known:
                return "that key is enrolled already."
            # Under another credential's name it is the same key.
            digest = Certificate.read(json.dumps(dict(fields))).digest
            known = {*keys.certificates, *keys.gone}
            return "that key was enrolled before." if digest in known else ""
        digest = fields["digest"]
        if digest in keys.certificates and digest not in self._leaving:
            return ""
        return self.why_kept(digest)


def _over(those: set[str], one: str, _: Future[int]) -> None:
    those.discard(one)
