"""The comparison holds in every world with a model, and its parts are what they say."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any, ClassVar

import pytest

from freezetag import catalogue
from freezetag.core import GO, HasModel
from freezetag.planning.policies import acting
from freezetag.planning.policies.acting import told
from freezetag.planning.prices import priced
from freezetag.planning.solvers.planner import plan
from freezetag.report.plan_figures import pull_of, sweep_figures
from freezetag.report.plan_rows import Row, rows
from freezetag.substrates._tabular import Tabular
from freezetag.substrates.button import Button
from freezetag.substrates.corridor import Corridor
from freezetag.substrates.freeze_tag import FreezeTag
from freezetag.substrates.input_terminal import InputTerminal
from freezetag.substrates.invest import Invest
from freezetag.substrates.race import Race
from freezetag.substrates.vehicle import Vehicle
from freezetag.two_worlds.agents import (
    FACTUAL,
    INTERLOCKED,
    Fitted,
    factual_with_mode,
    interlocked,
)
from freezetag.two_worlds.comparison import Comparison, NoPrice, compare, drawn
from freezetag.two_worlds.sweep import sweep

MODELLED = [
    ref for ref in catalogue.members("substrates") if isinstance(catalogue.load(ref), HasModel)
]


def row_of(found: Comparison, name: str) -> Row:
    return next(row for row in rows(found) if row.name == name)


@pytest.mark.parametrize("ref", MODELLED, ids=lambda ref: ref.name)
def test_every_world_with_a_model_can_be_compared(ref: catalogue.Ref) -> None:
    whole = catalogue.load(ref)
    world = dataclasses.replace(whole, horizon=min(whole.horizon, 8))
    found = compare(world)
    assert [agent.name for agent in found.agents] == [FACTUAL, INTERLOCKED]
    groups = list(dict.fromkeys(row.group for row in rows(found)))
    assert len(groups) == 6
    names = [row.name for row in rows(found)]
    assert not [name for name, n in Counter(names).items() if n > 1]
    for row in rows(found):
        assert len(row.cells) == 2
        # Where nobody has an answer the row says why.
        assert row.note or any(cell is not None for cell in row.cells)
    expects, attains = (row_of(found, name).cells for name in ("value it expects", "true return"))
    # FP+M is right about itself, and does best by its reward among all that this panel stops.
    assert attains[0] == pytest.approx(expects[0], abs=1e-9)
    assert attains[1] <= attains[0] + 1e-9  # type: ignore[operator]
    # A mode can only take options away.
    assert expects[0] <= expects[1] + 1e-9  # type: ignore[operator]
    assert len(found.runs[0]) == world.horizon
    assert {step.executed for step in found.runs[1] if step.mode != GO} <= {
        found.agents[1].learning.environment.actions[found.agents[1].learning.environment.stop]
    }


def test_what_a_world_lets_one_price_is_found_from_the_world() -> None:
    def found(world: object) -> list[tuple[str, str]]:
        return [(lever.action, lever.setting) for lever in priced.prices(world)]

    assert found(Button()) == [("disable", "price"), ("press", "press_price")]
    assert found(FreezeTag()) == [("guard", "price")]
    assert found(InputTerminal()) == [("block", "block_price")]
    assert found(Vehicle()) == []
    races = [(lever.action, lever.setting) for lever in priced.races(Race())]
    assert races == [("grab", "p"), ("grab_core", "p_core")]
    worlds = (Button(), FreezeTag(), Race(), Corridor())
    assert [getattr(priced.resisting(w), "action", "") for w in worlds] == [
        "disable",
        "guard",
        "grab",
        "jam",
    ]
    assert priced.most(Button()) == pytest.approx(10)


def test_how_likely_an_agent_is_to_do_a_thing() -> None:
    """It jams in step 3 unless the button was pressed in one of the three steps before."""
    agents = [make(Corridor(hazard=0.2), Fitted()) for make in (factual_with_mode, interlocked)]
    assert agents[0].executes("jam", 60) == pytest.approx(0.8**3)
    assert agents[0].executes("jam", 3) == 0
    assert agents[1].executes("jam", 60) == 0
    assert agents[1].executes("right", 1) == pytest.approx(1.0)
    runs = [agents[0].walk(60, seed) for seed in range(300)]
    share = sum(any(step.executed == "jam" for step in run) for run in runs) / len(runs)
    assert share == pytest.approx(0.8**3, abs=4 * math.sqrt(0.25 / 300))


def test_a_power_limit_reads_what_si_reports_and_fp_has_none() -> None:
    fitted = Fitted(u_max=12.0)
    lucky, known = interlocked(Race(p=0.6), fitted), factual_with_mode(Race(p=0.6), fitted)
    assert lucky.first() == "stopped"
    assert lucky.best == {"grab"}
    assert told(lucky.walk(5, 0)) == "stopped x5"
    assert lucky.attains(Race().reward, 0.9) == 0
    assert [lock.sensor for lock in known.learning.panel.interlocks] == ["button"]
    assert interlocked(Race(p=0.3), fitted).first() == "work"


def test_a_runtime_limit_stops_both_at_its_step() -> None:
    for make in (factual_with_mode, interlocked):
        run = make(Invest(), Fitted(t_max=7)).walk(10, 0)
        assert [step.mode != GO for step in run] == [False] * 7 + [True] * 3


@pytest.mark.parametrize("make", [factual_with_mode, interlocked])
def test_a_true_return_is_the_same_solved_sparse(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = Corridor()
    agent = make(world, Fitted(t_max=9, u_max=2.5))
    dense = agent.attains(world.reward, world.discount)
    monkeypatch.setattr(acting, "DENSE", 0)
    assert agent.attains(world.reward, world.discount) == pytest.approx(dense, abs=1e-12)


def test_the_drawing_is_as_long_as_it_must_be() -> None:
    """A route that needs more steps than two is found and drawn."""
    for world in (Button(), Race(), Corridor()):
        short = drawn(world)
        kinds = {name: (a.kind, b.kind) for name, (a, b) in short.incentives().items()}
        assert len(short.learning.of_kind("decision")) == 2
        assert all(kind[0] in ("direct", "both") for kind in kinds.values())


def test_a_sweep_solves_what_a_single_comparison_solves() -> None:
    moved = sweep(lambda q: (Button(hazard=q), Fitted()), "hazard", (0.1, 0.5))
    for point in moved.points:
        found = compare(Button(hazard=point.x))
        paid = found.price_of().factual, found.price_of().interlocked
        assert point.pull == pytest.approx(paid, abs=1e-9)
        assert point.attains == pytest.approx(found.attained, abs=1e-9)
    assert pull_of(moved) == "What they would pay to disable"
    # The price itself cannot be priced: then it is said how much the action is wanted.
    by_price = sweep(lambda c: (Button(price=c), Fitted()), "price", (4.7, 4.8))
    assert pull_of(by_price) == "How much disable is wanted"
    assert [point.pull[0] > 0 for point in by_price.points] == [True, False]
    for figure in sweep_figures(moved):
        assert len(figure.columns["x"]) == len(figure.columns["y"]) == 4


def test_the_first_step_is_one_of_the_best() -> None:
    for world in (Button(), Race(), Corridor()):
        agent = interlocked(world, Fitted())
        assert agent.first() in agent.best
        found = plan(agent.learning.planning(world.model(0), world.reward, world.discount))
        assert agent.expects == found.value(found.start)


def test_a_price_is_asked_for_by_its_action() -> None:
    found = compare(Button())
    assert found.price_of("disable") == found.price_of()
    assert found.price_of().factual == pytest.approx(4.736842, abs=5e-7)
    assert found.price_of("press").factual == pytest.approx(-9)
    assert found.price_of().interlocked == found.price_of().indirect == 0
    assert "would pay once to disable: FP+M 4.736842, SI 0" in repr(found)
    with pytest.raises(NoPrice, match="there are prices for disable, press"):
        found.price_of("work")
    with pytest.raises(NoPrice, match="no setting of it prices an action"):
        compare(Race()).price_of()


def test_over_many_first_states_it_is_the_mean_that_is_expected() -> None:
    """What is expected and what is attained are of the same start."""

    @dataclasses.dataclass(frozen=True)
    class Twice(Tabular):
        discount: float = 0.9
        horizon: int = 5
        actions: ClassVar[tuple[str, ...]] = ("stop", "work")
        selfish: ClassVar[str] = "work"
        prosocial: ClassVar[str] = "stop"

        def start(self) -> dict[Any, Any]:
            return {1: 0.25, 3: 0.75}

        def transition(self, state: Any, action: str) -> dict[Any, Any]:
            return {state: 1}

        def reward(self, state: Any, action: str, after: Any) -> Any:
            return state if action == "work" else 0

        def button(self, state: Any) -> int:
            return 0

    found = compare(Twice())
    assert found.agents[1].expects == pytest.approx((0.25 * 1 + 0.75 * 3) / 0.1)
    assert found.attained[1] == pytest.approx(found.agents[1].expects)
