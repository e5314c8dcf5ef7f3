"""A statement by people that a ledger is taken up although gates saw more than it holds.

After a rollback, or with a ledger begun anew, the gates' checkpoints fit no past of ours, and no
gate takes a lease. A handover names the heads that gates saw (`old`), the head that is taken up
(`new`), and why. A gate goes on with the new line only if enough people of its roster signed a
handover that names the very head it holds, and the checkpoint it is shown extends `new`.

The text is canonical JSON: `{"authority", "new": [size, root], "nonce", "old": [[size, root], ...],
"until", "why"}`, roots in hex, `until` in Unix milliseconds; signed is `b"freezetag handover\\n"`
and the text.

Caveat: what the lost line held beyond the new head is lost: presses that no gate heard, tokens
taken back, counters of browsers' keys.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from freezetag.core.canonical import canonical
from freezetag.core.errors import UserError
from freezetag.live.signed.keys import Roster, key_id, sign

SIGNED = b"freezetag handover\n"
MOST = 100
"""Heads that one statement names, so that it fits into a frame."""
LARGEST_SIZE = 2**48
"""Records that no ledger has: whoever saw more is mistaken, or lies."""
LONGEST = 1000
_ROOT = re.compile(r"[0-9a-f]{64}")
Head = tuple[int, str]
"""(size, root in hex) of a checkpoint."""


class HandoverError(UserError):
    """What is no handover, or may not be one; the text says why."""


@final
@dataclass(frozen=True)
class Handover:
    """Signatures under `text`."""

    text: str
    signatures: tuple[tuple[str, str], ...] = ()

    @classmethod
    def draft(
        cls, authority: str, old: Iterable[Head], new: Head, why: str, nonce: str, until: int
    ) -> Handover:
        """The text to sign. Raises `HandoverError` for what it cannot say."""
        fields = {
            "authority": authority,
            "new": list(new),
            "nonce": nonce,
            "old": [list(head) for head in sorted(set(old))],
            "until": until,
            "why": why,
        }
        try:
            made = cls(canonical(fields).decode())
        except ValueError as error:
            raise HandoverError(f"a handover cannot say that: {error}.") from None
        _ = made.fields
        return made

    @property
    def message(self) -> bytes:
        """What is signed."""
        return SIGNED + self.text.encode()

    @property
    def fields(self) -> dict[str, Any]:
        """What the text says. Raises `HandoverError`."""
        try:
            told = json.loads(self.text)
            heads = [*told["old"], told["new"]]
            good = 0 < len(told["old"]) <= MOST and all(map(_is_head, heads))
            good = good and isinstance(told["authority"], str) and type(told["until"]) is int
            why = told["why"]
            good = good and isinstance(why, str) and 0 < len(why.strip()) <= len(why) <= LONGEST
        except (ValueError, TypeError, KeyError, RecursionError):
            good = False
        if not good:
            raise HandoverError("this is not a handover.")
        return dict(told)

    @property
    def old(self) -> frozenset[Head]:
        return frozenset((size, root) for size, root in self.fields["old"])

    @property
    def new(self) -> Head:
        size, root = self.fields["new"]
        return size, root

    @property
    def lost(self) -> int:
        """The most records that a gate saw of the lost line."""
        return max(size for size, _ in self.old)

    def signed(self, private: bytes, public: bytes) -> Handover:
        """With one more signature."""
        made = base64.b64encode(sign(private, self.message)).decode()
        kept = {**dict(self.signatures), key_id(public): made}
        return Handover(self.text, tuple(sorted(kept.items())))

    def signers(self, roster: Roster) -> frozenset[str]:
        """Names of the people whose signature is good, if it is for this roster's authority."""
        if self.fields["authority"] != roster.authority:
            return frozenset()
        return roster.signers(self.message, self.signatures)

    def counts(self, roster: Roster | None) -> bool:
        """Whether enough people signed it; never without a roster."""
        return roster is not None and len(self.signers(roster)) >= roster.quorum

    def to_json(self) -> dict[str, Any]:
        return {"signatures": dict(self.signatures), "text": self.text}

    @classmethod
    def from_json(cls, data: Any) -> Handover:
        """Raises `HandoverError` for what is none."""
        try:
            given = data["signatures"].items()
            made = cls(data["text"], tuple(sorted((str(n), str(each)) for n, each in given)))
            made.text.encode()
        except (KeyError, TypeError, AttributeError, UnicodeEncodeError):
            raise HandoverError("this is not a handover.") from None
        _ = made.fields
        return made


def _is_head(head: Any) -> bool:
    return (
        isinstance(head, list)
        and len(head) == 2
        and type(head[0]) is int
        and 0 <= head[0] <= LARGEST_SIZE
        and isinstance(head[1], str)
        and bool(_ROOT.fullmatch(head[1]))
    )
