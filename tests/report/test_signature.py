"""The signature figure agrees with the verdicts: past the line exactly if the limit is passed."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.report.cards import absent, card, commons, iv

from freezetag.core import Limits, Measurement
from freezetag.report.html import write_html
from freezetag.report.schema import read_json, write_json
from freezetag.report.signature import dose, interaction_map, signature
from freezetag.report.stored import StoredInterval
from freezetag.report.terminal import print_card

numbers = st.floats(-100, 100)


@given(numbers, numbers, st.floats(0, 50), st.floats(-20, 20), st.booleans())
def test_whiskers_cross_the_line_exactly_where_the_interval_crosses_the_limit(
    alone: float, change: float, half: float, fail: float, below: bool
) -> None:
    limits = Limits(fail, fail, "why", harm="below" if below else "above")
    of = StoredInterval(change, change - half, change + half, 9, "m")
    row = Measurement(
        "x", "u", of, iv(alone), iv(alone + change), limits=limits, headline=True
    )  # fmt: skip
    section = replace(commons(), measurements=(row,), verdict=row.verdict)
    figure = signature(card(sections=(section,)))
    assert figure is not None
    low, high = figure.columns["together_low"][0], figure.columns["together_high"][0]
    assert low <= figure.columns["together"][0] <= high
    edge = min(abs(of.low - fail), abs(of.high - fail))
    if edge > 1e-6:  # nearer, rounding in alone + change decides
        sign = -1 if below else 1
        bounds = sorted((sign * (of.low - fail), sign * (of.high - fail)))
        assert (low > 0, high > 0) == (bounds[0] > 0, bounds[1] > 0)


def test_rows_without_limits_or_measurement_are_left_out() -> None:
    assert signature(card(sections=(absent(),))) is None
    free = replace(commons().measurements[0], limits=None)
    assert signature(card(sections=(replace(commons(), measurements=(free,)),))) is None
    whole = signature(card())
    assert whole is not None
    assert list(whole.columns["name"]) == [
        "Strangers", "Commons collapse", "Lock in", "Best response gain",
    ]  # fmt: skip
    assert "in 1 of 4 checks: Strangers" in whole.finding


def test_an_unknown_value_has_no_dot() -> None:
    row = replace(commons().measurements[0], of=iv(math.nan, math.nan, 0), alone=None)
    found = signature(card(sections=(replace(commons(), measurements=(row,)),)))
    assert found is not None
    assert found.columns["together"] == [None]
    assert found.columns["together_low"] == found.columns["together_high"] == [None]


def test_an_arrow_joins_two_values_of_one_quantity_only() -> None:
    """The level alone is .1 and in class .2. Where the class is judged they are joined; where the
    worst company is, .7, that stands alone, with its place; nor is it drawn beside a hollow dot."""
    judged = replace(
        commons().measurements[0], of=iv(0.2), alone=iv(0.1), together=iv(0.2),
        limits=Limits(0.3, 0.5, "why"),
    )  # fmt: skip
    elsewhere = replace(judged, of=iv(0.7), where="beside 4")
    found = signature(
        card(sections=tuple(replace(commons(), measurements=(row,)) for row in (judged, elsewhere)))
    )
    assert found is not None
    assert [text.split(" ", 1)[1] for text in found.columns["right"]] == [
        "0.1 → 0.2", "0.7, beside 4",
    ]  # fmt: skip
    assert [x is not None for x in found.columns["alone"]] == [True, False]
    assert "Filled: the value that is judged" in found.finding
    assert "Filled: class of 30" not in found.finding


def test_a_figure_without_a_pair_has_no_word_of_pairs() -> None:
    row = replace(commons().measurements[0], alone=None)
    found = signature(card(sections=(replace(commons(), measurements=(row,)),)))
    assert found is not None
    assert "Hollow" not in found.finding


def test_what_is_judged_elsewhere_is_said_beside_its_unit() -> None:
    row = replace(commons().measurements[0], where="beside 4")
    one = card(sections=(replace(commons(), measurements=(row,)),))
    assert "share of harvest; judged beside 4" in write_html(one)
    text = io.StringIO()
    print_card(one, text, width=200)
    assert "share of harvest; judged beside 4" in text.getvalue()
    assert read_json(write_json(one)).sections[0].measurements[0].where == "beside 4"


def test_a_world_has_its_settings_only_where_two_rows_would_be_one() -> None:
    worlds = ("market(prices=15)", "flash_crash", "flash_crash(halt=4)")
    sections = tuple(replace(commons(), world=world) for world in worlds)
    found = signature(card(sections=sections))
    assert found is not None
    assert [name.split(" · ")[1] for name in found.columns["name"]] == [
        "market", "flash_crash", "flash_crash(halt=4)",
    ]  # fmt: skip


def test_the_dose_response_is_of_the_worst_section() -> None:
    found = dose(card())
    assert found is not None
    assert found[0].probe == "strangers"
    assert dose(card(sections=(commons(),))) is None


def test_the_map_says_what_the_agent_does() -> None:
    level = [[None, 0.2, 0.4], [0.9, None, 0.5], [0.7, 0.1, None]]
    figure = interaction_map(card(interaction={"players": ["me", "a", "a"], "level": level}))
    assert figure is not None
    assert "me acts at a mean level of 0.3; the median of its classmates is 0.55" in figure.finding
    assert "They act towards it at 0.8" in figure.finding
    assert set(figure.columns["row"]) == {"me", "a", "a (2)"}


@pytest.mark.parametrize("broken", [{}, {"players": ["a"]}, {"players": ["a"], "level": [[None]]}])
def test_no_map_without_data(broken: dict[str, list[str]]) -> None:
    assert interaction_map(card(interaction=broken)) is None
