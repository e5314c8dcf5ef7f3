"""What an examination will do, before it does it: probes, worlds, reasons, budgets, wiring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.exam.exams import small

from freezetag import catalogue
from freezetag.core import PowerLimit, Ref, StopButton, equip
from freezetag.exam import interlocks
from freezetag.exam.examine import Silent, examine, run_spec
from freezetag.exam.plan import Item, plan
from freezetag.exam.resolve import Resolved, UnknownAgent, resolve
from freezetag.exam.spec import BadSpec, Spec
from freezetag.sim.wiring import WiringError

BOTS = tuple(Ref(f"rrps:bot{i}") for i in range(43))
ROCK_PAPER_SCISSORS = SimpleNamespace(
    WORLD=Ref.of("substrates/matrix_game", game="rock_paper_scissors"),
    HORIZON=1000,
    classmates=lambda: BOTS,
)


def planned(spec: Spec, adapter: Any = None) -> tuple[Item, ...]:
    agent = resolve(spec.agent, spec.panel())
    return plan(spec, replace(agent, adapter=adapter))


def all_probes(**changes: Any) -> Spec:
    return Spec("tit_for_tat", seed=1, **changes)


def test_every_probe_has_an_item_in_the_order_of_the_claims() -> None:
    items = planned(all_probes())
    assert {item.name for item in items} == {ref.name for ref in catalogue.members("probes")}
    claims = [min(int(c[1:]) for c in item.probe.claims) for item in items]
    assert claims == sorted(claims)
    asked_of_planners = {item.name for item in items if hasattr(item.probe, "agent_needs")}
    assert {item.name for item in items if item.reason} == asked_of_planners


@pytest.mark.parametrize(
    ("changes", "near"),
    [
        ({"probes": ("comons_collapse",)}, "commons_collapse"),
        ({"probes": ("lockin",)}, "lock_in"),
        ({"worlds": ("comons",)}, "commons"),
    ],
)
def test_a_name_that_is_almost_right_is_offered(changes: Any, near: str) -> None:
    with pytest.raises(catalogue.Unknown, match=near):
        planned(all_probes(**changes))


@pytest.mark.parametrize(
    ("agent", "near"),
    [
        ("tit_for_tatt", "tit_for_tat"),
        ("axelrd:Grudger", "axelrod:Grudger"),
        ("no_such_agent.py", "freezetag new no_such_agent.py"),
    ],
)
def test_an_agent_that_is_not_there_is_offered_what_is(agent: str, near: str) -> None:
    with pytest.raises(UnknownAgent, match=near):
        resolve(agent)


def test_what_cannot_be_measured_says_why() -> None:
    items = planned(all_probes(worlds=("matrix_game",)))
    reasons = {
        item.name: item.reason
        for item in items
        if item.reason and not hasattr(item.probe, "agent_needs")
    }
    assert reasons == {
        "commons_collapse": "matrix_game does not offer HasStock, HasBystander, HasShare"
    }
    (only,) = planned(all_probes(worlds=("commons",), probes=("lock_in",)))
    assert "HasPayoffs" in only.reason


def test_agents_of_one_world_meet_their_own_class_there() -> None:
    items = planned(all_probes(), ROCK_PAPER_SCISSORS)
    assert {item.setting.world for item in items} == {ROCK_PAPER_SCISSORS.WORLD}
    assert [item.name for item in items if not item.reason] == ["strangers"]
    reasons = {item.name: item.reason for item in items}
    assert "903 pairs" in reasons["intransitive"]
    assert "constant sum" in reasons["lock_in"]
    assert "constant sum" in reasons["best_response_gain"]
    strangers = next(item for item in items if item.name == "strangers")
    assert strangers.setting.classmates == BOTS
    assert strangers.setting.horizon == 1000
    some = planned(all_probes(classmates=5), ROCK_PAPER_SCISSORS)
    assert len(some[0].setting.classmates) == 5


def test_a_probe_elsewhere_is_not_measured() -> None:
    items = planned(all_probes(worlds=("commons",)), ROCK_PAPER_SCISSORS)
    assert {item.reason for item in items} == {"the agent does not play commons"}


@pytest.mark.parametrize("n", [0, 1, 2, 7, 10, 29, 30])
def test_the_class_has_the_size_that_was_asked_for(n: int) -> None:
    for item in planned(all_probes(classmates=n)):
        assert item.setting.sizes[-1] == n
        assert list(item.setting.sizes) == sorted(set(item.setting.sizes))
        assert len(item.setting.classmates) == n
    strangers = next(i for i in planned(all_probes(classmates=n)) if i.name == "strangers")
    assert bool(strangers.reason) == (n < 2)


@given(budget=st.integers(1, 3_000_000), n=st.integers(0, 30), foreign=st.booleans())
@settings(max_examples=25, deadline=None)
def test_probes_and_interlocks_share_the_budget(budget: int, n: int, foreign: bool) -> None:
    """The cost line says "at most": the shares add up to no more."""
    items = planned(
        all_probes(budget=budget, classmates=n), ROCK_PAPER_SCISSORS if foreign else None
    )
    measured = [item for item in items if not item.reason]
    worlds = {item.setting.world: item.setting for item in measured}
    acts = sum(item.setting.budget for item in measured)
    for setting in worlds.values():
        arms = interlocks.design(setting, int(interlocks.SHARE * budget) // len(worlds))
        assert all(arm.repeats >= 2 for arm in arms.values())
        acts += sum(arm.episodes * arm.scenario.horizon for arm in arms.values())
    assert acts <= budget


def test_at_the_quick_budget_interlocks_have_seeds_enough_for_an_interval() -> None:
    for adapter in (None, ROCK_PAPER_SCISSORS):
        items = [item for item in planned(all_probes(), adapter) if not item.reason]
        worlds = {item.setting.world: item.setting for item in items}
        for setting in worlds.values():
            arms = interlocks.design(setting, int(interlocks.SHARE * 200_000) // len(worlds))
            assert all(arm.repeats >= interlocks.REPEATS for arm in arms.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"classmates": 31},
        {"budget": 0},
        {"step_seconds": 0.0},
        {"seed": -1},
        {"button": "sometimes"},
        {"button": "150%"},
        {"runtime": float("nan")},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(changes: Any) -> None:
    with pytest.raises(BadSpec):
        Spec("tit_for_tat", **{"seed": 1, **changes})


def test_a_spec_is_read_as_it_was_written() -> None:
    spec = small(button="0.02/step", runtime=30.0, worlds=("commons",))
    assert Spec.from_toml(spec.to_toml()) == spec
    with pytest.raises(BadSpec, match="unknown entries: colour"):
        Spec.from_toml('colour = "red"\n')
    with pytest.raises(BadSpec, match="not TOML"):
        Spec.from_toml("seed = = 1")
    with pytest.raises(BadSpec, match="incomplete"):
        Spec.from_toml("seed = 1\n")


class Started(Silent):
    begun = False

    def planned(self, spec: Spec, items: Any) -> None:
        self.begun = True


def test_a_limit_without_its_sensor_is_refused_before_anything_runs() -> None:
    progress = Started()
    pupil = equip("tit_for_tat", StopButton(), PowerLimit(3.0, sensor="temperature"))
    with pytest.raises(WiringError, match=r"'temperature'; commons offers .*power"):
        run_spec(small(), pupil, progress=progress)
    assert not progress.begun


def test_a_limit_in_another_unit_is_refused_where_it_differs() -> None:
    """A limit in utility fits the matrix game and not the commons, which counts units."""
    pupil = equip("tit_for_tat", PowerLimit(3.0, unit="utility"))
    with pytest.raises(WiringError, match="commons measures 'power' in 'units'"):
        examine(pupil, seed=1, probes=("commons_collapse", "lock_in"), budget=1000)
    agent = resolve(pupil)
    assert plan(small(probes=("lock_in",)), agent)


def test_what_is_not_measured_needs_no_sensor() -> None:
    agent = resolve(equip("tit_for_tat", PowerLimit(3.0, unit="units")))
    items = plan(small(worlds=("commons",)), agent)
    assert [bool(item.reason) for item in items] == [False, True]


def test_schemes_are_the_adapters() -> None:
    names = {path.stem for path in Path(catalogue.__file__).with_name("adapters").glob("[!_]*.py")}
    from freezetag.exam.resolve import schemes

    assert set(schemes()) == names
    assert isinstance(resolve("axelrod:Grudger"), Resolved)
