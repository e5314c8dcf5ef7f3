"""Every kind of figure: found by folder, drawn without traps, refused where its data are wrong."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.cards import ESCAPES, LINK, SCRIPT, card

from freezetag.core import Figure
from freezetag.report import palette, signature, svg
from freezetag.report.svg import FigureError


def examples() -> dict[str, Figure]:
    """One figure of each kind, with missing values and hostile names."""
    found = {figure.kind: figure for s in card().sections for figure in s.figures}
    found["dumbbell"] = Figure(
        "dumbbell",
        "Two arms",
        "It loses.",
        {
            "name": ["a", SCRIPT, LINK],
            "alone": [0.9, 0.5, None],
            "together": [0.6, math.nan, None],
            "alone_low": [0.8, 0.4, None],
            "alone_high": [0.95, 0.6, None],
            "fail": [0.7, 0.7, None],
            "harm": ["below", "above", "above"],
        },
        {"x": "reward per step"},
    )
    the_map = signature.interaction_map(card())
    assert the_map is not None
    found["heatmap"] = the_map
    found["timeline"] = Figure(
        "timeline",
        "Who did what",
        "It stops.",
        {
            "row": [SCRIPT, SCRIPT, LINK, LINK],
            "step": [0, 1, 0, 1],
            "value": [0.0, 1.0, None, math.nan],
            "mark": ["", "stopped", "", ""],
        },
        {"mark": "stopped"},
    )
    return found


def test_every_kind_of_the_folder_has_an_example() -> None:
    assert tuple(sorted(examples())) == svg.kinds()


@pytest.mark.parametrize("kind", svg.kinds())
def test_a_figure_is_a_clean_svg(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    drawn = svg.draw(examples()[kind])
    assert capfd.readouterr().out == ""
    root = ET.fromstring(drawn)
    assert root.get("viewBox")
    assert root.get("role") == "img"
    assert root[0].tag.endswith("title")
    assert examples()[kind].title in (root[0].text or "")
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= svg.TAGS | {"title"}
    for forbidden in ("<style", "<script", "<a ", "url(http", "rgb(", "NaN", "Exception"):
        assert forbidden not in drawn
    assert {name for e in root.iter() for name in e.attrib} <= svg.ATTRIBUTES | {
        *("role", "viewBox", "aria-label")
    }
    assert set(re.findall(r"var\(--([\w-]+)\)", drawn)) <= set(palette.LIGHT)


def places(element: ET.Element, x: float = 0, y: float = 0) -> dict[str, tuple[float, float]]:
    """Where the labels of the axis below stand."""
    if move := re.match(r"translate\(([-\d.]+) ([-\d.]+)", element.get("transform", "")):
        x, y = x + float(move[1]), y + float(move[2])
    if element.get("class") == "axis-text-x":
        return {"".join(element.itertext()): (x, y + float(element.get("y", "0")))}
    return {word: at for child in element for word, at in places(child, x, y).items()}


@pytest.mark.parametrize("value", [-1.5, -0.1, 0.0, 0.1, 1.5])
@pytest.mark.parametrize("name", ["a", "Acted after stop", "a name as long as there is room"])
def test_the_labels_of_a_limit_stand_in_one_line(value: float, name: str) -> None:
    """Wherever the values are: also if all are at the limit, or past it."""
    columns = {"name": [name], "alone": [None], "together": [value], "fail": [0.0], "right": ["0"]}
    root = ET.fromstring(
        svg.draw(Figure("dumbbell", "x", "y", columns, {"zone": "past the limit"}))
    )
    found = places(root)
    assert set(found) == {"← good", "limit", "past it →"}
    (good, limit, past), heights = zip(*(found[each] for each in found), strict=True)
    assert len(set(heights)) == 1
    assert good + 45 < limit < past - 50


@pytest.mark.parametrize("kind", svg.kinds())
def test_a_figure_is_drawn_twice_the_same(kind: str) -> None:
    assert svg.draw(examples()[kind]) == svg.draw(examples()[kind])


def test_another_process_draws_the_same_bytes() -> None:
    code = (
        "from tests.report.test_figures import examples\nfrom freezetag.report import svg\n"
        "import hashlib\nprint(hashlib.sha256(svg.draw(examples()['curve']).encode()).hexdigest())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True, text=True, check=True, timeout=120,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(seen) == 1


@pytest.mark.parametrize("kind", svg.kinds())
def test_text_is_shown_and_does_nothing(kind: str) -> None:
    figure = examples()[kind]
    columns = {
        name: [f"{LINK}{SCRIPT}{ESCAPES}\\(x^2\\) {i % 3}" for i, _ in enumerate(column)]
        if column and isinstance(column[0], str) and name != "harm"
        else column
        for name, column in figure.columns.items()
    }
    hostile = replace(figure, columns=columns, title=SCRIPT, finding=ESCAPES)
    drawn = svg.draw(hostile)
    assert "<script" not in drawn
    assert "<a " not in drawn
    assert "\x1b" not in drawn
    assert "‹a href" in drawn or kind == "dose_response"
    assert not [e for e in ET.fromstring(drawn).iter() if "href" in " ".join(e.attrib)]


@pytest.mark.parametrize("kind", svg.kinds())
def test_all_values_missing_is_still_a_figure(kind: str) -> None:
    figure = examples()[kind]
    columns = {
        name: [None if isinstance(v, int | float) and not isinstance(v, bool) else v for v in c]
        for name, c in figure.columns.items()
    }
    assert svg.draw(replace(figure, columns=columns)).startswith("<svg")


@pytest.mark.parametrize("kind", svg.kinds())
def test_a_missing_column_is_named(kind: str) -> None:
    figure = examples()[kind]
    name = next(iter(figure.columns))
    columns = {key: column for key, column in figure.columns.items() if key != name}
    with pytest.raises(FigureError, match=rf"lacks the column\(s\) {name}"):
        svg.draw(replace(figure, columns=columns))


def test_an_unknown_column_kind_or_length_is_refused() -> None:
    figure = examples()["bars"]
    with pytest.raises(FigureError, match="unknown column"):
        svg.draw(replace(figure, columns={**figure.columns, "vaule": [1, 2, 3]}))
    with pytest.raises(FigureError, match="one length"):
        svg.draw(replace(figure, columns={**figure.columns, "value": [1]}))
    with pytest.raises(FigureError, match="at least 1"):
        svg.draw(replace(figure, columns={name: [] for name in figure.columns}))
    for kind in ("pie", "_frame", "../svg", "__init__"):
        with pytest.raises(FigureError, match="no figure kind"):
            svg.draw(replace(figure, kind=kind))
    with pytest.raises(FigureError, match="one number in every row"):
        svg.draw(replace(figure, columns={**figure.columns, "limit": [1, 2, 3]}))
    names = [str(i) for i in range(7)]
    with pytest.raises(FigureError, match="at most 6 series"):
        svg.draw(Figure("dots", "t", "f", {"name": names, "value": [1] * 7, "series": names}))


def test_an_error_drawn_as_text_is_raised() -> None:
    from lets_plot import aes, geom_point, ggplot

    raw = (ggplot({"x": [1]}, aes("x", "nope")) + geom_point()).to_svg()
    with pytest.raises(FigureError, match="Variable not found"):
        svg.tidy(raw, "t", "f")


def test_an_agent_called_exception_is_no_error() -> None:
    figure = Figure("bars", "t", "f", {"name": ["Exception: boo"], "value": [1.0]})
    assert "Exception: boo" in svg.draw(figure)


def test_rows_that_lets_plot_drops_are_an_error() -> None:
    figure = examples()["survival"]
    outside = {**figure.columns, "share": [7.0] * len(figure.columns["share"])}
    with pytest.raises(FigureError, match="Removed"):
        svg.draw(replace(figure, columns=outside))


def test_names_that_become_equal_stay_different_rows() -> None:
    drawn = svg.draw(Figure("dots", "t", "f", {"name": ["x" * 60 + "1", "x" * 60 + "2"],
                                                "value": [1.0, 2.0]}))  # fmt: skip
    assert "(2)" in drawn


@pytest.mark.parametrize("kind", ["curve", "dose_response", "survival"])
def test_one_point_is_no_line_and_no_error(kind: str) -> None:
    names = {"curve": ("x", "y"), "dose_response": ("size", "value"), "survival": ("time", "share")}
    columns = {**{name: [1.0] for name in names[kind]}, "low": [0.5], "high": [1.0]}
    assert "<circle" in svg.draw(Figure(kind, "t", "f", columns))


def test_arrays_are_columns_too() -> None:
    figure = Figure("curve", "t", "f", {"x": np.arange(3), "y": np.array([0.1, np.nan, 0.3])})
    assert svg.draw(figure).startswith("<svg")


def test_infinity_has_a_place() -> None:
    assert "∞" in svg.draw(examples()["curve"])


def test_missing_cells_have_their_own_mark() -> None:
    cells: dict[str, Any] = {"row": ["a", "a"], "column": ["x", "y"]}
    full = svg.draw(Figure("heatmap", "t", "f", {**cells, "value": [0.1, 0.9]}))
    holed = svg.draw(Figure("heatmap", "t", "f", {**cells, "value": [0.1, None]}))
    assert palette.LIGHT["axis"] not in full
    assert "var(--axis)" not in full
    assert "var(--axis)" in holed


def test_a_standalone_file_has_the_colours_of_its_scheme() -> None:
    drawn = svg.draw(examples()["dots"])
    for scheme in (palette.LIGHT, palette.DARK):
        alone = svg.standalone(drawn, scheme)
        assert "var(" not in alone
        assert scheme["series-1"] in alone
        ET.fromstring(alone)


finite = st.floats(min_value=-1e6, max_value=1e6) | st.just(math.nan)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), finite), min_size=1, max_size=6))
def test_any_names_and_values_are_drawn(rows: list[tuple[str, float]]) -> None:
    columns = {"name": [name for name, _ in rows], "value": [value for _, value in rows]}
    for kind in ("dots", "strip"):
        ET.fromstring(svg.draw(Figure(kind, "t", "f", columns)))


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_colours_stand_out_from_the_paper(scheme: dict[str, str]) -> None:
    """WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for graphics (1.4.11)."""
    assert scheme.keys() == palette.LIGHT.keys()
    assert len(set(scheme.values())) == len(scheme)
    assert contrast(scheme["ink"], scheme["paper"]) >= 7
    assert contrast(scheme["soft"], scheme["paper"]) >= 4.5
    for name in (*palette.SERIES, "harm", "axis"):
        assert contrast(scheme[name], scheme["paper"]) >= 3, name


def test_long_names_leave_room_for_what_stands_on_the_right() -> None:
    from freezetag.report.figures import dumbbell

    def most(name: str) -> float:
        columns = {"name": [name], "alone": [-1.0], "together": [-0.9], "right": ["0.542 → 0.535"]}
        scales = dumbbell.plot(columns, {"zone": "1"}).as_dict()["scales"]
        return max(each["limits"][1] for each in scales if each["aesthetic"] == "x")

    assert most("Best response gain · matrix_game") > most("Strangers")
