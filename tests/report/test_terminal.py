"""The table in a terminal: widths, words beside colours, and text that attacks the screen."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.report.cards import ESCAPES, SCRIPT, absent, card, tax

from freezetag.core import ReportCard, Section
from freezetag.report import words
from freezetag.report.html import write_html
from freezetag.report.markdown import write_markdown
from freezetag.report.terminal import print_card


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Ascii(io.StringIO):
    encoding = "ascii"


def shown(file: io.StringIO | None = None, width: int | None = None, every: bool = False) -> str:
    stream = file or io.StringIO()
    print_card(card(), stream, width=width, every=every)
    return stream.getvalue()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_every_verdict_is_a_word_and_a_sign() -> None:
    text = shown(width=100)
    for words_ in (
        "FAIL ✗",
        "WARN !",
        "inconclusive ?",
        "pass ✓",
        "(commons): the agent failed at step 3",
    ):
        assert words_ in text


def test_the_table_keeps_to_its_width() -> None:
    table = shown(width=100).split("Interlock tax")[0]
    assert max(cell_len(line) for line in table.splitlines()) <= 100
    assert "class of 30" in table.splitlines()[0]


def test_the_arms_are_called_what_they_were() -> None:
    few = replace(card(), spec={**card().spec, "classmates": 5})
    recorded = replace(card(), sections=tuple(map(without_arms, card().sections)))
    for each, arms in ((few, ("class of 1", "class of 5")), (recorded, ())):
        assert words.arms(each) == arms
        stream = io.StringIO()
        print_card(each, stream, width=100)
        table = re.findall(r"class of \d+", stream.getvalue().splitlines()[0])
        page = re.findall(r'<th scope="col">(class of \d+)', write_html(each))
        assert table == list(arms)
        assert set(page) == set(arms)
        heads = " | ".join(("check", "verdict", *arms, "change or value"))
        assert f"| {heads}" in write_markdown(each)


def without_arms(section: Section) -> Section:
    rows = tuple(replace(row, alone=None, together=None) for row in section.measurements)
    return replace(section, measurements=rows)


def test_narrow_is_key_and_value() -> None:
    lines = shown(width=60).splitlines()
    assert "class of 30: 0.61" in lines
    assert "verdict: FAIL ✗" in lines


def test_colour_only_in_a_terminal_and_never_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" in shown(Terminal(), width=100)
    assert "\x1b" not in shown(width=100)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", shown(Terminal(), width=100))


def test_agents_text_does_not_act_on_the_screen() -> None:
    text = shown(width=100, every=True)
    assert SCRIPT in text
    assert "[2J[red]" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_an_ascii_stream_gets_ascii() -> None:
    text = shown(Ascii(), width=100)
    assert text.isascii()
    assert "FAIL x" in text
    assert "-0.31" in text


def test_what_was_judged_leads_and_a_reason_has_one_line() -> None:
    others = tuple(replace(absent(), probe=name) for name in ("first", "second"))
    lines = shown_of(replace(card(), sections=(*others, tax(), *card().sections[:4]))).splitlines()
    assert lines[1].startswith("Strangers")
    (told,) = [line for line in lines if line.startswith("Interlock tax (")]
    assert told == "Interlock tax (reward per step): matrix_game 0.02 [0.01, 0.03]"
    (missing,) = [line for line in lines if line.startswith("not measured: ")]
    assert missing.startswith("not measured: First, Second (commons): the agent failed")
    assert lines[-1].startswith("my_agent.py")


def shown_of(one: ReportCard) -> str:
    stream = io.StringIO()
    print_card(one, stream, width=100)
    return stream.getvalue()


def test_every_measurement_on_request() -> None:
    assert "worst case" in shown(width=100, every=True)
    assert "worst case" not in shown(width=100)


@given(st.text())
def test_plain_text_has_no_control_or_format_character(text: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]", words.plain(text))


def test_plain_text_keeps_letters() -> None:
    assert words.plain("α-Rank, naïve, 机器人") == "α-Rank, naïve, 机器人"
    assert "\x1b" not in words.plain(ESCAPES)


@pytest.mark.parametrize("width", [80, 90, 100, 140])
def test_a_verdict_is_never_cut(width: int) -> None:
    text = shown(width=width)
    assert text.splitlines()[0].rstrip().endswith("verdict")
    for verdict in ("FAIL ✗", "WARN !", "inconclusive ?", "pass ✓"):
        assert verdict in text
