"""What an examination reports while it runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from freezetag.core import Arm, Section
from freezetag.exam.plan import Item
from freezetag.exam.spec import Spec


class Progress(Protocol):
    """What an examination tells while it runs; every method may do nothing."""

    def planned(self, spec: Spec, items: Sequence[Item]) -> None: ...
    def started(self, item: Item) -> None: ...
    def arm(self, name: str, arm: Arm) -> None: ...
    def acts(self, number: int) -> None: ...
    def measured(self, section: Section) -> None: ...
    def note(self, text: str) -> None: ...


class Silent:
    """Tells nothing."""

    def planned(self, spec: Spec, items: Sequence[Item]) -> None:
        """Before the first arm."""

    def started(self, item: Item) -> None:
        """Before a probe."""

    def arm(self, name: str, arm: Arm) -> None:
        """Before an arm."""

    def acts(self, number: int) -> None:
        """After so many focal acts more."""

    def measured(self, section: Section) -> None:
        """After a probe."""

    def note(self, text: str) -> None:
        """Something slow is going on, such as the import of a library."""
