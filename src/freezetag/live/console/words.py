"""What the states, ages and records of the status are called on a page. No word says "safe"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from freezetag.live.authority.states import Shown
from freezetag.live.console.markup import Child, Html, name, tag


@final
@dataclass(frozen=True)
class Look:
    """How a state looks: a word and a shape beside the colour, and what agents in it do."""

    key: str
    word: str
    shape: str
    means: str

    @property
    def tile(self) -> str:
        """The word where it stands alone, without the banner's sentence."""
        return "stopped, acknowledged" if self.key == "acknowledged" else self.word


LOOKS = {
    Shown.UNKNOWN: Look("unknown", "unknown", "?", "may still act, or left work in doubt"),
    Shown.STOPPING: Look("stopping", "stopping", "◐", "may not have finished, though pressed"),
    Shown.RUNNING: Look("running", "running", "▶", "may act"),
    Shown.EXPIRED: Look("expired", "stopped by expiry", "◇", "stopped when the lease ran out"),
    Shown.ACKNOWLEDGED: Look("acknowledged", "stopped", "■", "stopped and said so"),
    Shown.HELD: Look("held", "held", "‖", "may not act until somebody starts them"),
}


def look(shown: str) -> Look:
    """The look of a state; of one that this page does not know it is unknown."""
    try:
        return LOOKS[Shown(shown)]
    except ValueError:
        return LOOKS[Shown.UNKNOWN]


def count(n: int, noun: str) -> str:
    """`1 agent`, `2 agents`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}{'es' if noun.endswith('s') else 's'}"


def clock(milliseconds: int, shape: str = "%H:%M:%S") -> Html:
    """A moment, in UTC."""
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return tag("time", "at no known time")
    exact = moment.isoformat(timespec="milliseconds")
    return tag("time", moment.strftime(shape), datetime=exact, title=exact)


def scope(text: str) -> Html:
    """A scope as a person says it."""
    kind, _, rest = text.partition(":")
    if kind == "closure" and rest:
        return tag("span", name(rest), " and all that depend on it")
    if kind == "capability" and rest:
        return tag("span", "the tool ", name(rest), " of all agents")
    if kind in ("agent", "group") and rest:
        return tag("span", "" if kind == "agent" else "group ", name(rest))
    return tag("span", "the fleet" if text == "fleet" else name(text))


CAUSES = {
    "press": "after a press",
    "expired": "its lease had run out",
    "limit": "a limit tripped",
    "clock": "its clock jumped",
    "forked": "it was forked",
    "closed": "closed in good order",
    "crashed": "it had crashed",
}


def event(kind: str, body: Mapping[str, Any], scopes: Mapping[str, str]) -> tuple[str, Child]:
    """(class, sentence) of a ledger record; `scopes` maps press ids to scopes, as far as known."""
    say = _EVENTS.get(kind)
    try:
        return say(body, scopes) if say else ("other", kind)
    except (KeyError, TypeError, AttributeError):
        return "other", f"{kind}, in a form that this page cannot read"


def _press(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    what = {"interlock": "tripped", "drill": "drill"}.get(body["kind"], "pressed")
    reason = [": ", name(body["reason"])] if body["reason"] else None
    who = ["by ", name(body["who"])]
    return body["kind"], [tag("b", what), " ", scope(body["scope"]), " ", who, reason]


def _repeat(body: Mapping[str, Any], scopes: Mapping[str, str]) -> tuple[str, Child]:
    again = f"pressed again ({body['count']})"
    return "press", [tag("b", again), " ", scope(scopes.get(body["press"], "the same scope"))]


def _ack(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    why = CAUSES.get(body["cause"], body["cause"])
    said = [tag("b", "stopped"), " ", name(body["gate"]), f", {why}, last action {body['last']}"]
    if body["unknown"]:
        return "unknown", [*said, f"; {count(len(body['unknown']), 'outcome')} unknown"]
    return "ack", said


def _clear(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    signed: Sequence[str] = list(body["signatures"])
    return "clear", [tag("b", "cleared"), f" with {count(len(signed), 'signature')}; held now"]


def _start(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    who = [" by ", name(body["who"]), f", epoch {body['epoch']}"]
    return "start", [tag("b", "started"), " ", name(body["agent"]), who]


def _held(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    return "held", [tag("b", "held"), " ", name(body["agent"]), ": ", name(body["why"])]


def _enrol(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    return "other", [tag("b", "enrolled"), " ", name(body["agent"])]


def _drill(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    took = f"drill acknowledged after {body['ms']} ms"
    return "ack", [tag("b", "proved"), " ", name(body["agent"]), f": {took}"]


def _alarm(body: Mapping[str, Any], _: Mapping[str, str]) -> tuple[str, Child]:
    return "alarm", [tag("b", "note"), " ", name(body["agent"]), ": ", name(body["what"])]


_EVENTS = {
    "press": _press,
    "repeat": _repeat,
    "ack": _ack,
    "clear": _clear,
    "start": _start,
    "held": _held,
    "enrol": _enrol,
    "drill": _drill,
    "alarm": _alarm,
}
