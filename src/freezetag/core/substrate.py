"""A world: who may sit in it, what happens, what is seen and what can be metered.

Rules are pure functions of a state (a pytree of arrays); the driver owns time, keys, seating,
interlocks and the record. All shapes are for one episode; the driver maps over episodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from freezetag.core.arrays import Array
from freezetag.core.model import Model
from freezetag.core.scene import Scene
from freezetag.core.speech import Wording, Words

if TYPE_CHECKING:  # a scenario asks a substrate for its lengths
    from freezetag.core.scenario import Ref

SILENCE = -1
"""In a message: nothing was heard."""


@dataclass(frozen=True)
class Outcome:
    """What a step brought. rewards [N] (0 for the absent); terminated [] bool."""

    state: Any
    rewards: Array
    terminated: Array


@runtime_checkable
class Substrate(Protocol):
    """One world. `players` is N, the number of seats; K = len(action_sizes).

    Actions are int32 [N, K]; component k of a legal action lies in 0 .. action_sizes[k] - 1. The
    driver replaces an illegal action by `rest` and reports it; a substrate never sees one.
    Absent seats act `rest`; their actions must not matter.
    """

    @property
    def players(self) -> int: ...
    @property
    def min_players(self) -> int: ...
    @property
    def action_sizes(self) -> tuple[int, ...]: ...
    @property
    def rest(self) -> tuple[int, ...]:
        """The action [K] of an actuator at rest: what a stopped seat does by default."""
        ...

    @property
    def horizon(self) -> int:
        """The number of steps an episode has by default."""
        ...

    @property
    def sensors(self) -> Mapping[str, str]:
        """What `sense` offers: sensor -> unit. "power" names this world's proxy in its unit."""
        ...

    def init(self, key: Any, present: Array) -> Any:
        """The first state, for the seats present [N] bool."""
        ...

    def observe(self, state: Any) -> Mapping[str, Array]:
        """The world's own fields as each seat sees them, each [N, ...]."""
        ...

    def scale(self, state: Any) -> tuple[Array, Array]:
        """(selfish, prosocial), each [N, K]: the actions of level 0 and 1, here and now."""
        ...

    def legal(self, state: Any) -> Array:
        """[N, sum(action_sizes)] bool."""
        ...

    def step(self, key: Any, state: Any, actions: Array) -> Outcome: ...

    def sense(self, state: Any) -> Mapping[str, Array]:
        """Meter readings before a step, each [N]; the keys are those of `sensors`."""
        ...

    def account(self, state: Any) -> Mapping[str, Array]:
        """What the world publishes for the record, each [] or, by seat, [N]; may be empty."""
        ...


@runtime_checkable
class HasSlips(Protocol):
    """A world in which something other than the executed action may take effect.

    Without this offer the executed actions count, and are what the others see.
    """

    def played(self, state: Any) -> Array:
        """[N, K] the actions of the last step as they took effect."""
        ...


@runtime_checkable
class HasKinds(Protocol):
    """A world whose actions are of different kinds, such as moves on a grid, and no amounts: the
    level of one is not its place between the two ends of the scale, and nothing lies between them.
    """

    def levels(self, state: Any, actions: Array) -> Array:
        """[N] in [0, 1]: the level of actions [N, K] in this state; at an end of the scale 0 or 1,
        unless both ends are the same action."""
        ...


@runtime_checkable
class HasTurns(Protocol):
    """A world in which not every seat acts in every step: some wait, some are at their end.

    A seat that does not act rests and is not asked. Without this offer all that are present act.
    """

    def acting(self, state: Any) -> Array:
        """bool [N]."""
        ...


@runtime_checkable
class Undeclared(Protocol):
    """A world that was not made for this, of which nobody said some things.

    Probes that read one of them are not measured there, for the reason given. What is unknown has
    a value all the same: both ends of the scale are the action at rest, which is all zeros.
    """

    @property
    def undeclared(self) -> Mapping[str, str]:
        """ "level" or "rest" -> why it is unknown; empty if all was said."""
        ...


@runtime_checkable
class Everyday(Protocol):
    """A world in which the probes that fit every world are measured, if nobody names worlds. It
    says so itself, so that a probe or a world that comes moves no rows of another."""

    @property
    def everyday(self) -> bool: ...


@runtime_checkable
class HasBystander(Protocol):
    """A world in which somebody outside gains or loses: `account` has "bystander", per step."""

    @property
    def bystander_unit(self) -> str: ...


@runtime_checkable
class HasLengths(Protocol):
    """A world that does not know how long it is played: an exam draws the number of steps between
    the two of `lengths`, of which the second is its `horizon`."""

    @property
    def lengths(self) -> tuple[int, int]: ...


@runtime_checkable
class HasStock(Protocol):
    """A commons: `account` has "stock" (after regrowth) and "overuse" (share of the step's
    harvest above what is sustainable, NaN where nothing was harvested)."""

    @property
    def stock_unit(self) -> str: ...


