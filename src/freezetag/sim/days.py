"""The days of an arm: what a seat saw of one, and on which of them an agent failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from freezetag.core import Array
from freezetag.sim.foreign import AgentFailed
from freezetag.sim.rollout import day_of


def day_seen(
    traces: Any, batch: Any, labels: Array, seat: int, treatments: Any, data: Any
) -> dict[str, Array]:
    """What a seat saw of a day, as the treatments let it learn from."""
    own = day_of(traces, batch, labels, seat)
    for i, each in enumerate(treatments):
        if hasattr(each, "learn"):
            own = dict(each.learn(data.get(i), seat, own))
    return own


@contextmanager
def on_day(day: int, days: int) -> Iterator[None]:
    """Whatever agent fails in here failed on this day of several, and its message says so."""
    try:
        yield
    except AgentFailed as failed:
        if days > 1:
            stop = "" if failed.message.endswith((".", "!", "?")) else "."
            failed.message += f"{stop} That was on day {day + 1} of {days}."
            failed.args = (failed.message,)
        raise
