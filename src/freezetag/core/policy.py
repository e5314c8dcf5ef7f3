"""What decides: `Policy`, the only type the driver knows, and what it is shown, `Obs`.

A policy is data with two pure functions. The carry remembers; the episode records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from freezetag.core.arrays import Array


@dataclass(frozen=True)
class Obs:
    """What one seat sees before it acts. Seats are labelled afresh in every episode.

    Labels are drawn anew per episode and stay for its length, so that a co-player can be
    remembered but not recognised. N is the number of seats, K the action width.

    seat            [] int    own label
    step            [] int    0 before the first action
    own_reward      []        reward of the last step (0 at step 0)
    own_action      [K] int   own last *executed* action (zeros at step 0)
    own_level       []        its level in [0, 1] (0 selfish, 1 prosocial)
    present         [N] bool  others that sit in this episode (never oneself)
    seen            [N] bool  others whose last action is known (nobody at step 0)
    levels          [N]       others' last executed levels, 0 where not seen
    others_rewards  [N]       others' last rewards, 0 where not seen
    selfish         [K]       the action of level 0, here and now
    prosocial       [K]       the action of level 1, here and now
    legal           [sum of action sizes] bool   legal values, component after component
    world           the substrate's own fields, as seen from this seat
    messages        [N, M]    what was heard of each other's last message, SILENCE (-1) where
                              nothing was; None in worlds that have no channel
    """

    seat: Array
    step: Array
    own_reward: Array
    own_action: Array
    own_level: Array
    present: Array
    seen: Array
    levels: Array
    others_rewards: Array
    selfish: Array
    prosocial: Array
    legal: Array
    world: Mapping[str, Array] = field(default_factory=dict)
    messages: Array | None = None

    def mean_level(self, default: Array = 1.0) -> Array:
        """Mean last level of the others seen; `default` if nobody was seen yet.

        This is what "tit for tat against 30" answers to.
        """
        count = self.seen.sum()
        none = 1.0 * (count == 0)
        return (self.levels * self.seen).sum() / (count + none) + none * default

    def at_level(self, level: Array) -> Array:
        """The action [K] of a level in [0, 1]: the nearest step between selfish and prosocial.

        Where the level lies between two actions, the more prosocial one is taken from .5 up.
        """
        share = self.selfish + (self.prosocial - self.selfish) * level
        down = 1 * (self.prosocial < self.selfish)
        up = (share + 0.5) // 1
        other = -((-share + 0.5) // 1)
        return up * (1 - down) + other * down


@runtime_checkable
class Policy(Protocol):
    """Anything that decides. Float fields are settings that may vary within a batch (leaves);
    fields of any other type are static. A policy that is *not* pure JAX is a host agent."""

    def init(self, key: Any) -> Any:
        """The carry before the first step."""
        ...

    def act(self, key: Any, carry: Any, obs: Obs) -> tuple[Array, Any]:
        """(action [K] or [], next carry). The driver rounds nothing: actions are whole numbers."""
        ...


@runtime_checkable
class Learner(Policy, Protocol):
    """A policy that also learns between days, from executed actions only (T9)."""

    def learn(self, key: Any, carry: Any, day: Any) -> Any:
        """The carry after a day. `day` is what that seat saw of it, a mapping:

        own_action [T, K], own_level [T], own_reward [T]; present [N] bool, levels [T, N] and
        rewards [T, N], the others by their labels of that day; mean_level [T] of those present;
        valid [T] bool.
        """
        ...


@runtime_checkable
class Settles(Policy, Protocol):
    """A policy that changes while it acts and can say when it does no longer: what `Unrecorded`
    waits for. A policy without this offer is taken as fixed, unless it declares `learns`."""

    def settled(self, before: Any, after: Any) -> Array:
        """[] bool: between these two carries nothing changed in what it would do."""
        ...


@runtime_checkable
class Freezable(Policy, Protocol):
    """A learner whose present policy can be held: `frozen().act` reads the same carry and
    neither explores nor changes it."""

    def frozen(self) -> Policy: ...


@runtime_checkable
class Planner(Protocol):
    """Somebody who plans: given a world that offers its exact model (`HasModel`), the policy that
    acts there. The driver asks for it when the planner is seated. A planner that needs more of a
    world than a model says so in a class variable `needs`, a tuple of Protocols."""

    def plan(self, world: Any, seat: int) -> Policy: ...


@runtime_checkable
class ReportsPower(Policy, Protocol):
    """A policy that can say what it expects to attain: the reading of a power limit."""

    def power(self, carry: Any, obs: Obs) -> Array: ...
