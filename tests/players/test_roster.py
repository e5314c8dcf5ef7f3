"""Who sits where: counts, order, spread, and that reading it costs no JAX."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from freezetag import players
from freezetag.core import spread

# docs/sources.md R1.
COUNTS = {
    "reciprocators": 6,
    "altruists": 4,
    "exploiters": 4,
    "learners": 4,
    "shapers": 3,
    "imitators": 3,
    "bad_influences": 2,
    "liars": 2,
    "noisy": 1,
    "silent": 1,
}


def test_the_roster_has_the_counts_of_its_families() -> None:
    assert Counter(ref.family for ref in players.roster()) == COUNTS


def test_nobody_sits_twice() -> None:
    assert len({ref.path for ref in players.roster()}) == 30


def test_every_seat_is_taken_by_a_member_of_the_catalogue() -> None:
    found = players.families()
    assert all(ref.name in found[ref.family] for ref in players.roster())


def test_leaving_a_family_out_leaves_none_of_it() -> None:
    """Held out by family: what is left and what is held out are both never empty."""
    for family, count in COUNTS.items():
        held_out = [ref for ref in players.roster() if ref.path.startswith(f"players/{family}/")]
        assert len(held_out) == count
        assert len(players.roster()) - count >= 24


@pytest.mark.parametrize("n", range(31))
def test_a_class_is_an_evenly_spread_part_of_the_roster(n: int) -> None:
    everyone = players.roster()
    chosen = players.class_of(n)
    assert chosen == tuple(everyone[seat] for seat in spread(30, n))
    assert len(set(chosen)) == n


@pytest.mark.parametrize("n", [10, 15, 20, 25, 30])
def test_a_class_meets_every_family_in_proportion(n: int) -> None:
    """No family is more than one seat away from its share of n."""
    counts = Counter(ref.family for ref in players.class_of(n))
    for family, count in COUNTS.items():
        assert abs(counts[family] - count * n / 30) < 1


@pytest.mark.parametrize("n", [-1, 31])
def test_a_class_of_impossible_size(n: int) -> None:
    with pytest.raises(ValueError, match=f"0 to 30 classmates .* got {n}"):
        players.class_of(n)


def test_the_hash_names_the_roster() -> None:
    """Append-only: a change of who sits where is a new version, and a new hash here."""
    assert players.ROSTER_VERSION == "2026.1"
    assert (
        players.roster_hash() == "979300679e25e86b5f10f04c39f9e91f9c35e1c3a257de8386e18a0381e9b99d"
    )


def test_stand_ins_are_marked() -> None:
    marked = {seat.ref.name for seat in players.seats() if seat.stands_in_for}
    assert marked == {
        *("evolved_shaper", "rich_and_dirty", "false_contrition", "false_promise", "alternator")
    }


def test_reading_the_roster_imports_no_jax() -> None:
    code = "import sys, freezetag.players as p; p.class_of(5); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
