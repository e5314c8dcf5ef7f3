"""Old decisions against a changed panel: what of a gate's journal would have been stopped.

Each incarnation is decided again from the readings that were recorded with its actions. The panel
is the recorded one with other limits in it.

Caveat: what happened after the first difference is not what would have happened. An agent that is
stopped earlier acts otherwise from there on, and one that is stopped later would have gone on in a
way nobody recorded; so of the first kind the actions are counted, and the second is only named.
Incarnations are looked at one by one: whether the next would have been is up to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import UserError
from freezetag.core.interlock import GO, Panel, PowerLimit, RuntimeLimit, Watchdog
from freezetag.core.journal import JournalError, read
from freezetag.core.log import panel_of


@final
@dataclass(frozen=True)
class Change:
    """Other limits: `limits` maps sensors to numbers, as `freezetag enrol --limit` has them;
    `without` are sensors that nothing watches any more."""

    limits: Mapping[str, float] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path) -> Change:
        """From a TOML file with a table `limits` and a list `without`. Raises `UserError`."""
        import tomllib

        try:
            told = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UserError(f"{path} cannot be read as a panel: {error}.") from None
        limits, without = told.pop("limits", {}), told.pop("without", [])
        good = isinstance(limits, dict) and isinstance(without, list) and not told
        good = good and all(type(value) in (int, float) for value in limits.values())
        if not good or not all(isinstance(each, str) for each in without):
            raise UserError(
                f"{path} is no panel. Write a table [limits] of sensors and numbers, such as "
                'tokens = 500, and if wanted a list: without = ["presence"].'
            )
        if not limits and not without:
            raise UserError(f"{path} changes nothing: name a limit, or a sensor to leave out.")
        return cls({name: float(value) for name, value in limits.items()}, tuple(without))

    def of(self, panel: Panel) -> Panel:
        """The panel with these limits in place of its own on the same sensors."""
        gone = {*self.limits, *self.without}
        kept = [each for each in panel.interlocks if each.sensor not in gone]
        return Panel((*kept, *(_limit(name, value) for name, value in self.limits.items())))


def _limit(sensor: str, value: float) -> Any:
    if sensor == "runtime":
        return RuntimeLimit(value, unit="seconds")
    return Watchdog(value, sensor) if sensor == "presence" else PowerLimit(value, sensor)


@final
@dataclass
class Stop:
    """One incarnation that the changed panel stops: at which entry and action, in the journal's
    seconds, by which interlocks, and how many actions were let through from there on."""

    b: str
    entry: int
    action: str
    t: float | None
    trips: tuple[str, ...]
    actions: list[str] = field(default_factory=list)


@final
@dataclass
class Reconsideration:
    """What came out: `decisions` were looked at in `incarnations`; `stops` are those that the
    changed panel ends earlier, `longer` those whose recorded stop it would not have made."""

    decisions: int = 0
    incarnations: int = 0
    admitted: int = 0
    stops: list[Stop] = field(default_factory=list)
    longer: list[str] = field(default_factory=list)

    @property
    def barred(self) -> int:
        """Actions that were let through, and would not have been."""
        return sum(len(stop.actions) for stop in self.stops)


def reconsider(lines: Iterable[bytes], change: Change, head: str | None = None) -> Reconsideration:
    """Decides a journal again under the changed panel; `head` is its newest hash, kept elsewhere.

    Raises `JournalError` for a journal whose chain is broken or whose entries cannot be read.
    """
    found = Reconsideration()
    panel, mode, b = Panel(), GO, ""
    stop: Stop | None = None
    for number, entry in enumerate(read(lines, head)):
        try:
            kind = entry["kind"]
            if kind == "open":
                panel, mode, b, stop = change.of(panel_of(entry["panel"])), GO, entry["b"], None
                found.incarnations += 1
            if kind not in ("begin", "refused", "stop"):
                continue
            found.decisions += 1
            found.admitted += kind == "begin"
            if stop is None:
                mode = panel.latch(mode, entry["reading"])
                if mode != GO and kind != "stop":
                    trips = tuple(f"{t.interlock} {t.sensor} {t.kind}" for t in panel.causes(mode))
                    stop = Stop(b, number, str(entry["action"]), entry["t"], trips)
                    found.stops.append(stop)
            if stop is not None and kind == "begin":
                stop.actions.append(str(entry["action"]))
            if kind == "stop" and mode == GO and entry["cause"] in ("limit", "unknown"):
                found.longer.append(b)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise JournalError(f"entry {number} cannot be decided: {error!r:.200}") from None
    return found
