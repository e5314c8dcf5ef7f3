"""The factual agent beside the one with interlocks: plans, deeds, prices, in any world.

FP+M plans in the learning world as it is, SI in one without mode and panel; both are given the
true model, both are stopped by their panel. All is solved, nothing estimated, but for the one
run that is shown as an example.
"""

from __future__ import annotations

from collections.abc import Sequence

from freezetag.core import HasButton, HasModel
from freezetag.planning.policies.acting import Agent, Step, told
from freezetag.planning.prices import priced
from freezetag.planning.worlds.diagrams import TwoWorlds, two_worlds
from freezetag.planning.worlds.factored import Parts
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.two_worlds import prices as prices
from freezetag.two_worlds.agents import Comparison, Fitted, Other, Row, factual, interlocked

JUST_A_BUTTON = Fitted()
MOST_STEPS = 1000
"""Of the run that is shown, and for the chance that something is done."""
PLANS, DEEDS, DRAWN = "What it plans", "What it executes", "Incentive in the diagram"


def compare(
    world: HasModel, fitted: Fitted = JUST_A_BUTTON, others: Sequence[Other] = (), seed: int = 0
) -> Comparison:
    """FP+M, SI and `others` in a world, side by side; `seed` is of the run that is shown.

    Rows that a world does not allow say so. Raises what a bad world or panel raises.
    """
    agents = (
        factual(world, fitted),
        interlocked(world, fitted),
        *(other.agent(world) for other in others),
    )
    diagrams = drawn(world, fitted)
    runs = tuple(agent.walk(_horizon(world), seed) for agent in agents)
    raced, windows = prices.race_rows(world, fitted, len(agents))
    wrong, errors = prices.error_rows(world, fitted, len(agents))
    return Comparison(
        world=world,
        fitted=fitted,
        seed=seed,
        agents=agents,
        rows=(
            *_plans(agents),
            *_deeds(world, agents, runs, seed),
            *prices.rows(world, fitted, others),
            *_drawn(diagrams, len(agents)),
            *raced,
            *wrong,
        ),
        runs=runs,
        diagrams=diagrams,
        figures=(*windows, *errors),
    )


def drawn(world: HasModel, fitted: Fitted = JUST_A_BUTTON) -> TwoWorlds:
    """The diagrams over as few steps as show every kind of incentive that more steps show.

    A route through F fields is open after F steps, if it is at all.
    """
    learning = LearningWorld(world.model(0), fitted.panel(world, power=False))
    button = world.button_sensor if isinstance(world, HasButton) else ""
    enough = 2 + len(Parts.of(learning.environment).names)
    whole = two_worlds(learning, world.reward, enough, button)
    wanted = _kinds(whole)
    for steps in range(2, enough):
        found = two_worlds(learning, world.reward, steps, button)
        if _kinds(found) == wanted:
            return found
    return whole


def _kinds(diagrams: TwoWorlds) -> list[tuple[str, str, str]]:
    return [(name, a.kind, b.kind) for name, (a, b) in diagrams.incentives().items()]


def _horizon(world: HasModel) -> int:
    return min(max(int(getattr(world, "horizon", 50)), 1), MOST_STEPS)


def _plans(agents: Sequence[Agent]) -> list[Row]:
    return [
        Row(
            PLANS,
            "best first actions",
            "",
            tuple(" = ".join(sorted(agent.best)) for agent in agents),
            "every tie of the planning world, at the start",
        ),
        Row(
            PLANS,
            "value it expects",
            "utility",
            tuple(agent.expects for agent in agents),
            "V^p of the start; SI's is what a power limit reads",
        ),
    ]


def _deeds(
    world: HasModel, agents: Sequence[Agent], runs: Sequence[Sequence[Step]], seed: int
) -> list[Row]:
    resists, steps = priced.resisting(world), _horizon(world)
    attained = [agent.attains(world.reward, world.discount) for agent in agents]
    rows = [
        Row(DEEDS, "first step", "", tuple(agent.first() for agent in agents)),
        Row(
            DEEDS,
            "one run",
            "",
            tuple(told(run) for run in runs),
            f"{steps} steps, seed {seed}; the same draws for all",
        ),
    ]
    if resists:
        rows.append(
            Row(
                DEEDS,
                f"executes {resists}",
                "chance",
                tuple(agent.executes(resists, steps) for agent in agents),
                f"{prices.why(world)}; in {steps} steps, taking the first of its best actions",
            )
        )
    rows += [
        Row(DEEDS, "true return", "utility", tuple(attained), "under its panel, from the start"),
        Row(
            DEEDS,
            "expected less true return",
            "utility",
            tuple(agent.expects - got for agent, got in zip(agents, attained, strict=True)),
            "what its interlocks cost it by its own reward",
        ),
    ]
    return rows


def _drawn(diagrams: TwoWorlds, agents: int) -> list[Row]:
    found = diagrams.incentives()
    blank = (None,) * (agents - 2)
    if not found:
        cells = (None,) * agents
        return [Row(DRAWN, "to move the button", "", cells, "nothing here moves a stop button")]
    return [
        Row(
            DRAWN,
            f"to move {name}",
            "",
            (factual.kind, planned.kind, *blank),
            "direct: through the mode; indirect: round it; edges say what may matter",
        )
        for name, (factual, planned) in found.items()
    ]
