"""A token that people take back: signatures under what names it, as under a clearance.

A press token is a right that nobody may be argued out of, so taking one back weakens the stop and
takes as many people as a reset. The text is canonical JSON: `{"at", "authority", "digest",
"nonce"}`, `at` in Unix milliseconds; signed is `b"freezetag revocation\\n"` and the text.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, final

from freezetag.core.canonical import canonical
from freezetag.core.errors import UserError
from freezetag.live.signed.keys import Roster, key_id, sign

SIGNED = b"freezetag revocation\n"
_DIGEST = re.compile(r"[0-9a-f]{64}")


class RevocationError(UserError):
    """What is no revocation, or may not be one; the text says why."""


@final
@dataclass(frozen=True)
class Revocation:
    """Signatures under `text`, which names one token of one authority by its digest."""

    text: str
    signatures: tuple[tuple[str, str], ...] = ()

    @classmethod
    def draft(cls, authority: str, digest: str, at: int, nonce: str) -> Revocation:
        """The text to sign. Raises `RevocationError` for what it cannot say."""
        fields = {"at": at, "authority": authority, "digest": digest, "nonce": nonce}
        try:
            return cls(canonical(fields).decode())
        except ValueError as error:
            raise RevocationError(f"a revocation cannot say that: {error}.") from None

    def signed(self, private: bytes, public: bytes) -> Revocation:
        """With one more signature."""
        made = base64.b64encode(sign(private, SIGNED + self.text.encode())).decode()
        kept = {**dict(self.signatures), key_id(public): made}
        return Revocation(self.text, tuple(sorted(kept.items())))

    def signers(self, roster: Roster) -> frozenset[str]:
        """Names of the people whose signature is good, if it is for this roster's authority."""
        if self.fields["authority"] != roster.authority:
            return frozenset()
        return roster.signers(SIGNED + self.text.encode(), self.signatures)

    @property
    def fields(self) -> dict[str, Any]:
        """What the text says. Raises `RevocationError`."""
        try:
            told = json.loads(self.text)
            good = type(told["at"]) is int and isinstance(told["authority"], str)
            good = good and bool(_DIGEST.fullmatch(told["digest"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            good = False
        if not good:
            raise RevocationError("this is not a revocation.")
        return dict(told)

    def to_json(self) -> dict[str, Any]:
        return {"signatures": dict(self.signatures), "text": self.text}

    @classmethod
    def from_json(cls, data: Any) -> Revocation:
        """Raises `RevocationError` for what is none."""
        try:
            given = data["signatures"].items()
            made = cls(data["text"], tuple(sorted((str(n), str(each)) for n, each in given)))
            made.text.encode()
        except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
            raise RevocationError("this is not a revocation.") from None
        _ = made.fields
        return made
