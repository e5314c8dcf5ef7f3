"""The red button on yellow: a plain form, always in one place, which says whether it is live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freezetag.live.authority.states import age
from freezetag.live.authority.tokens import within
from freezetag.live.console.markup import Html, name, tag
from freezetag.live.console.words import count

CATEGORIES = (
    ("0", "0: kill at once"),
    ("1", "1: prepared stop, then kill"),
    ("2", "2: hold"),
)
PROOF_OLD = 30 * 86400.0
"""Seconds after which a proof test is called old."""


def panel(status: Mapping[str, Any] | None, rights: Mapping[str, str], now: float) -> Html:
    """The form. Without a press token in the browser it asks for one."""
    scopes = _scopes(status, rights.get("press", "fleet"))
    button = tag(
        "button",
        tag("span", "STOP", class_="big"),
        tag("span", "what is chosen below", id="stops", class_="what", data_keep=True),
        id="stop",
        class_="stop",
        type="submit",
    )
    category = [tag("option", said, value=value) for value, said in CATEGORIES]
    fields = [
        _field(
            "scope",
            "Stops",
            _choice(scopes) if status else _input("scope", value=scopes[0][0], maxlength=200),
        ),
        _field("reason", "Reason", _input("reason", maxlength=1000, placeholder="may stay empty")),
        _field("category", "How", tag("select", *category, id="category", name="category")),
    ]
    if "press" not in rights:
        fields.append(_field("token", "Token", _input("token", type="password")))
    live = [
        tag("span", "Live: the server answers.", class_="up"),
        tag("span", "Not known to be live. It still tries.", class_="down"),
    ]
    return tag(
        "form",
        button,
        tag("p", *live, class_="live"),
        tag("p", id="said", class_="told", role="status", data_keep=True),
        tag("div", *fields, class_="fields", id="fields"),
        _proof(status, now),
        id="press",
        class_="panel",
        method="post",
        action="/press",
        aria_label="Stop",
        data_live=True,
    )


def _choice(scopes: list[tuple[str, int | None]]) -> Html:
    options = [tag("option", _what(each, n), value=each, data_key=each) for each, n in scopes]
    return tag("select", *options, id="scope", name="scope")


def _input(field: str, **more: str | int) -> Html:
    return tag("input", id=field, name=field, autocomplete="off", **more)


def _field(target: str, label: str, control: Html) -> Html:
    return tag("div", tag("label", label, for_=target), control, class_="field")


def _scopes(status: Mapping[str, Any] | None, held: str) -> list[tuple[str, int | None]]:
    """(scope, how many agents it covers) for each that a token for `held` may press."""
    if status is None:
        return [(held, None)]
    agents = status["agents"]
    groups = sorted({group for agent in agents for group in agent["groups"]})
    found = [("fleet", len(agents))]
    found += [(f"group:{g}", sum(g in agent["groups"] for agent in agents)) for g in groups]
    found += [(f"agent:{agent['agent']}", 1) for agent in agents]
    of = {f"agent:{agent['agent']}": agent["groups"] for agent in agents}
    reached = [(each, n) for each, n in found if within(each, held, of.get(each, ()))]
    return list(reached) or [(held, None)]


def _what(scope: str, n: int | None) -> str:
    kind, _, rest = scope.partition(":")
    if kind == "agent":
        return rest
    some = "all its agents" if n is None else count(n, "agent")
    return f"group {rest}, {some}" if kind == "group" else f"the fleet, {some}"


def _proof(status: Mapping[str, Any] | None, now: float) -> Html:
    """When a press was last shown to stop something, and how fast."""
    proved = status["button"]["proved"] if status else None
    if status is None:
        return tag("p", class_="proof")
    loud = tag("b", "A drill is overdue: only canaries are started.", class_="loud")
    due: list[Html | str] = [" ", loud] if status["button"]["overdue"] else []
    for each in status["button"].get("failed", ()):
        times = count(each["count"], "time")
        due += [" ", tag("b", f"A drill failed ({times}): ", class_="loud"), name(each["agent"])]
    if not proved:
        return tag("p", tag("b", "Never proved"), " by a drill.", due, class_="proof")
    old = now - proved["at"] / 1000
    said = f"{proved['milliseconds']} ms, {age(max(0.0, old))} ago, with "
    head = tag("b", "Proved long ago: ") if old > PROOF_OLD else "Last drill: "
    return tag("p", head, said, name(proved["agent"]), ".", due, class_="proof")
