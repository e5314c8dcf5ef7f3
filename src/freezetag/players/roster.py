"""Who sits in a class of 30, in which order, by version. A version once given is not changed.

The order is what "draw in proportion" means: a smaller class takes evenly spread seats of the
list (`freezetag.core.spread`), and as families sit together, it meets them in proportion.
A version is a new one wherever somebody else sits; older ones stay, so that what was measured in
one can be measured in it again. Source: docs/sources.md R1, W51.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from freezetag.core import Ref, spread
from freezetag.core.errors import UserError, printable

ROSTER_VERSION = "2026.2"
"""The version that classes are drawn from where none is asked for."""

_HERE = Path(__file__).parent
_FIRST = "2026.1"
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
_CHANGES = {
    "2026.2": """
shapers/evolved_shaper          > shapers/meta_shaper
bad_influences/rich_and_dirty   > bad_influences/hidden_dirt
liars/false_contrition          > liars/false_report
liars/false_promise             > liars/false_word
silent/alternator               > silent/mute
""",
}
"""version -> who gives a seat up for whom, since the version before it."""
VERSIONS = (_FIRST, *_CHANGES)
"""All there are, oldest first."""


@dataclass(frozen=True)
class Seat:
    """A classmate, and what it `stands_in_for` until a world offers what that needs."""

    ref: Ref
    stands_in_for: str = ""


def seats(version: str = ROSTER_VERSION) -> tuple[Seat, ...]:
    """The thirty seats in order. Raises `ValueError` for a version that there is not."""
    everyone = [_seat(line) for line in _SEATS.strip().splitlines()]
    for later in VERSIONS[1 : VERSIONS.index(_known(version)) + 1]:
        for line in _CHANGES[later].strip().splitlines():
            old, _, new = line.partition(">")
            everyone[[seat.ref for seat in everyone].index(_seat(old).ref)] = _seat(new)
    return tuple(everyone)


def _seat(line: str) -> Seat:
    """The seat that `family/player = what it stands in for` describes."""
    path, _, stand_in = line.partition("=")
    return Seat(Ref.of(f"players/{path.strip()}"), stand_in.strip())


def roster(version: str = ROSTER_VERSION) -> tuple[Ref, ...]:
    """The thirty classmates in seat order. Raises `ValueError` for a version that there is not.

    >>> [ref.name for ref in roster()][:2]
    ['generous_tit_for_tat', 'tit_for_tat']
    """
    return tuple(seat.ref for seat in seats(version))


class NoSuchClass(UserError, ValueError):
    """The roster has no class of this size, or there is no such roster."""


def class_of(n: int, version: str = ROSTER_VERSION) -> tuple[Ref, ...]:
    """The n classmates of a class, in seat order.

    >>> [ref.name for ref in class_of(2)]
    ['always_defect', 'copy_the_best']

    Raises `NoSuchClass` unless n is a whole number in 0 .. 30, and for a version that there is not.
    """
    everyone = roster(version)
    if not isinstance(n, int) or not 0 <= n <= len(everyone):
        raise NoSuchClass(
            f"a class has 0 to {len(everyone)} classmates in roster {version}, got {n!r}."
        )
    return tuple(everyone[seat] for seat in spread(len(everyone), n))


def roster_hash(version: str = ROSTER_VERSION) -> str:
    """SHA-256 of the version and of who sits where, with which settings, standing in for whom.

    It says who was named, not what they did: the hash of freezetag's sources on the card says that.
    """
    lines = [f"{seat.ref.path} {seat.ref.settings} {seat.stands_in_for}" for seat in seats(version)]
    return hashlib.sha256("\n".join([version, *lines]).encode()).hexdigest()


def stamp(named: str = "") -> str:
    """Version and hash of a roster, as specs and cards record it, given its version, its stamp, or
    nothing (the default).

    Raises `ValueError` for a version that there is not, and for a stamp whose hash is another than
    that version has here.

    >>> stamp("2026.1")[:15]
    '2026.1 97930067'
    """
    version, _, given = named.strip().partition(" ")
    if given and version not in VERSIONS:
        raise NoSuchClass(_gone(named))
    version = _known(version or ROSTER_VERSION)
    here = roster_hash(version)
    if given and given.strip() != here:
        raise NoSuchClass(_gone(named))
    return f"{version} {here}"


def reseated(first: str, second: str) -> tuple[tuple[Ref, Ref], ...]:
    """Who sits in the second version where somebody else sits in the first: (first's, second's).

    >>> [one.name for one, _ in reseated("2026.1", "2026.2")]
    ['evolved_shaper', 'rich_and_dirty', 'false_contrition', 'false_promise', 'alternator']
    """
    pairs = zip(roster(first), roster(second), strict=True)
    return tuple((one, other) for one, other in pairs if one != other)


def seated_on(ref: Ref) -> tuple[str, ...]:
    """The versions on which a player sits."""
    return tuple(version for version in VERSIONS if ref.path in {r.path for r in roster(version)})


def _known(version: str) -> str:
    if version in VERSIONS:
        return version
    near = difflib.get_close_matches(str(version), VERSIONS, 1, 0.5)
    raise NoSuchClass(
        f"there is no roster {printable(str(version), 40)!r}."
        f"{f' Did you mean {near[0]}?' if near else ''} There are {', '.join(VERSIONS)}: "
        "`freezetag list rosters` shows who sits on them."
    )


def _gone(named: str) -> str:
    version, here = named.strip().partition(" ")[0], " and ".join(VERSIONS)
    what = f"another {version}" if version in VERSIONS else here
    return (
        f"the spec is of roster {printable(named, 90)}, and this freezetag has {what}: other "
        "players would sit there under the same names. Install the version that wrote it, or "
        "take the entry roster out to run it with today's."
    )


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
