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


@pytest.mark.parametrize("version", players.VERSIONS)
def test_the_roster_has_the_counts_of_its_families(version: str) -> None:
    assert Counter(ref.family for ref in players.roster(version)) == COUNTS


@pytest.mark.parametrize("version", players.VERSIONS)
def test_nobody_sits_twice(version: str) -> None:
    assert len({ref.path for ref in players.roster(version)}) == 30


@pytest.mark.parametrize("version", players.VERSIONS)
def test_every_seat_is_taken_by_a_member_of_the_catalogue(version: str) -> None:
    found = players.families()
    assert all(ref.name in found[ref.family] for ref in players.roster(version))


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
    assert players.ROSTER_VERSION == "2026.2"
    assert {version: players.roster_hash(version) for version in players.VERSIONS} == {
        "2026.1": "979300679e25e86b5f10f04c39f9e91f9c35e1c3a257de8386e18a0381e9b99d",
        "2026.2": "7f0a29fb2346d66cc946271fb656228c627810365423cb01605b42f9fc6c9fa6",
    }


def test_stand_ins_are_marked() -> None:
    assert not any(seat.stands_in_for for seat in players.seats("2026.2"))
    marked = {seat.ref.name for seat in players.seats("2026.1") if seat.stands_in_for}
    assert marked == {
        *("evolved_shaper", "rich_and_dirty", "false_contrition", "false_promise", "alternator")
    }


def test_a_successor_has_the_seat_and_the_family_of_its_stand_in() -> None:
    stand_ins = {seat.ref for seat in players.seats("2026.1") if seat.stands_in_for}
    pairs = players.reseated("2026.1", "2026.2")
    assert {old for old, _ in pairs} == stand_ins
    assert all(old.family == new.family for old, new in pairs)


def test_reading_the_roster_imports_no_jax() -> None:
    code = "import sys, freezetag.players as p; p.class_of(5); print('jax' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
