"""What an exam asked, of all that this release can ask: a card says what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

from freezetag import catalogue
from freezetag.core import Probe, Ref
from freezetag.core.card import is_own
from freezetag.exam.plan import Item
from freezetag.exam.population import population
from freezetag.exam.resolve import FILE, schemes
from freezetag.exam.spec import QUICK, Spec

LIMITS = ("warn", "fail")
"""What probes call the settings that judge."""


def left_out(items: Sequence[Item]) -> tuple[str, ...]:
    """Probes of this release that were not put to the agent at all: whoever chose the probes may
    have chosen those that it passes."""
    asked = {catalogue.ours("probes", type(item.probe)) for item in items}
    return tuple(ref.name for ref in catalogue.members("probes") if ref.path not in asked)


def own(items: Sequence[Item], spec: Spec) -> tuple[str, ...]:
    """Probes, worlds and classmates that are none of freezetag's, each with its kind."""
    probes = [item.name for item in items]
    worlds = [item.setting.world.name for item in items if not item.reason]
    met = () if isinstance(spec.classmates, int) else population(spec.classmates)
    # A library's strategy is not the user's own.
    files = [ref.name for ref in met if _of_a_file(ref)]
    named = [
        *(f"probe {name}" for name in probes if is_own(name)),
        *(f"world {name}" for name in worlds if is_own(name)),
        *(f"classmate {name}" for name in files),
    ]
    return tuple(dict.fromkeys(named))


def changed_limits(probe: Probe) -> str:
    """In words, the limits of a probe that whoever asked has set otherwise than its file; "" if
    none."""
    return _changes(probe, lambda name: name in LIMITS)


def _changes(probe: Probe, which: Callable[[str], bool]) -> str:
    mine: tuple[Field[Any], ...] = fields(probe) if is_dataclass(probe) else ()
    return ", ".join(
        f"{each.name} from {_text(each.default)} to {_text(getattr(probe, each.name))}"
        for each in mine
        if which(each.name)
        and each.default is not MISSING
        and getattr(probe, each.name) != each.default
    )


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _of_a_file(ref: Ref) -> bool:
    scheme, colon, _ = ref.path.partition(":")
    return scheme == FILE or (bool(colon) and scheme not in schemes())


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
    if theirs := own(items, spec):
        lines.append(f"none of freezetag's, but of whoever asked: {', '.join(theirs)}")
    if spec.size != QUICK:
        lines.append(
            f"--size {spec.size:g}: each probe may ask for {spec.size:g} times the acts that it "
            "declares"
        )
    for name, probe in {item.name: item.probe for item in items}.items():
        where = f"{name.partition('(')[0]}: "
        if limits := changed_limits(probe):
            lines.append(f"{where}limits changed by whoever asked: {limits}")
        if others := _changes(probe, lambda name: name not in LIMITS):
            lines.append(f"{where}settings changed by whoever asked: {others}")
    return tuple(lines)
