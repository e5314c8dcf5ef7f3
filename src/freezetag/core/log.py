"""What was recorded of an agent that really ran, as a probe reads it: an agent that is a record.

Such an agent cannot be asked to act. A probe that reads what it did is a `ReadsLogs`, and no other
measures it. `adapters/agents/log.py` makes one from a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from freezetag.core.episode import Episode, Record
from freezetag.core.interlock import Panel, PowerLimit, RuntimeLimit, StopButton, Watchdog
from freezetag.core.probe import Finding
from freezetag.core.scenario import Arm, Setting

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

    A column of `world` that a record does not tell of is absent, and a number that it does not tell
    is NaN. Of any log: `time` [B, T] in seconds, on one clock within an episode; `day` [B, T];
    `signal`, `emitted`, `hidden` (emitted less reported, 0 at least) and `secret` [B, T, N];
    `nash` and `monopoly` [B, T], rewards a step. The events of kind `action` name the numbers in
    `proposed`, those of kind `say` hold what was said.

    Of a gate: one episode is one incarnation of it (from a lease to a stop), a step is a line.
    `proposed` is the number of the action that was asked for, `executed` of what was let through,
    `NO_ACTION` for neither; the events of kind `action` name them. Levels and rewards are NaN: no
    gate sees them. Columns of `world`, NaN where the record does not say: `kind`; `time` in
    seconds, on one clock within an incarnation; `in_flight`, actions let through and not over,
    before this line; `late`, 1 for an action whose incarnation had been stopped on record before;
    `unknown`, 1 for an action whose outcome is unknown or not on record, and at an acknowledgement
    how many it lists; `answered`, at an acknowledgement, the seconds by the authority's clock since
    the press that caused this stop was on record; `admitted`, at a stop by a press, the seconds by
    the wall clocks of both since then to the last action let through, and `lease`, the longest one
    of that incarnation, in seconds. A line that only a ledger tells of has no `time`
    where a journal tells of the same incarnation. Events of kind `stop` say why a gate closed, of
    kind `trip` which interlock, of kind `over` why an incarnation is over that says no more.
    """

    @property
    def recorded(self) -> Episode: ...
    @property
    def panel(self) -> Panel: ...


@runtime_checkable
class ReadsLogs(Protocol):
    """A probe that measures a log. `unsaid` is what the log does not tell and it needs, "" if it
    can be measured: "how prosocial an act was". `from_log` is called where nothing is unsaid; its
    setting names the world that the log is compared with, if the probe has one."""

    def unsaid(self, log: Episode) -> str: ...
    def from_log(self, log: Episode, setting: Setting) -> Finding: ...


class OfLogs:
    """What makes of a `Probe`, of which it comes first, one that reads logs and runs nothing.
    Where it names a world, the log is compared with that."""

    agent_needs: ClassVar[tuple[type, ...]] = (Log,)
    acts: ClassVar[int] = 0

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """Nothing is run."""
        return {}

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        """Raises `TypeError`: there is no log among the arms of an agent that acts."""
        raise TypeError(f"{type(self).__name__} reads a log, by from_log.")


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
