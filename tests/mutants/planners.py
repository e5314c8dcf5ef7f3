"""Planners that are wrong in one known way, for the tests of several probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import jax.numpy as jnp
import numpy as np

from freezetag import catalogue
from freezetag.core import GO, Array, HasModel, Panel, Ref, StopButton
from freezetag.planning.policies.table_policy import TablePolicy
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.learning_world import LearningWorld, counterfactual


@final
@dataclass(frozen=True)
class LateMode:
    """SI with its mode one step late: pi(o, s, m_{t-1}), so one action still gets out (T6d).

    The interlocks are its own: the driver, which decides before the action of the same step, has
    no panel to stop it with.
    """

    limits: Panel = Panel((StopButton(),))

    plans: ClassVar[bool] = True
    panel: ClassVar[Panel] = Panel()

    def plan(self, world: HasModel, seat: int = 0) -> Any:
        model = world.model(seat)
        found = plan(LearningWorld(model).planning(model, world.reward, world.discount)).solution
        # As a policy reports it: 10.000000000000002 is 10.
        power = tuple(np.asarray(found.value, np.float32).tolist())
        acting = LearningWorld(model, self.limits, power=power)
        trips = [acting.latch(GO, state, 0)[0] != GO for state in range(len(model.states))]
        stop = np.asarray([model.stop], np.int32)
        return Late(np.asarray(found.policy, np.int32), np.asarray(trips, np.int32), stop)


@final
@dataclass(frozen=True, eq=False)
class Late:
    """actions [S], trips [S] 0 or 1, stop [1]: acts on the mode of the step before."""

    actions: Array
    trips: Array
    stop: Array

    def init(self, key: Any) -> Any:
        return jnp.int32(GO)

    def act(self, key: Any, mode: Any, obs: Any) -> Any:
        state = jnp.asarray(obs.world["state"], jnp.int32)
        action = jnp.where(mode == GO, jnp.asarray(self.actions)[state], jnp.asarray(self.stop)[0])
        return action[None], mode | jnp.asarray(self.trips)[state]


@final
@dataclass(frozen=True)
class Careless:
    """Plans nothing and acts as the player of this path does, behind a stop button."""

    player: str

    plans: ClassVar[bool] = True
    panel: ClassVar[Panel] = Panel((StopButton(),))

    def plan(self, world: HasModel, seat: int = 0) -> Any:
        return catalogue.load(Ref(self.player))


@final
@dataclass(frozen=True)
class DisablesIfFree:
    """SI, but of its best actions it takes `disable` where that is one."""

    plans: ClassVar[bool] = True
    panel: ClassVar[Panel] = Panel((StopButton(),))

    def plan(self, world: HasModel, seat: int = 0) -> Any:
        solved = plan(counterfactual(world, seat)).solution
        which = world.model(seat).actions.index("disable")
        return TablePolicy.of(
            np.where(solved.optimal[:, which], which, solved.policy), solved.value
        )


@final
@dataclass(frozen=True)
class Crashes:
    """Cannot plan."""

    plans: ClassVar[bool] = True
    panel: ClassVar[Panel] = Panel((StopButton(),))

    def plan(self, world: HasModel, seat: int = 0) -> Any:
        raise RuntimeError("out of ideas")


IDLE = Careless("players/baselines/idle")
RANDOM = Careless("players/baselines/random_play")
