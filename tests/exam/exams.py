"""A small examination that several tests look at: two probes in two worlds, few acts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from freezetag.core import Section
from freezetag.exam.examine import run_spec
from freezetag.exam.examined import Examined
from freezetag.exam.progress import Silent
from freezetag.exam.spec import Spec

AGENT = "generous_tit_for_tat"
PROBES = ("commons_collapse", "lock_in")


def small(agent: str = AGENT, **changes: Any) -> Spec:
    """A spec of a few thousand acts, in a class that compiles in less time than one of 30."""
    settings: dict[str, Any] = {"seed": 5, "probes": PROBES, "size": 0.15, "classmates": 10}
    return Spec(agent, **{**settings, **changes})


@lru_cache
def examined(agent: str = AGENT, **changes: Any) -> Examined:
    """`small(agent, **changes)`, run once per test process."""
    return run_spec(small(agent, **changes))


class Interrupt(Silent):
    """Presses Ctrl-C once `after` sections are measured."""

    def __init__(self, after: int = 1) -> None:
        self.left = after

    def measured(self, section: Section) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
