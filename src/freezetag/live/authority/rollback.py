"""What an authority asks of whoever keeps its ledger: how what a gate saw is continued here."""

from __future__ import annotations

from freezetag.core.errors import UserError
from freezetag.live.signed.handover import Handover


class RollbackError(UserError):
    """A gate saw a longer ledger than ours: ours was cut back, or replaced by an older copy."""


def no_checkpoint(size: int) -> tuple[str, list[str]]:
    """Without a ledger there is nothing to show."""
    return "", []


def no_handover(size: int, root: str) -> tuple[int, Handover | None]:
    """Without a ledger nothing was given up."""
    return size, None
