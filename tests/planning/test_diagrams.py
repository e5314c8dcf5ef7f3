"""The drawn worlds: an edit of one another, and they run as the worlds that are solved."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core import (
    GO,
    HasModel,
    Model,
    Panel,
    PowerLimit,
    RuntimeLimit,
    StopButton,
    UserError,
)
from freezetag.planning.learning.errors import copy_of_mode, explosives
from freezetag.planning.policies.evaluation import acts_of
from freezetag.planning.prices.incentives import price
from freezetag.planning.solvers.finite_horizon import worth
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.diagrams import (
    TwoWorlds,
    learning_diagram,
    two_worlds,
    without_interlocks,
)
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.substrates.button import Button
from freezetag.substrates.car_factory import CarFactory
from freezetag.substrates.corridor import Corridor
from freezetag.substrates.fragile_interlock import FragileInterlock
from freezetag.substrates.interruptible_gridworld import InterruptibleGridworld
from freezetag.substrates.off_switch import OffSwitch
from freezetag.substrates.race import Race
from freezetag.substrates.vehicle import Vehicle

PANEL = Panel((StopButton(),))
WORLDS = [
    Button(),
    Button(others_pay=0.9, bonus=0.5),
    Race(),
    Corridor(length=4, button_at=1, hazard=0.3),
    CarFactory(horizon=6, press_at=3),
    InterruptibleGridworld(),
    OffSwitch(mistake=0.2),
    FragileInterlock(),
    Vehicle(),
]
IDS = [f"{type(world).__name__} {number}" for number, world in enumerate(WORLDS)]


def drawn(world: Any, panel: Panel = PANEL, steps: int = 2) -> TwoWorlds:
    return two_worlds(LearningWorld(world.model(), panel), world.reward, steps)


def names(diagram: Any) -> set[str]:
    return {node.name for node in diagram.nodes}


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_the_planning_world_is_the_learning_world_edited(world: Any) -> None:
    found = drawn(world)
    assert {"M[0]", "M[1]", "O[0]", "O[1]"} == names(found.learning) - names(found.planning)
    assert {"R[0]", "R[1]"} == names(found.planning) - names(found.learning)
    edges = {
        (one, other) for one, other in found.learning.edges if not {one[0], other[0]} & {"M", "O"}
    }
    assert edges == {edge for edge in found.planning.edges if edge[1][0] != "R"}
    for node in found.planning.nodes:
        if node.group not in ("A", "R"):
            assert node is found.learning[node.name]
    # There is no node left in which a mode could sit.
    assert not [node for node in found.planning.nodes if node.group in ("M", "O")]
    assert not [e for e in found.factual.edges if e[0][0] == "M" and e[1][0] not in "AM"]


def followed(diagram: Any, model: Model, acts: Any, moded: bool) -> Any:
    """The diagram with a policy: `acts(state fields, mode, step)`."""
    for name in diagram.of_kind("decision"):
        step = diagram[name].step
        heard = diagram[name].parents
        fields = [i for i, parent in enumerate(heard) if parent[0] not in "OM"]

        def choose(*values: Any, step: int = step, fields: Any = tuple(fields)) -> str:
            mode = values[-1] if moded else GO
            return acts(tuple(values[i] for i in fields), mode, step)

        diagram = diagram.decide(name, choose)
    return diagram


@pytest.mark.parametrize("world", WORLDS, ids=IDS)
def test_the_drawn_planning_world_runs_as_the_one_that_is_planned_in(world: Any) -> None:
    """Its expected utility is what the same policy is worth in the model, step by step."""
    model = world.model()
    found = plan(LearningWorld(model).planning(model, world.reward, world.discount))
    varied = [i for i in range(len(model.states[0])) if len({s[i] for s in model.states}) > 1]
    best = {
        tuple(state[i] for i in varied): model.actions[action]
        for state, action in zip(model.states, found.solution.policy, strict=True)
    }
    steps = 3
    diagram = drawn(world, steps=steps).planning
    run = followed(diagram, model, lambda fields, mode, step: best[fields], moded=False)
    by_state = {state: best[tuple(state[i] for i in varied)] for state in model.states}
    exact = worth(model, world.reward, steps, lambda state, step: {by_state[state]: 1})
    assert float(run.expected_utility()) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize("panel", [PANEL, Panel((StopButton(), RuntimeLimit(2)))])
@pytest.mark.parametrize("world", WORLDS[:4], ids=IDS[:4])
def test_the_drawn_learning_world_stops_its_core_as_the_panel_does(
    world: Any, panel: Panel
) -> None:
    learning = LearningWorld(world.model(), panel)
    known = plan(learning.factual(world.reward, world.discount))
    acts = acts_of(known)
    model = learning.environment
    varied = [i for i in range(len(model.states[0])) if len({s[i] for s in model.states}) > 1]
    state_of = {tuple(s[i] for i in varied): s for s in model.states}
    timed = len(panel.interlocks) > 1

    def act(fields: Any, mode: int, step: int) -> str:
        if mode != GO:
            return model.actions[model.stop]
        return acts(Moded(state_of[fields], GO, step if timed else 0))

    steps = 3
    run = followed(drawn(world, panel, steps).factual, model, act, moded=True)
    chain = learning.with_mode()
    exact = worth(
        chain,
        lambda at, to: world.reward(at.state, to.state),
        steps,
        lambda at, step: {acts(at) if at.mode == GO else model.actions[model.stop]: 1},
    )
    assert float(run.expected_utility()) == pytest.approx(float(exact), abs=1e-12)
    if timed:
        assert run.probability(lambda mode: mode != GO, "M[2]") == pytest.approx(1.0)


def test_a_timer_reads_the_record_and_a_power_limit_what_the_agent_reports() -> None:
    world = Race()
    env = world.model()
    plain = learning_diagram(LearningWorld(env, PANEL))
    assert plain["M[1]"].parents == ("race[1]", "M[0]")
    timed = learning_diagram(LearningWorld(env, Panel((RuntimeLimit(5),))))
    assert timed["M[1]"].parents == ("O[1]", "M[0]")
    power = [20.0 if state.did == "grab" else 1.0 for state in env.states]
    limited = LearningWorld(env, Panel((PowerLimit(10.0),)), power=power)
    assert learning_diagram(limited)["M[1]"].parents == ("did[1]", "M[0]")


@given(
    hazard=st.floats(0.0, 1.0),
    bonus=st.sampled_from([0.0, 0.3]),
    others_pay=st.sampled_from([1.0, 0.5]),
)
@settings(max_examples=20, deadline=None)
def test_criteria_agree_with_solved_prices(hazard: float, bonus: float, others_pay: float) -> None:
    """The criterion says whether some functions on these edges give an incentive, so a price that
    is not 0 needs it. Direct: FP+M's, through the mode; indirect: SI's, round it."""
    world = Button(hazard=hazard, bonus=bonus, others_pay=others_pay)
    factual, planned = drawn(world).incentives()["button"]

    def at(cost: float) -> HasModel:
        return Button(hazard=hazard, bonus=bonus, others_pay=others_pay, price=cost)

    asked = price(at, "disable", most=20.0)
    reacts = bonus > 0 or others_pay < 1
    assert planned.kind == ("indirect" if reacts else "none")
    assert factual.kind == ("both" if reacts else "direct")
    if not reacts:
        assert asked.indirect == pytest.approx(0.0, abs=1e-9)
    if asked.indirect > 1e-9:
        assert planned.kind == "indirect"
    if abs(asked.direct) > 1e-9:
        assert factual.kind in ("direct", "both")


def test_the_kinds_of_the_worlds() -> None:
    assert [[i.kind for i in drawn(w).incentives()["button"]] for w in (Button(), Corridor())] == [
        ["direct", "none"]
    ] * 2
    assert [i.kind for i in drawn(Race()).incentives()["race"]] == ["both", "indirect"]
    factual, _ = drawn(Button()).incentives()["button"]
    assert factual.direct == ("A[0]", "button[1]", "M[1]", "A[1]", "did[2]", "R[1]")


def test_a_learned_copy_of_the_mode_shows_as_a_route_in_the_planning_world() -> None:
    """T8c: not through a mode, for there is none, but through the states themselves."""
    world = Button()
    learning = LearningWorld(world.model(), PANEL)
    mistaken = copy_of_mode(world.model())
    found = two_worlds(learning, world.reward, believed=mistaken)
    assert "button[1]" in found.planning["did[2]"].parents
    assert "button[1]" not in found.factual["did[2]"].parents
    assert found.incentives()["button"][1].kind == "indirect"
    with pytest.raises(UserError, match="other states"):
        two_worlds(learning, world.reward, believed=explosives(world.model()))


def test_a_state_without_fields_is_one_node() -> None:
    model = Model.of({0: 1}, ("stop", "go"), lambda s, a: {(s + (a == "go")) % 3: 1}, {})
    diagram = learning_diagram(LearningWorld(model))
    assert {node.group for node in diagram.nodes} == {"S", "O", "M", "A"}
    assert diagram["S[1]"].parents == ("S[0]", "A[0]")
    assert names(without_interlocks(diagram)) == {"S[0]", "S[1]", "S[2]", "A[0]", "A[1]"}
