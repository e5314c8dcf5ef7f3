"""What an authority reads of an agent before it grants: meters, budgets, runtime.

Whatever is not told is not a number, and trips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

from freezetag.live.authority.budget import Limit
from freezetag.live.authority.facts import Agent
from freezetag.live.authority.incarnations import Lives

ANCHORS = 20
"""Into so many parts records cut a limit of runtime, to be known after a restart."""
_NAN = float("nan")


@final
class Readings:
    """The meters of all agents, and how much runtime each epoch has used."""

    def __init__(self, lives: Lives, clock: Callable[[], float], wall: Callable[[], int]) -> None:
        self.meters: dict[tuple[str, str], Callable[[], float]] = {}
        self.newest = 0  # the time of the newest record, Unix milliseconds
        self._lives, self._clock, self._wall = lives, clock, wall
        self._runtimes: dict[tuple[str, int], tuple[float, float]] = {}
        self._told: dict[tuple[str, int], float] = {}  # seconds, by records

    def of(self, agent: Agent, limits: Iterable[Limit]) -> dict[str, float]:
        """The reading of the panel of `limits`."""
        reading = {}
        for limit in limits:
            meter = self.meters.get((agent.name, limit.name))
            if meter is not None:
                try:
                    reading[limit.name] = meter()
                except Exception:
                    reading[limit.name] = _NAN
            elif limit.sensor == "runtime":
                reading[limit.name] = self.runtime(agent)
            elif limit.sensor == "presence":
                reading[limit.name] = _NAN  # nobody tells, so nobody is there
            else:
                reading[limit.name] = limit.spent(self._lives.of)
        return reading

    def runtime(self, agent: Agent) -> float:
        """Seconds of this epoch; no restart gives any back, nor a wall clock that is set back.

        Caveat: where both happen at once, what was used since the newest record is lost.
        """
        now, epoch = self._clock(), (agent.name, agent.epoch)
        since = self._runtimes.get(epoch)
        if since is None:
            before = (max(self._wall(), self.newest) - agent.started_at) / 1000
            since = self._runtimes[epoch] = (max(0.0, before, self._told.get(epoch, 0.0)), now)
        return since[0] + (now - since[1])

    def anchored(self, body: Mapping[str, Any]) -> None:
        """A record tells how much runtime an epoch had used."""
        if "runtime" in body:
            epoch = body["gate"], body["epoch"]
            self._told[epoch] = max(self._told.get(epoch, 0.0), body["runtime"] / 1000)

    def to_anchor(self, agent: Agent, before: Mapping[str, Any] | None) -> dict[str, int]:
        """What to write of the runtime of an agent with such a limit; again when enough is used."""
        limit = agent.limits.get("runtime")
        if limit is None:
            return {}
        used, last = int(self.runtime(agent) * 1000), (before or {}).get("runtime", 0)
        used = used if used - last >= limit * 1000 / ANCHORS else last
        return {"epoch": agent.epoch, "runtime": used}
