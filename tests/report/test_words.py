"""How numbers are said."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.cards import card, fixed, iv, lock_in

from freezetag.cli.progress import Lines
from freezetag.core import Limits, Measurement
from freezetag.estimators.estimate import nothing
from freezetag.report import words
from freezetag.report.html import write_html
from freezetag.report.stored import StoredInterval
from freezetag.report.terminal import print_card


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.31, "−0.31"),
        (0.0149, "0.0149"),
        (0.00012, "0.00012"),
        (1.0, "1"),
        (288.15, "288"),
        (12345.6, "12,346"),
        (600, "600"),
        (1e9, "1.00e9"),
        (3.2e-7, "3.20e-7"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (None, "–"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert words.number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_three_digits_are_kept(value: float) -> None:
    text = words.number(value).replace("−", "-").replace(",", "")
    assert float(text) == pytest.approx(value, rel=0.006, abs=1e-300)


def test_a_value_past_all_that_was_watched_is_said_in_words() -> None:
    """Infinity was not measured: of 3 in 34 that are caught, the share may be .24."""
    said = "past day 8: at most 24 % caught"
    past = StoredInterval(math.inf, math.inf, math.inf, 34, "by day", note=said)
    assert words.interval(past) == words.value(past) == said
    assert words.measured(Measurement("day", "days", past)) == said
    open_ended = StoredInterval(3.0, 2.0, math.inf, 34, "by day", note=said)
    assert words.interval(open_ended) == "3 [2, ∞]"
    assert words.value(open_ended) == "3"


def test_infinite_ends_are_said_in_words() -> None:
    no_width = StoredInterval(0.9, -math.inf, math.inf, 128, "none", note="128 equal units")
    assert words.interval(no_width) == "0.9 (no interval)"
    below = StoredInterval(-0.001, -math.inf, -0.001, 32, "bisection")
    assert words.interval(below) == "at most −0.001"
    assert words.interval(StoredInterval(4.0, 4.0, math.inf, 32, "bisection")) == "at least 4"


def test_intervals() -> None:
    assert words.interval(iv(-0.31, 0.08), change=True) == "−0.31 [−0.39, −0.23]"
    assert words.interval(iv(0.31, 0.08), change=True) == "+0.31 [0.23, 0.39]"
    assert words.interval(fixed(600)) == "600 deterministic"
    # The largest of values that all are certain is certain; two sizes of the same no less.
    assert words.interval(replace(fixed(0.487), method="deterministic, largest of 2")) == (
        "0.487 deterministic"
    )
    assert words.interval(iv(0.0, n=200, low=0.0, high=0.0149)) == "0 of 200: at most 0.0149"
    assert words.interval(iv(math.nan, n=0, note="no text channel")) == "no text channel"
    assert words.interval(None) == "–"
    assert (
        words.interval(StoredInterval(2.0, 2.0, 2.0, 1, "closed form")) == "2 exact (closed form)"
    )
    assert words.interval(StoredInterval(1.0, 1.0, 1.0, 30, "binomial, by day")) == "1 [1, 1]"


def test_p_values() -> None:
    assert words.p_value(0.0004) == "p < 0.001"
    assert words.p_value(0.0312) == "p = 0.031"
    assert words.p_value(None) == "–"


def test_limits_say_from_where_on_it_warns_and_fails() -> None:
    row = Measurement("x", "u", iv(0), limits=Limits(-0.1, -0.2, "why", harm="below"))
    assert words.limit(row) == "< −0.1, −0.2"
    assert words.limit(replace(row, limits=Limits(0, 0, "why"))) == "> 0"


def test_a_reason_to_be_inconclusive_is_true_of_its_row() -> None:
    """Only what lies across a limit is for more seeds to decide."""
    limits = Limits(0.1, 0.2, "why")
    across = Measurement("x", "u", iv(0.15, 0.2), limits=limits, headline=True)
    section = replace(lock_in(), measurements=(across,))
    assert "more seeds would tell" in words.undecided(section)
    others = {
        "would fail alone": replace(section, reason="would fail alone (p = 0.03)"),
        "it proves nothing": replace(
            section, measurements=(replace(across, of=nothing("idle: it proves nothing")),)
        ),
        "a search found no harm": replace(
            section, measurements=(replace(across, of=iv(0.0, 0.01), bound="lower"),)
        ),
    }
    for words_of, each in others.items():
        assert words_of in words.undecided(each)
        assert "seeds" not in words.undecided(each)
        text = io.StringIO()
        print_card(card(sections=(each,)), text, width=200)
        (line,) = (x for x in text.getvalue().splitlines() if x.startswith("inconclusive:"))
        assert line == f"inconclusive: Lock in (matrix_game): {words.undecided(each)}"
        assert words.undecided(each) in write_html(card(sections=(each,)))
    assert words.undecided(replace(section, verdict="pass")) == ""


def test_progress_says_that_a_failure_is_not_corrected_yet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = Lines()
    lines.measured(replace(lock_in(), verdict="fail"))
    lines.measured(replace(lock_in(), verdict="pass"))
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("lock_in, matrix_game: fail, taken alone")
    assert second.endswith(": pass")


def test_what_rounding_leaves_of_a_zero_is_a_zero() -> None:
    """A mean of values that cancel is 4.6e-18, not a finding; a small value of its own stays."""
    assert words.interval(iv(-4.63e-18, 0.14)) == "0 [−0.14, 0.14]"
    assert words.interval(iv(4.63e-18, 0.14), change=True) == "0 [−0.14, 0.14]"
    assert words.interval(iv(3e-7, 1e-7)).startswith("3.00e-7 ")


def test_a_probe_in_a_file_of_a_users_own_has_a_title() -> None:
    assert words.title("first_defection.py") == "First defection (own probe)"
    assert (
        "not shown to be safe or harmful: lock in."
        in card(sections=(replace(lock_in(), probe="lock_in.py"),)).sentence
    )


def test_titles() -> None:
    assert words.title("best_response_gain") == "Best response gain"
