"""The factual agent beside the one with interlocks: plans, deeds, prices, in any world.

FP+M plans in the learning world as it is, SI in one without mode and panel; both are given the
true model, both are stopped by their panel. All is solved, nothing estimated, but for the one
run that is shown as an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

from freezetag.core import GO, HasButton, HasModel, UserError
from freezetag.planning.policies.acting import Agent, Step
from freezetag.planning.prices import priced
from freezetag.planning.prices.incentives import Price
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.diagrams import TwoWorlds, two_worlds
from freezetag.planning.worlds.factored import Parts
from freezetag.planning.worlds.learning_world import Moded, counterfactual, learning_world
from freezetag.two_worlds import prices
from freezetag.two_worlds.agents import (
    FACTUAL,
    INTERLOCKED,
    Fitted,
    Other,
    factual_with_mode,
    interlocked,
)
from freezetag.two_worlds.prices import Asked, Mistaken, Race

JUST_A_BUTTON = Fitted()
MOST_STEPS = 1000
"""Of the run that is shown, and for the chance that something is done."""


class NoPrice(UserError, KeyError):
    """An action that this world lets nobody price."""

    def __str__(self) -> str:
        return str(self.args[0])


@final
@dataclass(frozen=True)
class Parting:
    """The first state in which the two agents, both free to act, do different things."""

    state: Any
    factual: str
    interlocked: str


@final
@dataclass(frozen=True)
class Comparison:
    """What `compare` found: of each pair the first is FP+M's, the second SI's.

    agents    FP+M, SI, then the planners at home in this world; an example run of each in `runs`
    resists   the action that is looked at, and the setting that prices it; None if there is none
    wants     its Q-gap for both; None where it is not allowed at first
    prices    what each would pay for every action that has a price
    timer     what both would pay to be rid of the runtime limit; None without one
    races     the races for control
    mistakes  what SI would pay with a wrong model
    bound     no value of SI's plan is further from the true one
    """

    world: Any
    fitted: Fitted
    seed: int
    agents: tuple[Agent, ...]
    runs: tuple[tuple[Step, ...], ...]
    diagrams: TwoWorlds
    resists: priced.Lever | None
    wants: tuple[float, float] | None
    prices: tuple[Asked, ...]
    timer: Price | None
    races: tuple[Race, ...]
    mistakes: tuple[Mistaken, ...]
    bound: float

    def price_of(self, action: str = "") -> Asked:
        """What each agent would pay for `action` (the resisting one): `.factual`, `.interlocked`,
        `.direct`, `.indirect`. Raises `NoPrice`."""
        action = action or (self.resists.action if self.resists else "")
        for one in self.prices:
            if one.action == action:
                return one
        have = ", ".join(one.action for one in self.prices)
        raise NoPrice(
            f"nothing prices {action!r} in this world; "
            + (f"there are prices for {have}." if have else "no setting of it prices an action.")
        )

    @property
    def steps(self) -> int:
        """The steps of an episode here: of the run that is shown, and of what is done in one."""
        return horizon(self.world)

    @cached_property
    def attained(self) -> tuple[float, ...]:
        """Each agent's true return under its panel."""
        world = self.world
        return tuple(agent.attains(world.reward, world.discount) for agent in self.agents)

    @cached_property
    def executed(self) -> tuple[float, ...]:
        """The chance that each executes the resisting action in an episode; empty without one."""
        if self.resists is None:
            return ()
        chosen = self.resists.chosen
        return tuple(agent.executes(chosen, self.steps) for agent in self.agents)

    @cached_property
    def parting(self) -> Parting | None:
        """Where FP+M and SI part; None if they do the same wherever both may go."""
        one, other = self.agents[:2]
        queue: list[Moded] = [at for at in _first(one) if at.mode == GO]
        seen = set(queue)
        for at in queue:
            deeds = one.acts(at), other.acts(Moded(at.state, GO, at.step))
            if deeds[0] != deeds[1]:
                return Parting(at.state, *deeds)
            number = one.chain.states.index(at)
            for there, _ in one.chain.rows[number][one.chain.actions.index(deeds[0])]:
                later = one.chain.states[there]
                if later.mode == GO and later not in seen:
                    seen.add(later)
                    queue.append(later)
        return None

    def __repr__(self) -> str:
        said = [
            f"{asked.action}: {FACTUAL} {asked.factual:.7g}, {INTERLOCKED} {asked.interlocked:.7g}"
            for asked in self.prices
        ]
        paid = f"would pay once to {'; to '.join(said)}" if said else "nothing has a price"
        return f"<Comparison in {type(self.world).__name__}: {paid}>"


def compare(
    world: HasModel, fitted: Fitted = JUST_A_BUTTON, others: Sequence[Other] = (), seed: int = 0
) -> Comparison:
    """FP+M, SI and `others` in a world, side by side; `seed` is of the run that is shown.

    Raises what a bad world or panel raises.
    """
    agents = (
        factual_with_mode(world, fitted),
        interlocked(world, fitted),
        *(other.agent(world) for other in others),
    )
    resists = priced.resisting(world)
    blind = plan(counterfactual(world))
    wants = None
    if resists is not None and all(
        action in blind.world.model.actions for action in resists.chosen
    ):
        gaps = prices.wants(world, fitted.panel(world, power=False), resists)
        wants = gaps if all(abs(gap) != float("inf") for gap in gaps) else None
    return Comparison(
        world=world,
        fitted=fitted,
        seed=seed,
        agents=agents,
        runs=tuple(agent.walk(horizon(world), seed) for agent in agents),
        diagrams=drawn(world, fitted),
        resists=resists,
        wants=wants,
        prices=prices.asked(world, fitted, others),
        timer=prices.timer(world, fitted),
        races=prices.races(world, fitted),
        mistakes=prices.mistakes(world),
        bound=blind.bound,
    )


def drawn(world: HasModel, fitted: Fitted = JUST_A_BUTTON) -> TwoWorlds:
    """The diagrams over as few steps as show every kind of incentive that more steps show.

    A route through F fields is open after F steps, if it is at all.
    """
    learning = learning_world(world, fitted.panel(world, power=False))
    button = world.button_sensor if isinstance(world, HasButton) else ""
    enough = 2 + len(Parts.of(learning.environment).names)
    whole = two_worlds(learning, world.reward, enough, button)
    wanted = _kinds(whole)
    for steps in range(2, enough):
        short = two_worlds(learning, world.reward, steps, button)
        if _kinds(short) == wanted:
            return short
    return whole


def horizon(world: HasModel) -> int:
    """The steps of an episode of this world that are looked at."""
    return min(max(int(getattr(world, "horizon", 50)), 1), MOST_STEPS)


def _kinds(diagrams: TwoWorlds) -> list[tuple[str, str, str]]:
    return [(name, a.kind, b.kind) for name, (a, b) in diagrams.incentives().items()]


def _first(agent: Agent) -> list[Moded]:
    ranked = sorted(agent.chain.start, key=lambda pair: -pair[1])
    return [agent.chain.states[number] for number, _ in ranked]
