"""card.html as text: self-contained, escaped, complete, of bounded size."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from tests.report.cards import ESCAPES, LINK, SCRIPT, absent, card, commons, crashed, iv, strangers

from freezetag.core import Figure, Measurement, ReportCard
from freezetag.report import html, schema, svg
from freezetag.report.schema import results_hash

VOID = {"meta", "br", "circle", "path", "line", "rect", "img", "link"}


class Reader(HTMLParser):
    """Elements and attributes of a page, and whether they are nested properly."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        self.ids.update(str(value) for name, value in attrs if name == "id")
        self.links += [str(value) for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return html.write_html(card(sections=(*card().sections, crashed())))


def test_nothing_is_fetched_or_run(page: str) -> None:
    reader = read(page)
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "main", "footer"}
    assert "default-src 'none'; style-src 'unsafe-inline'" in page
    assert not reader.tags.keys() & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert allowed <= reader.tags.keys()
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= reader.ids.keys()
    assert not [name for name in reader.attributes if name.startswith("on") or name == "src"]
    assert not re.search(r"@import|url\((?!#)", page)


def test_ids_are_unique(page: str) -> None:
    assert not [name for name, times in read(page).ids.items() if times > 1]


def test_hostile_text_is_text(page: str) -> None:
    assert SCRIPT not in page
    assert LINK not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", page)


def test_every_field_is_escaped() -> None:
    evil = f'"><img src=x onerror=alert(1)>{SCRIPT}{ESCAPES}'
    figure = Figure("bars", evil, evil, {"name": [evil], "value": [1.0]}, {"y": evil})
    row = Measurement(
        evil, evil, iv(0.1, note=evil, method=evil), note=evil, regime=evil,
        advice=evil, limits=commons().measurements[0].limits, headline=True,
    )  # fmt: skip
    section = replace(
        commons(), probe=evil, world=evil, asks=evil, source=evil, caveat=evil, reason=evil,
        measurements=(row,), figures=(figure, replace(figure, kind=evil)),
    )  # fmt: skip
    hostile = ReportCard(
        agent=evil, agent_kind=evil, sections=(section, replace(absent(), reason=evil)),
        spec={evil: evil, "seed": evil, "nested": {evil: [evil]}}, versions={evil: evil},
        interlocks=(evil,), interaction={"players": [evil, evil], "level": [[0, 1], [1, 0]]},
        warnings=(evil,), run={evil: evil, "date": evil},
    )  # fmt: skip
    reader = read(html.write_html(hostile))
    assert not reader.tags.keys() & {"img", "script"}
    assert "onerror" not in reader.attributes
    read(html.embed(hostile))


def test_all_that_a_reader_needs_is_there(page: str) -> None:
    whole = card()
    for text in (
        "Passes 1 of 4 checks in a class of 30",
        "StopButton at half way",
        results_hash(card(sections=(*whole.sections, crashed()))),
        "Limits of this card",
        "cannot bind",
        "At a glance",
        "Train against more families",
        "Cap the request",
        "Not measured",
        "agent failed",
        "interlock tax",
        "roster_hash",
        "2026.1",
        "0.10.2",
        "0 of 200: at most 0.0149",
    ):
        assert text in page
    for section in whole.sections:
        assert section.asks in unescape(page)
        if section.verdict != "not measured":
            assert section.caveat in unescape(page)
            assert section.source in unescape(page)
            assert all(figure.finding.split("<")[0] in page for figure in section.figures)
    reader = read(page)
    assert reader.tags["figure"] == reader.tags["figcaption"] == page.count("<summary>The numbers")


def test_a_check_that_passed_is_folded_and_one_that_did_not_is_open(page: str) -> None:
    folds = re.findall(
        r'<details class="folded"( open)?>.*?<span class="badge ([\w-]+)', page, re.S
    )
    assert {verdict for _, verdict in folds} >= {"fail", "inconclusive"}
    assert all(
        bool(opened) == (verdict in {"fail", "warn", "inconclusive"}) for opened, verdict in folds
    )


def test_what_failed_warned_or_stayed_open_is_named_at_the_top_with_its_place(page: str) -> None:
    top = page[page.index('class="leads"') : page.index('class="facts"')]
    assert re.findall(r'href="#(check-\d+)">([^<]+)<', top)
    for place, name in re.findall(r'href="#(check-\d+)">([^<]+)<', top):
        assert f'<h2 id="{place}">{name}' in page
    verdicts = [section.verdict for section in card().shown]
    assert top.count("href=") == sum(v in ("fail", "warn", "inconclusive") for v in verdicts)
    passed = [section for section in card().shown if section.verdict == "pass"]
    assert 'class="leads"' not in html.write_html(card(sections=tuple(passed)))


def test_rows_stand_under_their_theme_with_the_worst_verdict_first() -> None:
    lock, commons_ = replace(card().sections[0], theme="loops"), replace(commons(), theme="motives")
    page = html.write_html(card(sections=(lock, commons_, replace(lock, world="other"))))
    heads = re.findall(r'scope="rowgroup"[^>]*>(\w+) <span class="small">([^<]*)<', page)
    assert [name for name, _ in heads] == ["Loops", "Motives"]
    assert heads[0][1].startswith("2 ")
    assert page.index(">Loops <") < page.index(">Motives <")
    one = html.write_html(card(sections=(lock,)))
    assert "rowgroup" not in one


def test_no_advice_for_what_passed(page: str) -> None:
    assert "Forgive once in a while" not in page  # lock_in is inconclusive


def test_a_figure_that_cannot_be_drawn_says_so_and_keeps_its_numbers() -> None:
    figure = Figure("curve", "Odd", "Nothing to see.", {"x": [1, 2], "wrong": [0.123, 0.456]})
    page = html.write_html(card(sections=(replace(commons(), figures=(figure,)),)))
    assert "Not drawn:" in page
    assert "lacks the column(s) y" in page
    assert "0.456" in page


def test_a_bug_in_a_figure_does_not_cost_the_card(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr("freezetag.report.figures.bars.plot", broken)
    page = html.write_html(card(sections=(commons(),)))
    assert "ZeroDivisionError: boom" in page
    with pytest.raises(svg.FigureError, match="boom"):
        svg.draw(commons().figures[1])


def test_small_and_made_smaller(page: str) -> None:
    assert len(page.encode()) < 1_000_000
    many = 60_000
    big = Figure("curve", "Long", "Long.", {"x": list(range(many)), "y": [0.5] * many})
    text = html.write_html(card(sections=(replace(commons(), figures=(big,)),)))
    assert "59600 more rows are in card.json" in text
    assert "more than 5000 are not drawn" in text
    assert len(text.encode()) <= html.LARGEST


def test_the_same_card_gives_the_same_page(page: str) -> None:
    assert html.write_html(card(sections=(*card().sections, crashed()))) == page


def test_a_card_that_was_read_gives_the_same_page(page: str) -> None:
    again = schema.read_json(schema.write_json(card(sections=(*card().sections, crashed()))))
    assert html.write_html(again) == page


def test_an_empty_or_partial_card_is_a_page_too() -> None:
    empty = ReportCard("nobody", "player", (), {}, {})
    assert "Nothing could be judged" in html.write_html(empty)
    assert "<strong>Partial:</strong>" in html.write_html(card(sections=(absent(),), partial=True))


def test_a_section_without_headline_or_limits_has_a_row() -> None:
    rows = tuple(replace(row, headline=False, limits=None) for row in strangers().measurements)
    section = replace(strangers(), measurements=rows, verdict="measured", p_fail=None)
    read(html.write_html(card(sections=(section,))))