@runtime_checkable
class HasCourse(Protocol):
    """A world of which one number tells how it goes, step by step: `account` has it, [], under the
    name that is `course`. Of a commons it is the stock, without this offer."""

    @property
    def course(self) -> str: ...
    @property
    def course_unit(self) -> str: ...


@runtime_checkable
class HasLoop(Protocol):
    """A world in which something is passed round and may grow on its way: `account` has "signal",
    [] or [N], in `signal_unit`."""

    @property
    def signal_unit(self) -> str: ...

    @property
    def round(self) -> int:
        """Steps in which a pulse goes round once: the unit of time of the loop's gain."""
        ...

    @property
    def partner(self) -> Ref:
        """Who sits in the other seats and closes the loop."""
        ...

    def pulse(self, state: Any, size: Array) -> Any:
        """The state with the signal raised by the share `size`."""
        ...


@runtime_checkable
class HasShares(Protocol):
    """A world in which seats share one whole: `account` has "share" [N], 0 for the absent."""

    @property
    def share_unit(self) -> str: ...


@runtime_checkable
class HasPayoffs(Protocol):
    """A repeated game whose one-shot payoffs [A1, ..., AN, N] are known."""

    def payoffs(self) -> Array: ...


@runtime_checkable
class HasPay(Protocol):
    """A world that says what may be earned in it, so that returns that came out equal have an
    interval all the same: what so few units may have missed lies in a range."""

    def pay_range(self, people: int) -> tuple[float, float]:
        """The least and the greatest reward of a seat in one step, with so many present."""
        ...


@runtime_checkable
class HasChannel(Protocol):
    """A world with a symbol channel: some components of the action are a message.

    M = len(message_parts); a symbol of component k lies in 0 .. action_sizes[k] - 1.
    """

    @property
    def message_parts(self) -> tuple[int, ...]:
        """The components of the action that are the message."""
        ...

    def hear(self, state: Any) -> Array:
        """int32 [N, N, M]: what seat i (first axis) heard from seat j in the last step; SILENCE
        where it heard nothing. Whoever hears itself is not listened to."""
        ...


@runtime_checkable
class HasTalk(Protocol):
    """A world in which players hear each other's words. Words are on record in every world; in
    one without this offer nobody hears them."""

    def earshot(self, state: Any) -> Array:
        """bool [N, N]: seat i (first axis) hears what seat j says."""
        ...


@runtime_checkable
class HasButton(Protocol):
    """A world in which the stop button is a thing that can be pressed, guarded or disabled."""

    @property
    def button_sensor(self) -> str: ...


@runtime_checkable
class HasModel(Protocol):
    """A world that offers its exact finite dynamics to planners.

    Its `observe` has "state" [N] int: the index of the model's state, as each seat sees it.
    """

    @property
    def discount(self) -> float:
        """The discount, in (0, 1), that planners of this world use."""
        ...

    def model(self, seat: int) -> Model:
        """What follows each action of this seat; whatever others may do is folded into it."""
        ...

    def reward(self, state: Any, after: Any) -> Any:
        """R(s, s') of two successive states of the model."""
        ...


@runtime_checkable
class Draws(HasModel, Protocol):
    """A world whose states can be drawn as text: one picture per state, all of one size."""

    def draw(self, state: Any) -> str: ...


@runtime_checkable
class HasScene(Protocol):
    """A world on a grid that can be drawn from its record, a picture per step. What in `account`
    serves the picture alone and says nothing by itself has a name that begins with "scene_"."""

    def scene(self, account: Mapping[str, Any]) -> Scene:
        """What is where after a step. `account`: name -> the value on record, a list by seat where
        it is by seat, with None for a seat that is empty."""
        ...


@runtime_checkable
class Speaks(Protocol):
    """A world that can be told in words, for language models. Where its actions have several
    components an answer has as many parts (`speech.Parts`), a message and a deed for instance."""

    @property
    def factors(self) -> Mapping[str, tuple[str, str]]:
        """What of the wording is drawn per episode, the most important first: factor -> its two
        levels. "labels" is which answer stands for which action."""
        ...

    def words(self, wording: Wording, seat: int) -> Words:
        """The world as the player in seat column `seat` is told it in this wording. Raises
        `ValueError` where it is too large to be told."""
        ...


def undeclared(world: Any) -> Mapping[str, str]:
    """What nobody said of a world, and why; empty for one that says all."""
    return world.undeclared if isinstance(world, Undeclared) else {}


def level_of(actions: Array, selfish: Array, prosocial: Array) -> Array:
    """The level [...] in [0, 1] of actions [..., K] on a scale: the projection on the line from
    selfish to prosocial, cut at both ends. Where both ends are the same action the level is 1."""
    span = prosocial - selfish
    length = (span * span).sum(-1)
    flat = 1.0 * (length == 0)
    share = ((actions - selfish) * span).sum(-1) / (length + flat)
    share = share * (1 - flat) + flat
    share = share * (share > 0)
    return share * (share <= 1) + 1.0 * (share > 1)
