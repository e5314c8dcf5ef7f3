"""A forked child inherits open gates (measured); it must not act through them."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def forked(self) -> None:
        """Called in the child: this copy is closed for good."""
        ...


_HERE: weakref.WeakSet[Forkable] = weakref.WeakSet()


def close_in_children(gate: Forkable) -> None:
    """From now on `gate.forked()` is called in every child that this process forks."""
    _HERE.add(gate)


def _forked() -> None:
    for gate in list(_HERE):
        gate.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
