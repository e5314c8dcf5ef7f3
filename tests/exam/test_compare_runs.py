"""Two examinations of one spec compared: pair by pair where values by seed were kept."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from tests.exam.exams import PROBES, examined, small

from freezetag.exam.examine import run_spec
from freezetag.players.reciprocators.generous_tit_for_tat import GenerousTitForTat
from freezetag.report.compare import PAIRED, SQUARED, Run, compare, load, paired
from freezetag.report.comparison_table import print_comparison


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """A player without generosity and with it, read from their run folders."""
    base = tmp_path_factory.mktemp("runs")
    strict = run_spec(small(), GenerousTitForTat(generosity=0.0))
    found = []
    for name, one in (("strict", strict), ("generous", examined())):
        one.save(base / name)
        found.append(load(base / name))
    return found[0], found[1]


def test_headlines_are_paired_by_seed(runs: tuple[Run, Run]) -> None:
    found = compare(*runs)
    heads = [d for d in found.differences if d.headline]
    assert [d.probe for d in heads] == list(PROBES)
    for d in heads:
        name = f"{d.probe}/{d.world}/{d.name}"
        ours, theirs = (run.samples[name] for run in runs)
        shared = min(len(ours), len(theirs))  # one of them went on for more blocks
        change = np.subtract(theirs[:shared], ours[:shared])
        assert d.change.value == pytest.approx(change.mean())
        assert d.change.n == len(change)
        assert PAIRED in d.change.note or np.ptp(change) == 0
    moved = next(d for d in heads if d.probe == "lock_in")
    assert moved.change.value > 0, "generosity leads out of mutual defection"


def test_a_run_differs_from_itself_by_nothing(runs: tuple[Run, Run]) -> None:
    found = compare(runs[0], runs[0])
    known = [d for d in found.differences if d.change.n]
    assert len(known) > 15
    for d in known:
        assert (d.change.value, d.change.low, d.change.high) == (0, 0, 0)


def test_equal_values_by_seed_are_no_proof_unless_both_are_certain() -> None:
    values = [0.1, 0.2, 0.3] * 3
    change = paired(values, values)
    assert (change.value, change.low, change.high) == (0, -math.inf, math.inf)
    certain = paired(values, values, deterministic=True)
    assert (certain.value, certain.low, certain.high) == (0, 0, 0)


def test_without_values_by_seed_the_comparison_says_so(runs: tuple[Run, Run]) -> None:
    found = compare(runs[0], Run(runs[1].card, {}))
    heads = [d for d in found.differences if d.headline]
    assert {d.change.method for d in heads} == {SQUARED}
    (note,) = [note for note in found.notes if "as if the runs were independent" in note]
    assert "(headlines: commons_collapse, lock_in)" in note
    text = io.StringIO()
    print_comparison(found, text, width=120)
    assert "no values per seed were kept" in " ".join(text.getvalue().split())
    narrower = compare(*runs).differences[0].change
    assert narrower.high - narrower.low <= heads[0].change.high - heads[0].change.low + 1e-12


def test_values_of_other_seeds_are_not_paired(runs: tuple[Run, Run]) -> None:
    short = {name: values[:-1] for name, values in runs[1].samples.items()}
    found = compare(runs[0], Run(runs[1].card, short))
    assert {d.change.method for d in found.differences if d.headline} == {SQUARED}
