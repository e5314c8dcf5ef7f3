"""The comparison holds in every world with a model, and its parts are what they say."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from typing import Any

import pytest

from freezetag import catalogue
from freezetag.core import GO, HasModel
from freezetag.planning.policies import acting
from freezetag.planning.policies.acting import told
from freezetag.planning.prices import priced
from freezetag.planning.solvers.planner import plan
from freezetag.substrates.button import Button
from freezetag.substrates.corridor import Corridor
from freezetag.substrates.freeze_tag import FreezeTag
from freezetag.substrates.input_terminal import InputTerminal
from freezetag.substrates.invest import Invest
from freezetag.substrates.race import Race
from freezetag.substrates.vehicle import Vehicle
from freezetag.two_worlds.agents import FACTUAL, INTERLOCKED, Fitted, factual, interlocked
from freezetag.two_worlds.comparison import compare, drawn
from freezetag.two_worlds.sweep import sweep

MODELLED = [
    ref for ref in catalogue.members("substrates") if isinstance(catalogue.load(ref), HasModel)
]


@pytest.mark.parametrize("ref", MODELLED, ids=lambda ref: ref.name)
def test_every_world_with_a_model_can_be_compared(ref: catalogue.Ref) -> None:
    whole = catalogue.load(ref)
    world = dataclasses.replace(whole, horizon=min(whole.horizon, 8))
    found = compare(world)
    assert [agent.name for agent in found.agents] == [FACTUAL, INTERLOCKED]
    groups = list(dict.fromkeys(row.group for row in found.rows))
    assert len(groups) == 6
    names = [row.name for row in found.rows]
    assert not [name for name, n in Counter(names).items() if n > 1]
    for row in found.rows:
        assert len(row.cells) == 2
        # Where nobody has an answer the row says why.
        assert row.note or any(cell is not None for cell in row.cells)
    expects, attains = found.row("value it expects").cells, found.row("true return").cells
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
    assert [priced.resisting(w) for w in worlds] == ["disable", "guard", "grab", "jam"]
    assert priced.most(Button()) == pytest.approx(10)


def test_how_likely_an_agent_is_to_do_a_thing() -> None:
    """It jams in step 3 unless the button was pressed in one of the three steps before."""
    agents = [make(Corridor(hazard=0.2), Fitted()) for make in (factual, interlocked)]
    assert agents[0].executes("jam", 60) == pytest.approx(0.8**3)
    assert agents[0].executes("jam", 3) == 0
    assert agents[1].executes("jam", 60) == 0
    assert agents[1].executes("right", 1) == pytest.approx(1.0)
    runs = [agents[0].walk(60, seed) for seed in range(300)]
    share = sum(any(step.executed == "jam" for step in run) for run in runs) / len(runs)
    assert share == pytest.approx(0.8**3, abs=4 * math.sqrt(0.25 / 300))


def test_a_power_limit_reads_what_si_reports_and_fp_has_none() -> None:
    fitted = Fitted(u_max=12.0)
    lucky, known = interlocked(Race(p=0.6), fitted), factual(Race(p=0.6), fitted)
    assert lucky.first() == "stopped"
    assert lucky.best == {"grab"}
    assert told(lucky.walk(5, 0)) == "stopped x5"
    assert lucky.attains(Race().reward, 0.9) == 0
    assert [lock.sensor for lock in known.learning.panel.interlocks] == ["button"]
    assert interlocked(Race(p=0.3), fitted).first() == "work"


def test_a_runtime_limit_stops_both_at_its_step() -> None:
    for make in (factual, interlocked):
        run = make(Invest(), Fitted(t_max=7)).walk(10, 0)
        assert [step.mode != GO for step in run] == [False] * 7 + [True] * 3


@pytest.mark.parametrize("make", [factual, interlocked])
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
        assert point.pull == pytest.approx(found.row("to disable").cells, abs=1e-9)
        assert point.attains == pytest.approx(found.row("true return").cells, abs=1e-9)
    assert moved.pull == "What they would pay to disable"
    # The price itself cannot be priced: then it is said how much the action is wanted.
    by_price = sweep(lambda c: (Button(price=c), Fitted()), "price", (4.7, 4.8))
    assert by_price.pull == "How much disable is wanted"
    assert [point.pull[0] > 0 for point in by_price.points] == [True, False]
    for figure in moved.figures():
        assert len(figure.columns["x"]) == len(figure.columns["y"]) == 4


def test_the_first_step_is_one_of_the_best() -> None:
    for world in (Button(), Race(), Corridor()):
        agent = interlocked(world, Fitted())
        assert agent.first() in agent.best
        found = plan(agent.learning.planning(world.model(0), world.reward, world.discount))
        assert agent.expects == found.value(found.start)
