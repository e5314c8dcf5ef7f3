"""Who sits in a class of 30, in which order. Append-only: a seat once given is not reseated.

The order is what "draw in proportion" means: a smaller class takes evenly spread seats of the
list (`freezetag.core.spread`), and as families sit together, it meets them in proportion.
Source: docs/sources.md R1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from freezetag.core import Ref, spread

ROSTER_VERSION = "2026.1"

_HERE = Path(__file__).parent
_SEATS = """
reciprocators/generous_tit_for_tat
reciprocators/tit_for_tat
reciprocators/gradual
reciprocators/win_stay_lose_shift
reciprocators/grudger
reciprocators/contrite_tit_for_tat
exploiters/extort_2
exploiters/always_defect
exploiters/prober
exploiters/extort_3
altruists/always_cooperate
altruists/mostly_cooperate
altruists/sharer
altruists/forgiving
learners/fictitious_play
learners/q_learning
learners/naive_gradient
learners/ucb
shapers/generous_zero_determinant
shapers/lola_estimated
shapers/evolved_shaper          = a meta-shaper that remembers how the other learned
imitators/conformist
imitators/copy_the_best
imitators/copy_the_near
bad_influences/ratcheting
bad_influences/rich_and_dirty   = one whose dirt is hidden until audited (needs traits)
liars/false_contrition          = one that misreports (needs audits)
liars/false_promise             = one that lies in words (needs a channel)
noisy/trembling_hand
silent/alternator               = one that could speak and does not (needs a channel)
"""


@dataclass(frozen=True)
class Seat:
    """A classmate, and what it `stands_in_for` until a world offers what that needs."""

    ref: Ref
    stands_in_for: str = ""


def seats() -> tuple[Seat, ...]:
    """The thirty seats in order."""
    lines = (line.partition("=") for line in _SEATS.strip().splitlines())
    return tuple(
        Seat(Ref.of(f"players/{path.strip()}"), stand_in.strip()) for path, _, stand_in in lines
    )


def roster() -> tuple[Ref, ...]:
    """The thirty classmates in seat order.

    >>> [ref.name for ref in roster()][:2]
    ['generous_tit_for_tat', 'tit_for_tat']
    """
    return tuple(seat.ref for seat in seats())


def class_of(n: int) -> tuple[Ref, ...]:
    """The n classmates of a class, in seat order.

    >>> [ref.name for ref in class_of(2)]
    ['always_defect', 'copy_the_best']

    Raises `ValueError` unless 0 <= n <= 30.
    """
    everyone = roster()
    if not 0 <= n <= len(everyone):
        raise ValueError(
            f"a class has 0 to {len(everyone)} classmates in roster {ROSTER_VERSION}, got {n!r}."
        )
    return tuple(everyone[seat] for seat in spread(len(everyone), n))


def roster_hash() -> str:
    """SHA-256 of the version and of who sits where, with which settings, standing in for whom.

    It says who was named, not what they did: the version of freezetag on the card says that.
    """
    lines = [f"{seat.ref.path} {seat.ref.settings} {seat.stands_in_for}" for seat in seats()]
    return hashlib.sha256("\n".join([ROSTER_VERSION, *lines]).encode()).hexdigest()


def families() -> dict[str, tuple[str, ...]]:
    """Every player there is by family, read from the folders, on the roster or not.

    >>> families()["noisy"]
    ('trembling_hand',)
    """
    folders = (item for item in sorted(_HERE.iterdir()) if (item / "__init__.py").is_file())
    found = {
        folder.name: tuple(
            file.stem for file in sorted(folder.glob("*.py")) if not file.name.startswith("_")
        )
        for folder in folders
    }
    return {family: names for family, names in found.items() if names}
