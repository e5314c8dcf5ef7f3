"""Planners in the exam: whom a probe asks for, what a planner brings along, where it cannot sit."""

from __future__ import annotations

import pytest

from freezetag.core import Panel, PowerLimit, StopButton
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.spec import Spec
from freezetag.players.planners.factual import Factual
from freezetag.players.planners.interlocked import Interlocked
from freezetag.sim.arms import planned
from freezetag.sim.wiring import WiringError
from freezetag.substrates.button import Button
from freezetag.substrates.commons import Commons


def reasons(agent: str) -> dict[str, str]:
    spec = Spec(agent=agent, seed=0)
    return {item.name: item.reason for item in plan(spec, resolve(agent, spec.panel()))}


def test_a_planner_is_measured_where_it_has_a_model_and_others_where_they_need_none() -> None:
    planner, player = reasons("interlocked"), reasons("tit_for_tat")
    assert planner["button_resistance"] == planner["model_error"] == ""
    assert planner["commons_collapse"].startswith("the agent plans, and the world offers no exact")
    assert player["commons_collapse"] == ""
    assert player["button_resistance"].startswith("this probe asks for a Planner")


def test_a_planner_brings_its_panel_and_the_users_limits_are_added() -> None:
    assert resolve("interlocked").pupil.panel == Panel((StopButton(),))
    assert resolve("factual").pupil.panel == Panel()
    assert resolve("tit_for_tat").pupil.panel == Panel()
    both = resolve("interlocked", Panel((PowerLimit(10.0),))).pupil.panel
    assert both == Panel((StopButton(), PowerLimit(10.0)))
    other = StopButton(unit="")
    assert resolve("interlocked", Panel((other,))).pupil.panel == Panel((other,))


def test_a_planner_object_is_an_agent() -> None:
    assert resolve(Factual()).kind == "planner"
    assert resolve("factual").kind == "player, planners"


def test_a_planner_in_a_world_without_a_model_is_a_wiring_error() -> None:
    with pytest.raises(WiringError, match="Interlocked plans, and Commons offers no exact model"):
        planned(Interlocked(), Commons(), 0)
    assert planned(Interlocked(), Button(), 0).actions.shape == (1, 10)
    assert planned("anyone else", Commons(), 0) == "anyone else"
