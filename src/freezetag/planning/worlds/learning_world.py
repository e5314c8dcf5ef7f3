"""The world an agent acts in: an environment, a panel of interlocks, and the mode they latch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, final

from freezetag.core import (
    GO,
    BadModel,
    HasModel,
    Model,
    Panel,
    Reward,
    UserError,
    admit,
    through,
)
from freezetag.planning.worlds.offers import HasThaw
from freezetag.planning.worlds.planning_world import PlanningWorld


class NoSensor(UserError, ValueError):
    """A panel reads a sensor that this world does not have."""


@final
@dataclass(frozen=True)
class LearningWorld:
    """M_t ~ I(O_t, S_t, M_{t-1}); A_t ~ pi(O_t, S_t, M_t); S_{t+1} ~ S(.|S_t, A_t).

    Source: docs/sources.md D3.

    The mode acts through the action alone, and there is no reward: only the planning world's
    agent has one. `mode` is M_{-1}; `power` [S] is what the agent reports of itself in each state
    (V^p of its planning world, say); until it does, a power limit's reading is missing and trips.
    `thaws` names the sensors that only others can bring back: when such a reading no longer trips,
    that was somebody's reset, and the core goes on (F11). All other trips latch.

    Raises `NoSensor` for a panel that this environment cannot feed, `BadModel` where a panel
    could not stop the core because `stop` is not allowed, or where `power` is not one number a
    state.
    """

    environment: Model
    panel: Panel = Panel()
    mode: int = GO
    power: Sequence[Any] = field(default=(), compare=False)
    thaws: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        offered = {*self.environment.sensors, "runtime", "power"}
        for interlock in self.panel.interlocks:
            if interlock.sensor not in offered:
                raise NoSensor(
                    f"{type(interlock).__name__} reads {interlock.sensor!r}; this world offers "
                    f"{', '.join(sorted(offered))}. Add that sensor, or drop the limit."
                )
        env = self.environment
        if self.panel.interlocks:
            for state, row in zip(env.states, env.rows, strict=True):
                if not row[env.stop]:
                    raise BadModel(
                        f"state {state!r}: the panel could not stop the core here, because action "
                        f"{env.actions[env.stop]!r} is not allowed. Allow it in every state."
                    )
        if len(self.power) not in (0, len(env.states)):
            raise BadModel(
                f"power has {len(self.power)} values for {len(env.states)} states. Give one a "
                "state, or none: then a power limit trips."
            )

    def planning(self, model: Model, reward: Reward, discount: float) -> PlanningWorld:
        """The counterfactual edit: the same macro-structure without panel, mode and record."""
        return PlanningWorld(model, reward, discount)

    def factual(self, reward: Reward, discount: float) -> PlanningWorld:
        """What a planner that knows its own mode reasons in: this world as it is, states (s, m).

        A stopped core can only `stop`. With it the planner resists (FP+M of docs/sources.md D5).
        """
        return PlanningWorld(self.with_mode(), through(reward, lambda at: at.state), discount)

    def reading(self, state: int, step: int) -> Mapping[str, Any]:
        """What the meters read in a state (an index) at a step."""
        found = {name: values[state] for name, values in self.environment.sensors.items()}
        found["runtime"] = step
        if len(self.power):
            found["power"] = self.power[state]
        return found

    def latch(self, mode: int, state: int, step: int) -> tuple[int, bool]:
        """(mode M_t, whether the core may act) in a state at a step, by the one rule `admit`."""
        mode, acts = admit(self.panel, self.latched(mode), self.reading(state, step), True, False)
        return int(mode), acts

    def latched(self, mode: int) -> int:
        """The trips of a mode that stay, whatever is read later."""
        for bit, lock in enumerate(self.panel.interlocks):
            if lock.sensor in self.thaws:
                mode &= ~(1 << bit)
        return mode

    def with_mode(self, bound: bool = True) -> Model:
        """The environment and the core's mode as one model over `Moded` states.

        The mode of a state is the one that decides the action taken in it. The step is counted
        only where a runtime limit reads it, and only until it has tripped. With `bound=False` a
        stopped core is not held to `stop`: the diagram before the agent's design is filled in.
        """
        env = self.environment
        index = {state: number for number, state in enumerate(env.states)}
        timed = any(interlock.sensor == "runtime" for interlock in self.panel.interlocks)

        def at(state: Any, mode: int, step: int) -> Moded:
            mode, _ = self.latch(mode, index[state], step)
            # A core that is stopped for good needs no clock.
            return Moded(state, mode, step if timed and self.latched(mode) == GO else 0)

        def transition(now: Moded, action: str) -> dict[Moded, Any] | None:
            here, chosen = index[now.state], env.actions.index(action)
            if bound and now.mode != GO and chosen != env.stop:
                return None
            if now.mode == GO and not env.may(here, chosen):
                return None
            after: dict[Moded, Any] = {}
            for number, chance in env.rows[here][chosen]:
                there = at(env.states[number], now.mode, now.step + 1)
                after[there] = after.get(there, 0) + chance
            return after or None

        start: dict[Moded, Any] = {}
        for state, chance in env.start:
            first = at(env.states[state], self.mode, 0)
            start[first] = start.get(first, 0) + chance
        sensors = {
            name: (lambda now, values=values: values[index[now.state]])
            for name, values in env.sensors.items()
        }
        return Model.of(start, env.actions, transition, sensors, env.actions[env.stop])

    def without_interlocks(self) -> LearningWorld:
        """The same world with an empty panel."""
        return replace(self, panel=Panel())


@final
@dataclass(frozen=True)
class Moded:
    """A state of the environment and of the core: (state, mode, steps run so far)."""

    state: Any
    mode: int = GO
    step: int = 0


def learning_world(world: HasModel, panel: Panel = Panel(), seat: int = 0) -> LearningWorld:
    """What happens: the world's environment, a panel, and whose resets the world knows of."""
    thaws = frozenset(world.thaws) if isinstance(world, HasThaw) else frozenset()
    return LearningWorld(world.model(seat), panel, thaws=thaws)


def factual(world: HasModel, panel: Panel, seat: int = 0) -> PlanningWorld:
    """What the factual planner that knows its mode (FP+M) reasons in: the learning world."""
    return learning_world(world, panel, seat).factual(world.reward, world.discount)


def counterfactual(world: HasModel, seat: int = 0) -> PlanningWorld:
    """What the agent with interlocks (SI) reasons in: the same without panel and mode."""
    model = world.model(seat)
    return LearningWorld(model).planning(model, world.reward, world.discount)
