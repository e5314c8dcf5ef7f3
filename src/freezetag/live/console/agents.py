"""The class list: every enrolled agent, each of its incarnations a row, silent ones too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from freezetag.live.authority.states import age
from freezetag.live.console.markup import Child, Html, name, tag
from freezetag.live.console.words import LOOKS, look

FEW = 8


def counts(agents: Sequence[Mapping[str, Any]]) -> Html:
    """How many of the enrolled are in which state; they add up to the enrolled."""
    shown = Counter(look(agent["shown"]).key for agent in agents)
    tiles = [_tile("enrolled", "", len(agents), "all")]
    for known in LOOKS.values():
        n = shown[known.key]
        tiles.append(_tile(known.tile, known.shape, n, known.key if n else "none"))
    return tag("dl", *tiles, id="counts", class_="counts", data_live=True)


def _tile(word: str, shape: str, n: int, key: str) -> Html:
    drawn = [tag("i", shape, aria_hidden="true"), " "] if shape else None
    return tag("div", tag("dt", drawn, word), tag("dd", tag("span", str(n))), class_=f"s-{key}")


def agents(listed: Sequence[Mapping[str, Any]], rights: Mapping[str, str]) -> Html:
    """The list; what a browser may not start, it asks a token for."""
    rows = [
        _row(n, agent, incarnation, rights)
        for n, agent in enumerate(listed)
        for incarnation in agent["incarnations"]
    ]
    head = tag(
        "h2",
        "Agents",
        tag("small", " each incarnation a row: last heard, in flight, last action"),
        id="agents-head",
    )
    inner = tag("ol", *rows, class_="few" if len(rows) <= FEW else "many")
    scroll = tag(
        "div", inner, class_="scroll", tabindex=0, role="region", aria_labelledby="agents-head"
    )
    return tag("section", head, scroll, id="agents", class_="agents", data_live=True)


def _row(
    n: int, agent: Mapping[str, Any], incarnation: Mapping[str, Any], rights: Mapping[str, str]
) -> Html:
    shown = incarnation["shown"]
    if look(agent["shown"]).key == "stopping" and look(shown).key in ("acknowledged", "expired"):
        shown = agent["shown"]  # the press that stopped it is not durable yet
    groups = [tag("span", name(group), class_="group") for group in agent["groups"]]
    born = (
        tag("code", incarnation["b"][:6], title=f"incarnation {incarnation['b']}")
        if incarnation["b"]
        else None
    )
    lost = [tag("b", "outcome unknown: ", name(text)) for text in incarnation["unknown"]]
    newest = incarnation is agent["incarnations"][-1]
    return tag(
        "li",
        badge(shown),
        tag(
            "span",
            tag("b", name(agent["agent"])),
            " ",
            born,
            " ",
            groups,
            class_="who",
            title=agent["agent"],
        ),
        tag("span", name(" · ".join(_facts(agent, incarnation))), class_="facts"),
        tag("span", lost, class_="lost-work") if lost else None,
        _start(agent["agent"], rights) if newest and _startable(agent) else None,
        id=f"incarnation-{n}-{incarnation['b']}",
        tabindex=-1,
        data_scope=f"agent:{agent['agent']}",
    )


def badge(shown: str) -> Html:
    """A state in shape, word and colour; the stylesheet lets it fade to unknown."""
    known = look(shown)
    word = tag("span", tag("i", known.shape, aria_hidden="true"), " ", known.word)
    return tag("span", word, class_=f"badge s-{known.key}")


def _facts(agent: Mapping[str, Any], incarnation: Mapping[str, Any]) -> list[str]:
    heard, flying = incarnation["heard"], incarnation["in_flight"]
    facts = ["never heard" if heard is None else f"{age(heard)} ago"]
    if incarnation["b"]:
        facts.append("in flight unknown" if flying is None else f"{flying} in flight")
        if incarnation["last"]:
            facts.append(f"action {incarnation['last']}")
    if look(incarnation["shown"]).key in ("running", "stopping") and not incarnation["connected"]:
        facts.append("no channel: stops by expiry")
    if agent["presses"]:
        facts.append("pressed")
    if agent.get("why") and incarnation is agent["incarnations"][-1]:
        facts.append(agent["why"])
    return facts


def _startable(agent: Mapping[str, Any]) -> bool:
    return not agent["started"] and not agent["presses"]


def _start(agent: str, rights: Mapping[str, str]) -> Html:
    """A reset only permits it; this is the start, by one named person."""
    fields: list[Child] = [
        tag("input", type="hidden", name="agent", value=agent),
        _input("who", "who starts it", "your name", maxlength=200, autocomplete="name"),
    ]
    if "start" not in rights:
        secret = {"type": "password", "autocomplete": "off"}
        fields.append(_input("token", "start token", "start token", **secret))
    go = tag("button", "Start ", name(agent))
    form = tag("form", *fields, go, method="post", action="/api/start")
    return tag("details", tag("summary", "Start…"), form, class_="start")


def _input(field: str, label: str, hint: str, **more: str | int) -> Html:
    return tag("input", name=field, aria_label=label, placeholder=hint, required=True, **more)
