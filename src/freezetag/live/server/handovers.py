"""Gates that saw another line than ours, and the handovers by which people gave that line up."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

from freezetag.live.authority.signing import SIGN_WITHIN
from freezetag.live.signed.handover import LARGEST_SIZE, MOST, Handover, HandoverError, Head

if TYPE_CHECKING:
    from freezetag.live.authority.facts import Facts
    from freezetag.live.signed.merkle import Tree

OURS = "this server itself"
"""Who saw a head that this server's own folder remembers."""


@final
class Handovers:
    """Of one service, called under its lock. `lost`: who saw a head that is none of ours, and
    which; what a gate saw last counts."""

    def __init__(self, facts: Facts, tree: Callable[[], Tree]) -> None:
        self._facts, self._tree = facts, tree
        self.lost: dict[str, Head] = {}

    def fits(self, head: Head) -> bool:
        """Whether our records begin with those under this head."""
        size, root = head
        tree = self._tree()
        return size <= tree.size and (not size or tree.root(size).hex() == root)

    def of(self, head: Head) -> Handover | None:
        """The newest handover that gave this head up for one of ours."""
        for made in reversed(self._facts.handovers):
            if head in made.old and self.fits(made.new) and made.counts(self._facts.roster):
                return made
        return None

    def past(self, size: int, root: str) -> tuple[int, Handover | None]:
        """From which of our heads a gate that saw this one goes on, and by which handover."""
        if not self._facts.handovers or self.fits((size, root)):
            return size, None
        made = self.of((size, root))
        return (size, None) if made is None else (made.new[0], made)

    def saw(self, who: str, head: Head) -> bool:
        """Whether what somebody saw is continued here, or was given up; else it is remembered."""
        if self.fits(head) or self.of(head) is not None:
            return True
        self.lost[who] = head
        return False

    @property
    def open(self) -> dict[str, Head]:
        """Who saw what nobody gave up yet."""
        return {who: head for who, head in self.lost.items() if self.of(head) is None}

    def draft(self, authority: str, why: str, now: int) -> Handover:
        """The text to sign: up to 100 heads that nobody gave up yet, the highest first.

        Raises `HandoverError` where no gate saw another line, and for one that no ledger reaches.
        """
        heads = sorted({*self.open.values()}, reverse=True)
        if not heads:
            raise HandoverError(
                "no gate has shown that it saw another line than this ledger, so there is nothing "
                "to hand over. Let the gates ask first."
            )
        if too := sorted(who for who, (size, _) in self.open.items() if size > LARGEST_SIZE):
            raise HandoverError(
                f"{', '.join(too)[:200]} says that it saw more records than any ledger holds: that "
                "gate is not to be believed. Take it away, and start the server again."
            )
        if not why.strip():
            raise HandoverError("say why this ledger is taken up: a reason of at most 1,000.")
        tree = self._tree()
        until = now + int(SIGN_WITHIN * 1000)
        new = tree.size, tree.root().hex()
        return Handover.draft(
            authority, heads[:MOST], new, why.strip()[:1000], secrets.token_hex(16), until
        )

    def to_json(self) -> list[dict[str, Any]]:
        """Who saw which head, of what nobody gave up yet."""
        told = sorted(self.open.items(), key=lambda each: (-each[1][0], each[0]))
        return [{"gate": who, "size": size, "root": root} for who, (size, root) in told]
