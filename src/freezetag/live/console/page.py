"""The console from a status: pure. Parts marked `data-live` are what the script keeps fresh.

The stylesheet turns every state to "unknown" unless a fresh page came: a page that nobody
refreshes says of nobody that it is fine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freezetag.live.console.agents import agents, counts
from freezetag.live.console.markup import Child, Html, document, join, name, tag
from freezetag.live.console.nodes import nodes
from freezetag.live.console.panel import panel
from freezetag.live.console.words import clock, count, event, look, scope

Status = Mapping[str, Any]
SIGNED_PAGES = (
    ("keys in browsers", "/browser-keys"),
    ("tokens", "/tokens"),
    ("handover", "/handover"),
)
OTHER_WAYS = join(
    tag("code", "freezetag press"),
    ", a file ",
    tag("code", "STOP"),
    " in the server's folder, a guard's stop file",
)


def console(status: Status | None, rights: Mapping[str, str], now: float, every: int = 0) -> Html:
    """The page. `rights` maps each right that this browser holds to its scope; `now` is Unix
    seconds; `status` None: no right to see states, so only the button and the way to sign in."""
    if status is None:
        left = [panel(status, rights, now)]
        main = _stranger(rights)
        title, watch = "Not shown", None
    else:
        left = [panel(status, rights, now), _timeline(status)]
        main = [
            _banner(status),
            counts(status["agents"]),
            _standing(status),
            nodes(status.get("nodes")),
            agents(status["agents"], rights),
            _ledger(status, rights),
        ]
        title, watch = f"{_head(status)} · {status['authority']}", "/events"
    return document(
        title,
        tag("aside", *left, class_="left", aria_label="Stop, and what happened"),
        tag("main", *main),
        _help(),
        every=every,
        class_="console",
        data_at=int(now * 1000),
        data_watch=watch,
    )


def _head(status: Status) -> str:
    return "nobody enrolled" if _nobody(status) else look(status["banner"]).word


def _nobody(status: Status) -> bool:
    """Nobody is enrolled, and that is known."""
    return not status["agents"] and look(status["banner"]).key == "held"


def _banner(status: Status) -> Html:
    """The worst state of all, how many share it, and under which conditions that holds."""
    enrolled, known = status["agents"], look(status["banner"])
    these = [agent for agent in enrolled if look(agent["shown"]) is known]
    without = known.key == "unknown" and all(
        agent["started"] and not any(incarnation["b"] for incarnation in agent["incarnations"])
        for agent in these
    )
    means = "may act: started, but no gate has asked" if without else known.means
    said = f"{len(these)} of {count(len(enrolled), 'agent')} {means}."
    if not enrolled:
        nobody = "There is no agent here to stop."
        said = nobody if _nobody(status) else "Who is enrolled is not known."
    loud: list[tuple[Child, ...]] = [
        ("LOCKED, nothing is granted: ", name(why)) for why in status["locked"]
    ]
    if status["storage"] != "durable":
        loud.append(("The ledger cannot be written: ", "what is pressed stops, but is NOT durable"))
    facts = (
        ("authority", name(status["authority"])),
        ("bound", f"no admission {status['bound']:.3f} s after a press"),
        ("tier", "0 assumed; a guard's journal tells"),
        ("reset", "ONE person (solo)" if status["solo"] else "two people"),
    )
    now = (
        tag("h1", tag("i", known.shape, aria_hidden="true"), " ", tag("span", _head(status))),
        tag("p", said, class_="said"),
        [tag("p", each, class_="loud") for each in loud],
    )
    return tag(
        "header",
        tag("div", tag("div", *now, class_="now"), tag("div", *_lost(), class_="lost")),
        tag("dl", [tag("div", tag("dt", term), " ", tag("dd", told)) for term, told in facts]),
        id="banner",
        class_=f"banner s-{known.key}",
        data_live=True,
    )


def _lost() -> tuple[Html, ...]:
    """Laid over the banner once the page is old."""
    said = "The server is silent; below is old. Press anyway, or: "
    again = tag("a", "Ask again", href="/?every=2")
    return (
        tag("h2", tag("i", "?", aria_hidden="true"), " unknown"),
        tag("p", said, OTHER_WAYS, ". ", again, class_="said"),
    )


def _standing(status: Status) -> Html:
    """The presses that stand, newest first, and the way to clear them."""
    rows = []
    for press in reversed(status["presses"]):
        said = [clock(press["when"]), " ", scope(press["scope"]), " by ", name(press["who"])]
        reason = [": ", name(press["reason"])] if press["reason"] else None
        again = f", pressed {press['repeats'] + 1} times" if press["repeats"] else None
        loud = None if press["durable"] else [" ", tag("b", "NOT durable", class_="loud")]
        rows.append(tag("li", said, reason, again, loud, data_key=press["id"]))
    if not rows:
        return tag("section", id="standing", class_="standing", data_live=True)
    signing = [
        tag("p", f"{len(each['signed'])} of {each['needed']} signed: ", ", ".join(each["signed"]))
        for each in status["pending"]
    ]
    head = tag("h2", f"{count(len(rows), 'press')} {'stands' if len(rows) == 1 else 'stand'}")
    bar = tag("div", head, tag("a", "Reset…", href="/reset", class_="go"))
    inner = (bar, tag("ol", *rows), *signing)
    return tag("section", *inner, id="standing", class_="standing", data_live=True)


def _timeline(status: Status) -> Html:
    records = status["timeline"]
    scopes = {each["body"]["id"]: each["body"]["scope"] for each in records if _is_press(each)}
    scopes |= {press["id"]: press["scope"] for press in status["presses"]}
    rows = []
    for record in reversed(records):
        tone, said = event(record["kind"], record["body"], scopes)
        cells = (clock(record["at"]), tag("span", said))
        rows.append(tag("li", *cells, class_=f"e-{tone}", data_key=record["i"]))
    head = tag("h2", "What happened", tag("small", " newest first, UTC"), id="timeline-head")
    inner = tag("ol", *rows) if rows else tag("p", "Nothing yet.")
    scroll = tag(
        "div", inner, class_="scroll", tabindex=0, role="region", aria_labelledby="timeline-head"
    )
    return tag("section", head, scroll, id="timeline", class_="timeline", data_live=True)


def _is_press(record: Mapping[str, Any]) -> bool:
    return bool(record["kind"] == "press")


def _ledger(status: Status, rights: Mapping[str, str]) -> Html:
    root, alarms, blips = status["root"], status["alarms"], status["spurious"]
    head = (
        f"Ledger: {count(status['size'], 'record')}, head ",
        tag("code", root[:16], title=root),
        " · ",
        tag("a", "export", href="/api/ledger", download="ledger.jsonl"),
        " · ",
        tag("a", "checkpoint", href="/api/checkpoint"),
        [(" · ", tag("a", said, href=way)) for said, way in SIGNED_PAGES],
    )
    parts: list[Child] = [tag("span", *head)]
    if alarms:
        parts.append(tag("span", tag("b", f"{count(len(alarms), 'alarm')}: "), name(alarms[-1])))
    if blips:
        parts.append(tag("span", f"re-armed after silence: {blips}"))
    held = f"This browser may: {', '.join(rights) or 'nothing'} · "
    parts.append(tag("span", held, tag("a", "sign in", href="/sign-in")))
    parts.append(tag("span", tag("kbd", "?"), " for keys", class_="keys"))
    return tag("footer", *parts, id="ledger", class_="ledger", data_live=True)


def sign_in(rights: Mapping[str, str]) -> Html:
    """The form that gives a token into this browser's keeping."""
    field = {"id": "sign-in-token", "name": "token", "type": "password", "autocomplete": "off"}
    return tag(
        "form",
        tag("label", "A token; states take one with the right to status", for_=field["id"]),
        tag("input", required=True, **field),
        tag("button", "Keep it in this browser"),
        tag(
            "p",
            f"Kept so far: {', '.join(rights) or 'none'}. Each is kept for 12 hours "
            "over TLS; without, for one, and only to see and to press, on this host alone.",
        ),
        method="post",
        action="/login",
        class_="sign-in",
    )


def _stranger(rights: Mapping[str, str]) -> list[Html]:
    head = (
        tag("h1", tag("i", "?", aria_hidden="true"), " ", tag("span", "not shown")),
        tag("p", "This browser holds no token that lets it see states.", class_="said"),
    )
    return [
        tag("header", tag("div", *head), class_="banner s-unknown"),
        tag("section", tag("h2", "Sign in"), sign_in(rights), class_="agents"),
        tag("p", "Other ways to stop: ", OTHER_WAYS, ".", class_="note"),
    ]


KEYS = (
    ("b", "go to the red button; Enter or Space then presses it"),
    ("j, k", "next and previous agent"),
    ("Enter", "on an agent: choose it as what the button stops"),
    ("f", "choose the fleet"),
    ("r", "the page of resets"),
    ("?", "this list"),
)


def _help() -> Html:
    rows = [tag("div", tag("dt", tag("kbd", key)), tag("dd", does)) for key, does in KEYS]
    close = tag("form", tag("button", "Close"), method="dialog")
    head = tag("h2", "Keys", id="help-head")
    return tag("dialog", head, tag("dl", *rows), close, id="help", aria_labelledby="help-head")
