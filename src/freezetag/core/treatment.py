"""Treatments: frozen data with hooks by which an arm differs from another.

A treatment defines any of the hooks. The one loop calls them in the order message, observe, act,
sense, transition, and records what was forced; `learn` is called between days. The arrays that a
treatment needs (a donor's moves, say) come from `data` or `forces`, called once per arm before
anything is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from freezetag.core.arrays import Array
from freezetag.core.episode import Record
from freezetag.core.policy import Obs
from freezetag.core.scenario import Arm, Pairing


class Moment(NamedTuple):
    """When and where a hook is called.

    step  []   0 at the first step on record
    key        of this treatment at this step
    data       the treatment's own data of this episode
    selfish, prosocial  [N, K]  the world's scale
    obs        what every seat sees, an Obs whose fields are [N, ...]; None in the hooks observe and
               message, which make it
    """

    step: Array
    key: Any
    data: Any
    selfish: Array
    prosocial: Array
    obs: Obs | None = None


class Forcing(NamedTuple):
    """What seats are made to do, as data: arms that differ in it share a program.

    level    [B, T, N]     NaN for a free seat
    actions  [B, T, N, K]  whole numbers, FREE for a free seat; None where no action is forced.
                           Where both are given the action counts.

    A treatment may return anything that broadcasts to these shapes.
    """

    level: Array
    actions: Array | None = None


FREE = -1
"""In forced actions: the seat does what it wants."""


class Treatment(Protocol):
    """The hooks, all optional, and `data`. Absent hooks change nothing.

    forces(seen, arm) -> Forcing                 pure data, known before the arm runs: see there
    observe(moment, obs) -> obs                  fields are [N, ...]
    message(moment, messages) -> messages        [N, N, M]: listener, speaker, component
    act(moment, actions) -> (actions, forced)    [N, K], [N] bool; before the interlocks
    sense(moment, reading) -> reading            sensor -> [N]
    learn(data, seat, day) -> day                between days: `day` is what a learner is given,
                                                 with a leading axis B, as NumPy arrays
    transition(moment, state) -> state           after the step

    Seats that a treatment names in `hashed` leave fingerprints of their parameters and of what they
    remember, as events (see `core.fingerprint`).

    Float fields are settings: arms that differ in nothing else share a program. What a planner is
    told before it plans is changed by `Misled`, which the driver knows.
    """

    def data(self, seen: Mapping[Any, Record], arm: Arm) -> Any:
        """Arrays with leading axis B for the arm that is about to run, or None."""
        ...


@dataclass(frozen=True)
class Force:
    """Seats act at a level during steps first .. last - 1, whatever they want. Hook: forces."""

    stochastic: ClassVar[bool] = False

    seats: tuple[int, ...]
    level: float
    first: int = 0
    last: int = 1

    def forces(self, seen: Mapping[Any, Record], arm: Arm) -> Forcing:
        """One row for all episodes; plain lists, which the driver makes arrays of."""
        free = math.nan
        held = [self.level if seat in self.seats else free for seat in range(arm.seats)]
        none = [free] * arm.seats
        steps = range(arm.scenario.horizon)
        return Forcing([[held if self.first <= t < self.last else none for t in steps]])


@dataclass(frozen=True)
class Misled:
    """The focal planner is given a model that is wrong by a named learning mistake. Hook: model.

    `mistake` names one of `planning/errors.py`, `size` in [0, 1] is its share in a mixture with
    the truth: 0 is not a mistake. The world itself is as it was.
    """

    mistake: str
    size: float


@dataclass(frozen=True)
class Tape:
    """Seats replay what they executed in another arm, deaf to everyone. Hook: forces.

    `pairing="other_seed"` takes the donor's next repeat of the same row, so that a deterministic
    agent does not meet its own history; "same" takes the same repeat; a tuple names, for each
    repeat of this arm, the donor's repeat. Where the donor has one row all rows get that one.
    """

    arm: Any
    seats: tuple[int, ...]
    pairing: Pairing = "other_seed"

    def forces(self, seen: Mapping[Any, Record], arm: Arm) -> Forcing:
        donor = seen[self.arm]
        steps, had = arm.scenario.horizon, donor.arm.scenario.horizon
        if steps > had:
            raise ValueError(
                f"a tape of {had} steps cannot play for {steps}: {self.arm!r} is too short."
            )
        played = donor.episode.executed[donor.partners(self.pairing, arm), :steps]
        there = sum(1 * (_seats_of(played) == seat) for seat in self.seats) > 0
        return Forcing(math.nan, played * there + FREE * ~there)


def _seats_of(actions: Array) -> Array:
    """The seat of each entry of actions [..., N, K], as [N, 1]."""
    space = actions.__array_namespace__()
    return space.arange(actions.shape[-2])[:, None]
