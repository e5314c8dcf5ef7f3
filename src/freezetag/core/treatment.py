"""Treatments: frozen data with hooks by which an arm differs from another.

A treatment defines any of the hooks; the one loop calls them in the order observe, message, act,
sense, learn, transition, and records what `act` forced. The arrays a treatment needs (a donor's
moves, say) come from `data`, called once per arm before anything is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from freezetag.core.arrays import Array, select
from freezetag.core.episode import Record


class Moment(NamedTuple):
    """When and where a hook is called: step [], key, the treatment's own data of this episode,
    and the world's scale (selfish [N, K], prosocial [N, K])."""

    step: Array
    key: Any
    data: Any
    selfish: Array
    prosocial: Array


class Forcing(NamedTuple):
    """Levels that seats are made to act at, as data: arms that differ in it share a program.

    level [B, N], below 0 for a free seat; from step first [B, N] to before step last [B, N].
    """

    level: Array
    first: Array
    last: Array


class Treatment(Protocol):
    """The hooks, all optional, and `data`. Absent hooks change nothing.

    forces(episodes, seats) -> Forcing           pure data: see there
    observe(moment, obs) -> obs                  fields are [N, ...]
    message(moment, messages) -> messages        [N, M]
    act(moment, actions) -> (actions, forced)    [N, K], [N] bool; before the interlocks
    sense(moment, reading) -> reading            sensor -> [N]
    learn(day) -> day                            between days
    transition(moment, state) -> state           after the step

    What a planner is told before it plans is changed by `Misled`, which the driver knows.
    """

    def data(self, seen: Mapping[str, Record], episodes: int) -> Any:
        """Arrays with leading axis B, or None."""
        ...


@dataclass(frozen=True)
class Force:
    """Seats act at a level during steps first .. last - 1, whatever they want. Hook: forces."""

    seats: tuple[int, ...]
    level: float
    first: int = 0
    last: int = 1

    def data(self, seen: Mapping[str, Record], episodes: int) -> None:
        return None

    def forces(self, episodes: int, seats: int) -> Forcing:
        """One row for all episodes; plain lists, which the driver makes arrays of."""
        level = [self.level if seat in self.seats else -1.0 for seat in range(seats)]
        rows = [level] * episodes
        return Forcing(rows, [[self.first] * seats] * episodes, [[self.last] * seats] * episodes)


@dataclass(frozen=True)
class Misled:
    """The focal planner is given a model that is wrong by a named learning mistake. Hook: model.

    `mistake` names one of `planning/errors.py`, `size` in [0, 1] is its share in a mixture with
    the truth: 0 is no mistake. The world itself is as it was.
    """

    mistake: str
    size: float

    def data(self, seen: Mapping[str, Record], episodes: int) -> None:
        return None


@dataclass(frozen=True)
class Tape:
    """A seat replays what it executed in another arm, deaf to everyone. Hook: act.

    `pairing="other_seed"` takes the donor's next episode of the same row, so that a deterministic
    agent does not meet its own history; "same" takes the same episode.
    """

    arm: str
    seats: tuple[int, ...]
    pairing: str = "other_seed"

    def data(self, seen: Mapping[str, Record], episodes: int) -> Array:
        donor = seen[self.arm]
        order = donor.partners(self.pairing, episodes)
        return donor.episode.executed[order]

    def act(self, moment: Moment, actions: Array) -> tuple[Array, Array]:
        forced = sum(1 * (_range_like(actions) == seat) for seat in self.seats) > 0
        return select(forced, moment.data[moment.step], actions), forced


def _range_like(actions: Array) -> Array:
    """0 .. N - 1 as an array of the kind of `actions` [N, K]."""
    return actions.__array_namespace__().arange(actions.shape[0])
