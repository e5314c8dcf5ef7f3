"""The page of a reset: what would be cleared, the text to sign, and places for the signatures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from freezetag.live.console.answers import plain
from freezetag.live.console.browser import sign_here
from freezetag.live.console.markup import Html, name, tag
from freezetag.live.console.words import clock, count, scope
from freezetag.live.signed.browser_key import Certificate
from freezetag.live.signed.presses import SIGNED

PASTE = '{"signatures": {…}, "text": …}'
COLUMNS = ("pressed", "scope", "by", "reason", "covers", "times", "id")


def reset(
    status: Mapping[str, Any],
    draft: Mapping[str, Any] | None,
    warning: str = "",
    keys: Sequence[Certificate] = (),
    origin: str = "",
) -> Html:
    """The page; `draft` as `Resets.draft` gives it, None if no press stands; `warning` is of the
    STOP file, which presses again however many people sign; `keys` in browsers work at `origin`."""
    if draft is None:
        said = tag("p", "No press stands, so there is nothing to clear.")
        return plain("Reset", tag("h1", "Reset"), said)
    named = set(draft["presses"])
    return plain(
        "Reset",
        tag("h1", f"Reset {count(len(named), 'press')}"),
        tag("p", "Clearing starts nothing: the agents are HELD then, each until it is started."),
        tag("p", warning, class_="loud") if warning else None,
        _presses(status, named),
        _left(draft["left"]),
        tag("h2", "What is signed"),
        _text(draft),
        tag("h2", "Signatures"),
        _people(status, draft),
        _form(draft),
        sign_here(SIGNED, draft["text"], "/reset", keys, origin),
    )


def _presses(status: Mapping[str, Any], named: set[str]) -> Html:
    rows = []
    for press in status["presses"]:
        if press["id"] in named:
            cells = (
                clock(press["when"], "%Y-%m-%d %H:%M:%S"),
                scope(press["scope"]),
                name(press["who"]),
                name(press["reason"]),
                count(press["agents"], "agent"),
                str(press["repeats"] + 1),
                tag("code", press["id"][:8], title=press["id"]),
            )
            rows.append(tag("tr", [tag("td", cell) for cell in cells]))
    head = tag("thead", tag("tr", [tag("th", column, scope="col") for column in COLUMNS]))
    table = tag("table", head, tag("tbody", *rows))
    label = "presses that would be cleared"
    return tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=label)


def _left(ids: list[str]) -> Html | None:
    """Presses since the draft was made: they stand whatever becomes of it."""
    if not ids:
        return None
    said = f"Not in this text, since it was drafted before: {count(len(ids), 'newer press')}. "
    fresh = tag("a", "Draft a new text for all", href="/reset?fresh=1")
    return tag("p", said, fresh, "; the signatures given so far are lost with it.", class_="loud")


def _text(draft: Mapping[str, Any]) -> Html:
    head = json.loads(draft["text"])["head"]
    root = tag("code", head["root"][:16], title=head["root"])
    said = (
        "This text and nothing else: the presses, how often each was seen pressed, and the head of "
        f"the ledger ({count(head['size'], 'record')}, root "
    )
    rest = (
        "). A later press or repeat is not covered. It can be signed for "
        f"{draft['seconds'] // 60} more minutes."
    )
    download = tag(
        "form",
        tag("input", type="hidden", name="text", value=draft["text"]),
        tag("button", "Download it"),
        " and each sign it: ",
        tag("code", "freezetag reset --draft clearance.json --key ada.key > ada.json"),
        method="post",
        action="/reset/clearance.json",
        class_="download",
    )
    return tag(
        "div",
        tag("p", said, root, rest),
        tag("pre", draft["text"], id="draft", tabindex=0),
        download,
    )


def _people(status: Mapping[str, Any], draft: Mapping[str, Any]) -> Html:
    needed, done = draft["needed"], draft["signed"]
    who = [tag("li", name(each), ": ", "signed" if each in done else "not signed")
           for each in status["people"]]  # fmt: skip
    if status["solo"]:
        rule = tag("b", "SOLO: one person suffices here.")
    elif needed == 1:
        rule = tag("b", "A drill: one person suffices.")
    else:
        rule = tag("b", f"{len(done)} of {needed} different people.")
    return tag("div", tag("p", rule), tag("ul", *who, class_="people"))


def _form(draft: Mapping[str, Any]) -> Html:
    fields = []
    for n in range(1, draft["needed"] - len(draft["signed"]) + 1):
        area = tag("textarea", id=f"signature-{n}", name=f"signature-{n}", rows=4,
                   placeholder=PASTE, spellcheck="false", autocomplete="off")  # fmt: skip
        file = tag("input", type="file", accept=".json", data_into=f"signature-{n}",
                   aria_label=f"signed file {n}", class_="file")  # fmt: skip
        label = tag("label", f"Signed file {n}", for_=f"signature-{n}")
        fields.append(tag("div", label, area, file, class_="signature"))
    return tag("form", *fields, tag("button", "Hand in"), method="post", action="/reset",
               class_="signatures")  # fmt: skip
