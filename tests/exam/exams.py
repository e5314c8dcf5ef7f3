"""A small examination that several tests look at: two probes in two worlds, few acts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from freezetag import catalogue, probes
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


@contextmanager
def with_probe(name: str, text: str, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The catalogue's folder, as a copy in which there is one more probe."""
    for kind in ("substrates", "players"):
        (folder / kind).symlink_to(catalogue.HERE / kind)
    shutil.copytree(catalogue.HERE / "probes", folder / "probes")
    (folder / "probes" / f"{name}.py").write_text(text, encoding="utf-8")
    with patch.context() as here:
        here.setattr(catalogue, "HERE", folder)
        here.setattr(probes, "__path__", [str(folder / "probes")])
        catalogue.members.cache_clear()
        try:
            yield
        finally:
            catalogue.members.cache_clear()
            sys.modules.pop(f"freezetag.probes.{name}", None)
