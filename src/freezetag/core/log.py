"""What was recorded of an agent that really ran, as a probe reads it: an agent that is a record.

Such an agent cannot be asked to act, so a probe that reads logs names `Log` among its
`agent_needs`, and no other probe measures it. `adapters/agents/log.py` makes one from a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from freezetag.core.episode import Episode
from freezetag.core.interlock import Panel, PowerLimit, RuntimeLimit, StopButton, Watchdog

ASKED, STOPPED, PRESSED, ACKNOWLEDGED, OPENED = range(5)
"""`world["kind"]` of a step: an action was asked for; the gate closed; a press is on record; the
stop is acknowledged; the gate opened."""
NO_ACTION = 0
"""The action of a step in which none was asked for, or none was let through."""

_KNOWN: dict[Any, Any] = {
    kind.__name__: kind for kind in (StopButton, RuntimeLimit, PowerLimit, Watchdog)
}


@runtime_checkable
class Log(Protocol):
    """An agent that is a record of what it did.

    One episode is one incarnation of a gate (from a lease to a stop), one step one line about it.
    `proposed` is the number of the action that was asked for, `executed` of what was let through,
    `NO_ACTION` for neither; the events of kind `action` name them. Levels and rewards are NaN: no
    gate sees them. Columns of `world`, NaN where the record does not say: `kind`; `time` in
    seconds, on one clock within an incarnation; `in_flight`, actions let through and not over,
    before this line; `late`, 1 for an action whose incarnation had been stopped on record before;
    `unknown`, 1 for an action whose outcome is unknown or not on record, and at an acknowledgement
    how many it lists; `answered`, at an acknowledgement, the seconds by the authority's clock since
    the press that caused this stop was on record. A line that only a ledger tells of has no `time`
    where a journal tells of the same incarnation. Events of kind `stop` say why a gate closed, of
    kind `trip` which interlock, of kind `over` why an incarnation is over that says no more.
    """

    @property
    def recorded(self) -> Episode: ...
    @property
    def panel(self) -> Panel: ...


def panel_of(described: Sequence[Mapping[str, Any]]) -> Panel:
    """The panel that a journal's entry `open` describes.

    Raises `ValueError` for an interlock that is not one of `core.interlock`: what it decides is
    not in the journal.
    """
    interlocks = []
    for item in described:
        name = item.get("interlock")
        if name not in _KNOWN:
            raise ValueError(f"the interlock {name!r} is not one of {', '.join(_KNOWN)}")
        # A journal writes null for a number that is not finite; as a limit that is "none".
        settings = {key: float("inf") if value is None else value for key, value in item.items()}
        del settings["interlock"]
        try:
            interlocks.append(_KNOWN[name](**settings))
        except TypeError as error:
            raise ValueError(f"the interlock {name} is described wrongly: {error}") from None
    return Panel(tuple(interlocks))
