"""The console's pages without a browser: escaping, words, and nothing that looks fine."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from freezetag.live.authority.states import Shown, age
from freezetag.live.console import answers
from freezetag.live.console.agents import counts
from freezetag.live.console.markup import Html, join, tag
from freezetag.live.console.page import console
from freezetag.live.console.words import LOOKS, event, look
from freezetag.live.server.handlers.console import BEAT
from freezetag.report import palette

CSS = files("freezetag.live.console").joinpath("console.css").read_text("utf-8")
KINDS = ("press", "repeat", "ack", "clear", "start", "held", "enrol", "drill", "alarm", "key", "x")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "who", "scope", "unknown", "body"]), inner)
    ),
    max_leaves=6,
)
# Characters that HTML itself replaces or that end lines are not kept as they are.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40)


class Reader(HTMLParser):
    """What a browser would make of markup."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def life(shown: str, **fields: Any) -> dict[str, Any]:
    known = {"b": "0a" * 16, "heard": 0.5, "in_flight": 0, "last": 3, "unknown": []}
    return {**known, "shown": shown, "connected": True, **fields}


def agent(name: str, shown: str, **fields: Any) -> dict[str, Any]:
    known = {"groups": [], "presses": [], "started": True, "incarnations": [life(shown)]}
    return {"agent": name, "shown": shown, **known, **fields}


def status(*agents: dict[str, Any], **fields: Any) -> dict[str, Any]:
    order = [str(shown) for shown in Shown]
    known = {
        "authority": "school",
        "at": 0,
        "solo": False,
        "people": ["ann", "bob"],
        "locked": [],
        "storage": "durable",
        "banner": min((each["shown"] for each in agents), key=order.index, default="held"),
        "bound": 5.005,
        "size": 7,
        "root": "ab" * 32,
        "button": {"agents": len(agents), "proved": None, "drill_within": 0, "overdue": False},
        "agents": list(agents),
        "presses": [],
        "pending": [],
        "alarms": [],
        "spurious": 0,
        "timeline": [],
    }
    return {**known, **fields}


def shown_of(page: str, part: str, end: str) -> str:
    return Reader(page[page.index(part) : page.index(end, page.index(part))]).text


@given(TEXT, TEXT)
def test_text_is_text_wherever_it_stands(inside: str, attribute: str) -> None:
    read = Reader(tag("p", inside, title=attribute))
    assert read.text == inside
    assert read.tags == [("p", {"title": attribute})]


def test_only_markup_is_not_escaped() -> None:
    assert join("<", Html("<b>"), [None, "&"]) == "&lt;<b>&amp;"
    assert tag("input", name="a", required=True, hidden=False) == '<input name="a" required>'


@given(st.lists(st.sampled_from([str(shown) for shown in Shown] + ["green"]), max_size=12))
def test_the_counts_add_up_to_the_enrolled(states: list[str]) -> None:
    shown = counts([agent(f"a{n}", state) for n, state in enumerate(states)])
    numbers = [int(n) for n in re.findall(r"<dd><span>(\d+)</span></dd>", shown)]
    assert numbers[0] == sum(numbers[1:]) == len(states)


def test_a_state_that_the_page_does_not_know_is_unknown() -> None:
    assert look("all fine").key == "unknown"
    assert set(LOOKS) == set(Shown)
    assert len({known.shape for known in LOOKS.values()}) == len(LOOKS)


@given(st.sampled_from(KINDS), JSON)
def test_no_record_breaks_the_timeline(kind: str, body: Any) -> None:
    join(event(kind, body, {})[1])


def test_every_kind_of_record_is_a_sentence() -> None:
    press = {"id": "1", "kind": "interlock", "scope": "closure:a", "who": "w", "reason": "r"}
    press |= {"when": 0}
    ack = {"gate": "a", "acked": "b", "presses": [], "cause": "expired", "last": 4}
    ack |= {"unknown": ["x"]}
    enrol = {"agent": "a", "groups": [], "on_stop": "rest_is_safe", "limits": {}}
    said = {
        "press": (press, "tripped a and all that depend on it by w: r"),
        "repeat": ({"press": "1", "replica": "r", "count": 2}, "pressed again (2) group g"),
        "ack": (ack, "stopped a, its lease had run out, last action 4; 1 outcome unknown"),
        "clear": (
            {"text": "", "signatures": {"a": "", "b": ""}},
            "cleared with 2 signatures; held now",
        ),
        "start": ({"agent": "a", "who": "w", "epoch": 3}, "started a by w, epoch 3"),
        "held": ({"agent": "a", "why": "silent"}, "held a: silent"),
        "enrol": (enrol, "enrolled a"),
        "drill": ({"agent": "a", "ms": 9}, "proved a: drill acknowledged after 9 ms"),
        "alarm": ({"agent": "a", "what": "late"}, "note a: late"),
        "new": ({}, "new"),
    }
    for kind, (body, sentence) in said.items():
        markup = join(event(kind, body, {"1": "group:g"})[1])
        assert Reader(markup).text == sentence


