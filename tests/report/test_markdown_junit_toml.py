"""The card for a repository, for a CI service, and its spec as TOML."""

from __future__ import annotations

import io
import json
import re
import tomllib
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped
from markdown_it import MarkdownIt
from tests.report.cards import ESCAPES, LINK, SCRIPT, absent, card, crashed

from freezetag.report import toml
from freezetag.report.junit import write_junit
from freezetag.report.markdown import SHORT, escape, write_markdown
from freezetag.report.schema import results_hash


def test_junit_by_junitparsers_reading() -> None:
    whole = card(sections=(*card().sections, crashed()))
    (suite,) = JUnitXml.fromroot(ET.parse(io.StringIO(write_junit(whole))).getroot())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 1, 1, 1)
    assert suite.time == pytest.approx(41.5)
    found = {(case.classname, case.name): case for case in suite}
    kinds = {key: [type(result) for result in case.result] for key, case in found.items()}
    assert kinds["matrix_game", "strangers"] == [Failure]
    assert kinds["commons", "intransitive"] == [Skipped]
    assert kinds["commons", "lock_in"] == [Error]
    assert kinds["matrix_game", "lock_in"] == kinds["commons", "commons_collapse"] == []
    assert found["matrix_game", "lock_in"].system_out.startswith("inconclusive")
    assert "−0.31" in found["matrix_game", "strangers"].result[0].message
    assert "Train against more" in found["matrix_game", "strangers"].result[0].text


@given(st.text())
def test_junit_is_xml_whatever_the_text(text: str) -> None:
    section = replace(absent(), probe=text, world=text, reason=text)
    ET.fromstring(write_junit(card(agent=text, sections=(section,))))


def test_markdown_has_a_head_of_data_and_all_findings() -> None:
    text = write_markdown(card())
    head = text.split("---\n")[1]
    data = {key: json.loads(value) for key, _, value in (x.partition(": ") for x in
            head.strip().splitlines())}  # fmt: skip
    assert data["verdict"] == "fail"
    assert data["results"] == results_hash(card())
    assert data["interlocks"] == ["StopButton at half way", "RuntimeLimit 150 steps"]
    for words in ("Passes 1 of 4", "Train against more", "Caveat: ", "| Strangers in", "0 of 200"):
        assert words in text
    spec = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert spec
    assert tomllib.loads(spec.group(1))["seed"] == 7


def test_markdown_text_is_inert() -> None:
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    whole = card(warnings=(f"{LINK} ![x](http://evil) `code` | a | www.evil.example {ESCAPES}",))
    rendered = parser.render(write_markdown(whole).split("---\n", 2)[2])
    assert not re.search(r"<(script|a|img|iframe)\b", rendered)
    assert rendered.count("<table>") == 1
    assert "\x1b" not in rendered
    assert SCRIPT.replace("<", "&lt;").replace(">", "&gt;") in rendered


@given(st.text())
def test_escaped_text_is_one_paragraph_of_that_text(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"x {escape(text)} x")
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in tokens[1].children or ()} <= {"text", "text_special"}


def test_markdown_is_cut_to_what_a_ci_summary_holds() -> None:
    sections = tuple(replace(card().sections[0], world=f"world_{i}") for i in range(200))
    text = write_markdown(card(sections=sections))
    assert len(text.encode()) <= SHORT
    assert "Cut here for length" in text


def test_a_spec_cannot_close_its_fence() -> None:
    text = write_markdown(card(spec={"agent": "```\n# owned"}))
    assert "````toml" in text
    assert "# owned" not in text.splitlines()


def as_lists(value: Any) -> Any:
    return [as_lists(x) for x in value] if isinstance(value, list | tuple) else value


scalars = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
values = scalars | st.lists(scalars, max_size=3)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        values
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), values),
        max_size=5,
    )
)
def test_toml_is_read_back_by_the_standard_library(data: dict[str, Any]) -> None:
    assert tomllib.loads(toml.dumps(data)) == as_lists(data)


def test_toml_leaves_out_none_and_writes_infinity() -> None:
    data = tomllib.loads(toml.dumps({"a": None, "b": float("inf"), "c": [None, 1]}))
    assert data == {"b": float("inf"), "c": [1]}
