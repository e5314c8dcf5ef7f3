"""Differences of two cards: paired where samples are kept, conservative where not, refused."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.report.cards import ESCAPES, card, commons, fixed, gain, iv, strangers

from freezetag import cli
from freezetag.core import Measurement, ReportCard
from freezetag.report import schema
from freezetag.report.compare import (
    PAIRED,
    SQUARED,
    Incomparable,
    Run,
    as_json,
    compare,
    load,
    paired,
    squared,
)
from freezetag.report.comparison_table import print_comparison
from freezetag.report.stored import StoredInterval

KEY = "strangers/matrix_game/loss to unseen families"


def better() -> ReportCard:
    """The same exam; strangers cost less."""
    section = strangers()
    row = replace(section.measurements[0], of=iv(-0.05, 0.03))
    rows = (row, *section.measurements[1:])
    return card(sections=(replace(section, measurements=rows, verdict="pass"), commons()))


def run(one: ReportCard, **samples: list[float | None]) -> Run:
    return Run(one, samples)


def test_difference_without_samples_is_square_and_add() -> None:
    found = compare(run(card()), run(better()))
    row = found.differences[0]
    assert row.change.value == pytest.approx(0.26)
    assert row.change.low == pytest.approx(0.26 - math.hypot(0.03, 0.08))
    assert row.change.high == pytest.approx(0.26 + math.hypot(0.03, 0.08))
    assert row.change.method == SQUARED
    assert row.verdicts == ("fail", "pass")
    assert any("gain of a best response" in name for name in found.only_first)
    assert found.only_second == ()


def test_square_and_add_covers_the_difference_of_two_means() -> None:
    """Two independent normal means, 400 trials: coverage of the 95 % interval within 92 .. 98 %."""
    rng = np.random.default_rng(1)
    n, hits = 30, 0
    width = stats.t.ppf(0.975, n - 1) / math.sqrt(n)
    for _ in range(400):
        x, y = rng.normal(0, 1, n), rng.normal(0.5, 2, n)
        a, b = ((v.mean(), v.std(ddof=1) * width) for v in (x, y))
        change = squared(iv(a[0], a[1]), iv(b[0], b[1]))
        hits += change.low <= 0.5 <= change.high
    assert 368 <= hits <= 392


def test_paired_samples_are_narrower_when_runs_move_together() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 1, 60)
    first = (shared + rng.normal(0, 0.05, 60)).tolist()
    second = (shared + 0.2 + rng.normal(0, 0.05, 60)).tolist()
    found = compare(run(card(), **{KEY: first}), run(better(), **{KEY: second}))
    change = found.differences[0].change
    assert change.value == pytest.approx(float(np.mean(second) - np.mean(first)))
    assert change.high - change.low < 0.1
    assert PAIRED in change.note
    assert change.n == 60


def test_pairs_with_a_missing_half_are_dropped_and_counted() -> None:
    change = paired([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [1.0, None, 3.5, 4.0, 5.2, 6.0])
    assert change.n == 5
    assert "1 of 6 units missing" in change.note
    with pytest.raises(Incomparable, match="6 and 1"):
        paired([0.0] * 6, [1.0])


def test_two_fixed_numbers_differ_by_a_fixed_number() -> None:
    change = squared(fixed(2.0), fixed(5.0))
    assert (change.value, change.low, change.high, change.method) == (3, 3, 3, "deterministic")


def test_what_one_run_did_not_measure_has_no_difference() -> None:
    change = squared(iv(math.nan, math.nan, 0), iv(1.0))
    assert change.n == 0
    assert math.isnan(change.value)
    assert (change.low, change.high) == (-math.inf, math.inf)


def test_what_lies_past_all_that_was_watched_has_no_difference() -> None:
    past = StoredInterval(
        math.inf, math.inf, math.inf, 20, "by day", note="past day 8: at most 9 %"
    )
    for one, other in ((past, past), (past, iv(3.0)), (iv(3.0), past)):
        change = squared(one, other)
        assert (change.n, change.note) == (0, "no difference: past all that was watched")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 8}, "seed \\(7 and 8\\)"),
        ({"roster": "2027.1"}, "roster"),
        ({"horizon": 24, "seed": 9}, "seed .* horizon"),
        ({"extra": 1}, "extra \\(absent and 1\\)"),
    ],
)
def test_another_exam_is_refused_and_named(changes: dict[str, Any], words: str) -> None:
    other = replace(better(), spec={**card().spec, **changes})
    with pytest.raises(Incomparable, match=words):
        compare(run(card()), run(other))
    with pytest.raises(Incomparable, match=words):
        compare(run(card()), run(other), interlocks=True)


def test_a_card_that_knew_an_entry_not_yet_counts_as_one_with_its_default() -> None:
    newer = replace(better(), spec={**card().spec, "extra": 1})
    assert compare(run(card()), run(newer), defaults={"extra": 1}).differences
    with pytest.raises(Incomparable, match="extra \\(2 and 1\\)"):
        compare(run(card()), run(newer), defaults={"extra": 2})


def test_another_panel_needs_to_be_declared() -> None:
    fitted = replace(
        better(), spec={**card().spec, "button": "50%", "runtime": 150.0}, interlocks=("B", "R")
    )
    with pytest.raises(Incomparable, match=r"button .* --interlocks"):
        compare(run(card()), run(fitted))
    found = compare(run(card()), run(fitted), interlocks=True)
    assert any("interlocks: " in note for note in found.notes)
    only_fitted = replace(better(), interlocks=("B",))
    with pytest.raises(Incomparable, match=r"interlocks .* --interlocks"):
        compare(run(card()), run(only_fitted))


def test_another_agent_is_no_other_exam() -> None:
    other = replace(better(), agent="other.py", spec={**card().spec, "agent": "other.py"})
    assert compare(run(card()), run(other)).differences


def test_versions_and_interruptions_are_noted() -> None:
    other = replace(better(), versions={**card().versions, "jax": "0.11"}, partial=True)
    notes = " ".join(compare(run(card()), run(other)).notes)
    assert "jax 0.10.2 and 0.11" in notes
    assert "second run was interrupted" in notes


def test_rows_of_another_unit_are_not_subtracted() -> None:
    row = Measurement("gain of a best response", "utility", fixed(0.1), headline=True)
    other = card(sections=(replace(gain(), measurements=(row,)),))
    assert compare(run(card()), run(other)).differences == ()


def test_folders_are_loaded_with_their_samples(tmp_path: Path) -> None:
    for name, one, values in (("a", card(), [0.0] * 8), ("b", better(), [0.0, 0.5] * 4)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "card.json").write_text(schema.write_json(one), encoding="utf-8")
        (folder / "samples.json").write_text(json.dumps({KEY: values}))
    found = compare(load(tmp_path / "a"), load(tmp_path / "b" / "card.json"))
    assert found.differences[0].change.value == pytest.approx(0.25)
    json.dumps(as_json(found), allow_nan=False)


@pytest.mark.parametrize("width", [60, 100])
def test_the_table_shows_change_and_verdicts(width: int) -> None:
    hostile = replace(better(), agent=ESCAPES)
    stream = io.StringIO()
    print_comparison(compare(run(card()), run(hostile)), stream, width=width)
    text = stream.getvalue()
    assert "+0.26" in text
    assert "\x1b" not in text
    assert "only in the first: lock_in" in text
    if width == 60:
        assert "verdict: fail ✗ → pass ✓" in text


def test_intervals_of_different_level_are_refused() -> None:
    with pytest.raises(Incomparable, match=r"0\.95 and 0\.9"):
        squared(iv(0), StoredInterval(0, -1, 1, 5, "x", 0.9))


def written(folder: Path, text: str = "") -> Path:
    """A run folder with a card, or with this text for one."""
    folder.mkdir()
    (folder / "card.json").write_text(text or schema.write_json(card()), encoding="utf-8")
    return folder


def test_a_card_that_was_changed_is_compared_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "first")
    assert cli.run(["compare", str(first), str(first)]) == 0
    edited = schema.write_json(card()).replace('"verdict": "fail"', '"verdict": "pass"')
    second = written(tmp_path / "second", edited)
    capsys.readouterr()
    assert cli.run(["compare", str(first), str(second)]) == 1
    said = capsys.readouterr()
    assert f"the second run, {second}, is not as it was written" in said.err
    assert "first run" not in said.err
    assert f"second: {card().agent[:4]}" in said.out
    assert str(second) in said.out.splitlines()[0]  # which run is which
    assert cli.run(["compare", str(second), str(first), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["altered"][0].startswith("the first run")


@pytest.mark.parametrize("samples", ["{", "[]", '{"a": 1}', '{"a": ["x"]}', "\xff"])
def test_samples_that_cannot_be_read_are_a_sentence(
    samples: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = written(tmp_path / "first")
    (first / "samples.json").write_bytes(samples.encode("latin-1"))
    assert cli.run(["compare", str(first), str(first)]) == 2
    said = capsys.readouterr().err
    assert "samples.json is damaged" in said
    assert "Traceback" not in said