def test_what_a_browser_keeps_is_told_before_it_may_see_states() -> None:
    assert "Kept so far: press." in Reader(console(None, {"press": "fleet"}, 0.0)).text
    assert "Kept so far: none." in Reader(console(None, {}, 0.0)).text


def test_the_banner_tells_who_has_no_gate_yet_from_who_may_have_work_in_flight() -> None:
    waits = agent("a", "unknown_in_flight", incarnations=[life("unknown_in_flight", b="")])
    doubt = agent("b", "unknown_in_flight")
    page = console(status(waits), {}, 0.0)
    assert "1 of 1 agent may act: started, but no gate has asked." in page
    assert "left work in doubt" in console(status(waits, doubt), {}, 0.0)


def test_why_an_agent_waits_stands_in_its_newest_row() -> None:
    lives = [life("unknown_in_flight", b="1" * 32), life("held")]
    page = console(status(agent("a", "held", incarnations=lives, why="nobody <is> here")), {}, 0.0)
    assert page.count("nobody &lt;is&gt; here") == 1


def test_stopped_takes_a_press_that_is_durable() -> None:
    acked = life("stopped_acknowledged")
    page = console(status(agent("a", "stopping", incarnations=[acked])), {}, 0.0)
    assert shown_of(page, 'id="agents"', "</ol>").count("stopping") == 1
    both = [life("unknown_in_flight", b="1" * 32), acked]
    page = console(status(agent("a", "unknown_in_flight", incarnations=both)), {}, 0.0)
    assert "unknown" in shown_of(page, 'id="agents"', "</ol>")


def test_the_banner_says_what_is_wrong() -> None:
    page = console(
        status(agent("a", "running"), locked=["rolled back"], storage="NOT durable", solo=True),
        {},
        0.0,
    )
    banner = shown_of(page, "<header", "</header>")
    for said in ("rolled back", "NOT durable", "ONE person (solo)", "5.005 s", "tier 0"):
        assert said.replace("tier 0", "0 assumed") in banner
    assert "There is no agent" in shown_of(console(status(), {}, 0.0), "<header", "</header>")


def test_the_button_names_its_scopes_and_its_last_proof() -> None:
    agents = [agent("a", "running", groups=["g"]), agent("b", "running")]
    proved = {"agent": "a", "at": 0, "milliseconds": 143}
    button = {"agents": 2, "proved": proved, "drill_within": 60, "overdue": False}
    told = status(*agents, button=button)
    late = status(*agents, button=button | {"overdue": True})

    def options(rights: dict[str, str]) -> list[str]:
        return [
            str(attributes["value"])
            for name, attributes in Reader(console(told, rights, 60.0)).tags
            if name == "option" and attributes["value"] not in ("0", "1", "2")
        ]

    assert options({}) == ["fleet", "group:g", "agent:a", "agent:b"]
    assert options({"press": "group:g"}) == ["group:g", "agent:a"]
    assert options({"press": "agent:b"}) == ["agent:b"]
    assert "Last drill: 143 ms, 60.0 s ago" in Reader(console(told, {}, 60.0)).text
    assert "Proved long ago" in Reader(console(told, {}, 1e7)).text
    assert "Never proved" in Reader(console(status(*agents), {}, 60.0)).text
    assert "only canaries are started" not in Reader(console(told, {}, 61.0)).text
    assert "only canaries are started" in Reader(console(late, {}, 61.0)).text


def test_a_browser_without_rights_sees_the_button_and_no_name() -> None:
    page = console(None, {}, 0.0)
    assert {"action": "/press", "method": "post"}.items() <= dict(
        next(attributes for name, attributes in Reader(page).tags if name == "form")
    ).items()
    assert "not shown" in Reader(page).text


def test_after_a_press_that_is_not_durable() -> None:
    told = {"id": "0" * 32, "state": "stopping, NOT durable", "agents": 120}
    text = Reader(answers.pressed(told, "fleet", [f"a{n}" for n in range(120)], 5.005)).text
    assert "Pressed, but NOT durable." in text
    assert "freezetag press" in text
    assert "and 20 more" in text


def test_ages_are_in_a_unit_that_fits() -> None:
    assert [age(s) for s in (0.04, 119, 121, 7300, 3 * 86400)] == [
        "0.0 s", "119.0 s", "2 min", "2 h", "3 d",
    ]  # fmt: skip


def test_nothing_is_green() -> None:
    found = re.findall(r"#([0-9a-f]{6})\b", CSS)
    assert len(found) > 40
    for colour in found:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (0, 2, 4))
        assert green <= max(red, blue) + 12, f"#{colour} is green"


def test_colours_that_it_shares_with_the_card_are_the_same() -> None:
    light, dark = CSS.split("@media (prefers-color-scheme: dark)")
    for part, scheme in ((light, palette.LIGHT), (dark, palette.DARK)):
        for name in ("paper", "ink", "soft"):
            assert f"--{name}: {scheme[name]};" in part


def test_news_come_often_enough_that_nothing_fresh_fades() -> None:
    rest = re.search(r"--rest: ([\d.]+)s", CSS)
    assert rest
    assert float(rest[1]) >= 2 * BEAT
