"""What the states, ages and records of the status are called on a page. No word says "safe"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, final

from freezetag.core.scopes import EVERYONE, understood
from freezetag.live.authority.states import Shown
from freezetag.live.console.markup import Child, Html, name, tag
from freezetag.live.signed.records import sentence_of


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
    """A scope as a person says it, and that it covers everyone where nobody understands it."""
    if not understood(text):
        return tag("span", name(text), f" ({EVERYONE})")
    kind, _, rest = text.partition(":")
    if kind == "closure":
        return tag("span", name(rest), " and all that depend on it")
    if kind == "capability":
        return tag("span", "the tool ", name(rest), " of all agents")
    if kind in ("agent", "group"):
        return tag("span", "" if kind == "agent" else "group ", name(rest))
    return tag("span", "the fleet")


def event(kind: str, body: Mapping[str, Any], scopes: Mapping[str, str]) -> tuple[str, Child]:
    """(class, sentence) of a ledger record; `scopes` maps press ids to scopes, as far as known."""
    said = sentence_of(kind, body, scopes)
    return said.look, [_STYLES[part.style](part.text) for part in said.parts]


_STYLES: dict[str, Callable[[str], Child]] = {
    "": str,
    "strong": lambda text: tag("b", text),
    "name": name,
    "scope": scope,
}
