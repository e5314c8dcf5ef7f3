"""The picture of an authority's nodes: what this one knows of the others, and no more."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from freezetag.live.console.nodes import nodes


def told(**fields: Any) -> dict[str, Any]:
    known = {"node": "a", "lease": 2.0, "holds": True, "synchronous": True}
    return {**known, "others": {"b": 0.4, "c": 7.2, "d": None}, **fields}


def texts(markup: str) -> list[str]:
    found = ElementTree.fromstring(markup.replace(" data-live", "")).iter("text")
    return ["".join(each.itertext()).strip("\u2068\u2069") for each in found]


def test_one_server_has_no_picture() -> None:
    assert nodes(None) == ""


def test_each_node_is_drawn_with_what_is_known_of_it() -> None:
    markup = nodes(told())
    said = texts(markup)
    assert "wrote 0.4 s ago" in said
    assert "silent for 7 s: cannot grant by now" in said
    assert "never heard of since this node came up" in said
    assert "on a standby, too" in said
    assert said.count("●") == 2
    assert said.count("?") == 2  # what is silent looks like nothing that is fine
    assert markup.count('class="silent"') == 2
    assert "this one" in markup
    assert "c: silent for 7 s" in markup  # the label, for who cannot see it


def test_a_node_that_may_not_grant_says_so() -> None:
    markup = nodes(told(holds=False, synchronous=False))
    assert "grants nothing: it does not see the ledger" in texts(markup)
    assert "on ONE disk alone" in texts(markup)
    assert markup.count('class="silent"') == 3


def test_names_stay_text_and_a_crowd_is_counted() -> None:
    markup = nodes(told(others={"<b>\u202ename": 0.1, **{f"n{i}": 0.1 for i in range(10)}}))
    assert "<b>" not in markup
    assert "and 4 more" in markup
