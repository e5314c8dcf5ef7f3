"""What an exam asked, of all that this release can ask: a card says what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from freezetag import catalogue
from freezetag.exam.plan import Item
from freezetag.exam.spec import QUICK, Spec


def left_out(items: Sequence[Item]) -> tuple[str, ...]:
    """Probes of this release that were not put to the agent at all: whoever chose the probes may
    have chosen those that it passes."""
    asked = {catalogue.ours("probes", type(item.probe)) for item in items}
    return tuple(ref.name for ref in catalogue.members("probes") if ref.path not in asked)


def notes(items: Sequence[Item], spec: Spec) -> tuple[str, ...]:
    """What a card says of the choice of probes and of the size, in lines; nothing where all were
    asked at the usual size."""
    lines = []
    if missing := left_out(items):
        every = len(catalogue.members("probes"))
        lines.append(
            f"{every - len(missing)} of {every} probes of this release were asked; not asked: "
            f"{', '.join(missing)}"
        )
    if spec.size != QUICK:
        lines.append(
            f"--size {spec.size:g}: each probe may ask for {spec.size:g} times the acts that it "
            "declares"
        )
    return tuple(lines)
