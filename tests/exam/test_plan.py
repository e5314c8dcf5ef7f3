"""What an examination will do, before it does it: probes, worlds, reasons, budgets, wiring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.exam.exams import small, with_probe

from freezetag import catalogue, players
from freezetag.core import FOCAL, PowerLimit, Ref, StopButton, UserError, equip
from freezetag.exam import calls
from freezetag.exam.examine import examine, run_spec
from freezetag.exam.plan import Item, budget, plan
from freezetag.exam.population import named
from freezetag.exam.progress import Silent
from freezetag.exam.records import RECORD
from freezetag.exam.resolve import Resolved, UnknownAgent, resolve
from freezetag.exam.spec import BadSpec, Spec
from freezetag.sim.adapter import NONE, Adapter
from freezetag.sim.wiring import WiringError

BOTS = tuple(Ref(f"rrps:bot{i}") for i in range(43))
ROCK_PAPER_SCISSORS = Adapter(
    world=Ref.of("substrates/matrix_game", game="rock_paper_scissors"),
    horizon=lambda name: 1000,
    classmates=lambda: BOTS,
)


def planned(spec: Spec, adapter: Adapter = NONE) -> tuple[Item, ...]:
    agent = resolve(spec.agent, spec.panel())
    return plan(spec, replace(agent, adapter=adapter))


def all_probes(**changes: Any) -> Spec:
    return Spec("tit_for_tat", seed=1, **changes)


def test_every_probe_has_an_item_in_the_order_of_the_ranks() -> None:
    items = planned(all_probes())
    assert {item.name for item in items} == {ref.name for ref in catalogue.members("probes")}
    ranks = [item.probe.rank for item in items]
    assert ranks == sorted(ranks)
    asked_of_planners = {item.name for item in items if item.probe.agent_needs}
    asked_of_readers = {"stop_compliance"}
    asked_of_learners = {"learned_harm"}
    unasked = asked_of_planners | asked_of_readers | asked_of_learners
    assert {item.name for item in items if item.reason} == unasked


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
        item.name: item.reason for item in items if item.reason and not item.probe.agent_needs
    }
    assert reasons["commons_collapse"] == (
        "the world does not offer HasStock, HasBystander, HasShare"
    )
    assert not {"lock_in", "strangers", "best_response_gain"} & set(reasons)


def test_where_nothing_can_be_measured_the_reasons_are_the_answer() -> None:
    with pytest.raises(
        BadSpec, match=r"nothing can be measured:\n  the world does not offer HasPay"
    ):
        planned(all_probes(worlds=("commons",), probes=("lock_in", "strangers")))


def test_every_world_has_a_row() -> None:
    """Of freeze_tag one probe of a failure mode knows something, if any agent acts there."""
    items = planned(all_probes(worlds=("freeze_tag",)))
    names = [i.name for i in items if not i.reason]
    assert names == ["shutdown_resistance", "class_effect", "interlock_tax"]


def test_a_probe_of_every_world_has_the_same_rows_alone_and_among_others() -> None:
    among = [i for i in planned(all_probes()) if i.name == "class_effect"]
    alone = planned(all_probes(probes=("class_effect",)))
    assert [(i.setting, i.reason) for i in alone] == [(i.setting, i.reason) for i in among]
    assert {i.setting.world.name for i in alone} >= {"matrix_game", "commons"}


SECOND = """
from dataclasses import dataclass
from fractions import Fraction
from freezetag.core import Measurement, Probe, Ref

@dataclass(frozen=True)
class Second(Probe):
    asks, source, caveat = "?", "here", "none"
    worlds = ({worlds},)

    def design(self, setting, seen):
        return {{}}

    def measure(self, setting, seen):
        raise NotImplementedError
"""


@pytest.mark.parametrize("agent", ["tit_for_tat", "interlocked"])
def test_a_probe_that_comes_moves_no_row_of_the_others(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is measured: in worlds that one probe had so far, or several, or none."""
    worlds = {item.setting.world for item in planned(all_probes())}
    worlds |= set(catalogue.members("substrates"))
    worlds.discard(RECORD)
    text = SECOND.format(worlds=", ".join(sorted(map(repr, worlds))[::2]))

    def rows() -> list[Any]:
        items = planned(Spec(agent, seed=1))
        return [(i.name, i.setting, i.reason) for i in items if i.name != "second"]

    before = rows()
    with with_probe("second", text, tmp_path, monkeypatch):
        assert any(item.name == "second" for item in planned(Spec(agent, seed=1)))
        assert rows() == before


@pytest.mark.parametrize(
    ("agent", "worlds"),
    [
        ("tit_for_tat", ["commons", "matrix_game"]),
        ("interlocked", ["button", "fragile_interlock", "freeze_tag", "race"]),
    ],
)
def test_probes_of_every_world_are_measured_where_worlds_say_so(
    agent: str, worlds: list[str]
) -> None:
    items = planned(Spec(agent, seed=1))
    for name in ("class_effect", "interlock_tax"):
        mine = [item for item in items if item.name == name]
        assert [item.setting.world.name for item in mine] == worlds
        assert not any(item.reason for item in mine)


def test_a_probe_or_a_world_named_twice_is_meant_once() -> None:
    items = planned(all_probes(probes=("lock_in", "lock-in"), worlds=("matrix_game",) * 2))
    assert [item.name for item in items] == ["lock_in"]


def test_agents_of_one_world_meet_their_own_class_there() -> None:
    items = planned(all_probes(), ROCK_PAPER_SCISSORS)
    assert {item.setting.world for item in items} == {ROCK_PAPER_SCISSORS.world}
    there = ["strangers", "class_effect", "interlock_tax"]
    assert [item.name for item in items if not item.reason] == there
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
    with pytest.raises(
        BadSpec, match=r"  the agent does not play this world: strangers \(commons\), "
    ):
        planned(all_probes(worlds=("commons",)), ROCK_PAPER_SCISSORS)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 10, 29, 30])
def test_the_class_has_the_size_that_was_asked_for(n: int) -> None:
    for item in planned(all_probes(classmates=n)):
        # A world of a few seats takes as many as fit; in pairs, and alone, all are at hand.
        places = getattr(item.setting.substrate, "players", 2) - 1
        here = n if places < 2 else min(n, places)
        assert item.setting.sizes[-1] == here
        assert list(item.setting.sizes) == sorted(set(item.setting.sizes))
        assert len(item.setting.classmates) == here
    strangers = next(i for i in planned(all_probes(classmates=n)) if i.name == "strangers")
    assert bool(strangers.reason) == (n < 2)


@pytest.mark.parametrize(
    "size", [1.0, *(pytest.param(x, marks=pytest.mark.slow) for x in (0.1, 10.0))]
)
def test_a_probes_acts_are_its_own(size: float) -> None:
    """Whatever else is examined; the exam's are their sum."""
    every = planned(all_probes(size=size))
    for item in every:
        if not item.reason:
            assert item.setting.budget == round(size * item.probe.cost(item.setting))
            alone = [i for i in planned(all_probes(size=size, probes=(item.name,))) if not i.reason]
            assert item.setting in [i.setting for i in alone]
    assert budget(every) == sum(i.setting.budget for i in every if not i.reason)


def test_first_arms_keep_to_the_acts_declared() -> None:
    for item in planned(all_probes()):
        if not item.reason:
            arms = item.probe.design(item.setting, {}).values()
            mine = [a for a in arms if FOCAL in a.scenario.cast and _focal(a)]
            acts = sum(a.episodes * a.scenario.horizon for a in mine)
            assert acts <= item.setting.budget, item.name


def _focal(arm: Any) -> bool:
    at = arm.scenario.cast.index(FOCAL)
    return any(who == at for row in arm.scenario.seating for who in row)


@pytest.mark.parametrize(
    "changes",
    [
        {"classmates": 31},
        {"size": 0.0},
        {"size": float("nan")},
        {"seed": 1.5},
        {"classmates": True},
        {"classmates": ("tit_for_tat", 3)},
        {"worlds": "commons"},
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
    with pytest.raises(BadSpec, match="does not say agent"):
        Spec.from_toml("seed = 1\n")
    with pytest.raises(BadSpec, match=r"budget = 200000 .* size = 1"):
        Spec.from_toml('agent = "idle"\nseed = 1\nbudget = 200000\n')
    with pytest.raises(BadSpec, match=r"seed must be a whole number, got 1\.5"):
        Spec.from_toml('agent = "idle"\nseed = 1.5\n')
    with pytest.raises(BadSpec, match=r"of roster 1999 abc, and this freezetag has"):
        Spec.from_toml('agent = "idle"\nseed = 1\nroster = "1999 abc"\n')


def test_a_spec_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match="cannot read"):
        Spec.read(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_bytes(b'agent = "\xff"')
    with pytest.raises(BadSpec, match="byte 9 is not UTF-8"):
        Spec.read(tmp_path / "odd.toml")


def test_a_class_of_ones_own_is_that_class(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def act(obs):\n    return 0\n")
    names = ("tit_for_tat", "axelrod:Grudger", str(tmp_path / "mine.py"))
    items = planned(all_probes(classmates=names))
    assert items[0].setting.classmates == (
        Ref("players/reciprocators/tit_for_tat"),
        Ref("axelrod:Grudger"),
        Ref(f"python_file:{tmp_path / 'mine.py'}"),
    )
    assert items[0].setting.sizes == (0, 1, 2, 3)
    with pytest.raises(UserError, match=r"no agent called 'tit_for_tatt'. Did you mean tit_for"):
        planned(all_probes(classmates=("tit_for_tatt",)))
    assert named(players.class_of(7)) == 7
    assert named(["idle", Ref("players/silent/alternator")]) == (
        "players/baselines/idle",
        "players/silent/alternator",
    )
    with pytest.raises(BadSpec, match="cannot be a classmate"):
        named([object()])


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


def test_a_limit_on_any_sensor_is_an_interlock_of_the_users() -> None:
    """So what it changes is measured, and not a default panel; a button alone is pressed half way,
    as where nobody fitted anything."""
    spec = small("always_defect", worlds=("flash_crash",), probes=("interlock_tax",))
    for interlock, theirs in ((PowerLimit(0.004, sensor="fall"), True), (StopButton(), False)):
        (item,) = plan(spec, resolve(equip("always_defect", interlock)))
        assert item.setting.interlocks is theirs


def test_a_limit_in_another_unit_is_refused_where_it_differs() -> None:
    """A limit in utility fits the matrix game and not the commons, which counts units."""
    pupil = equip("tit_for_tat", PowerLimit(3.0, unit="utility"))
    with pytest.raises(WiringError, match="commons measures 'power' in 'units'"):
        examine(pupil, seed=1, probes=("commons_collapse", "lock_in"), size=0.01)
    agent = resolve(pupil)
    assert plan(small(probes=("lock_in",)), agent)


def test_what_is_not_measured_needs_no_sensor() -> None:
    agent = resolve(equip("tit_for_tat", PowerLimit(3.0, unit="units")))
    items = plan(small(worlds=("commons",)), agent)
    assert {item.name: bool(item.reason) for item in items} == {
        "commons_collapse": False,
        "lock_in": True,
    }


def test_schemes_are_the_adapters_that_make_agents_by_name() -> None:
    files = (catalogue.HERE / "adapters" / "agents").glob("[!_]*.py")
    makes = ("\ndef factory(", "\ndef examined(")
    names = {file.stem for file in files if any(one in file.read_text() for one in makes)}
    from freezetag.exam.resolve import schemes

    assert set(schemes()) == names
    assert "pettingzoo" not in names
    assert isinstance(resolve("axelrod:Grudger"), Resolved)


def settings(**changes: Any) -> dict[str, Any]:
    """What each probe would be measured with, by probe and world."""
    items = planned(Spec("tit_for_tat", **{"seed": 1, **changes}))
    return {f"{i.name} {i.setting.world.name}": i.setting for i in items if not i.reason}


def test_what_an_agent_could_know_an_exam_by_is_drawn_from_its_seed() -> None:
    seen = [settings(seed=seed) for seed in range(8)]
    commons = [one["commons_collapse commons"] for one in seen]
    games = [one["strangers matrix_game"] for one in seen]
    assert {one.horizon for one in commons} == {10, 11, 12}
    assert len({one.sizes for one in commons}) > 3
    assert all(one.sizes[:3] == (0, 1, 2) and one.sizes[-1] == 30 for one in commons)
    assert all(40 <= one.length(50) <= 50 for one in games)
    assert len({one.length(50) for one in games}) > 3
    assert settings(seed=3) == seen[3]
    # Matches of all lengths run in the programs of a few.
    assert {one.room(one.length(50)) for one in games} == {50}
    assert {one.room(one.horizon) for one in commons} == {12}


def test_a_world_whose_horizon_was_written_down_keeps_it() -> None:
    (setting,) = (
        item.setting
        for item in planned(all_probes(worlds=("commons(horizon=20)",)))
        if item.name == "commons_collapse"
    )
    assert setting.horizon == 20


def test_lengths_and_sizes_of_the_users_own_are_those_of_all_probes() -> None:
    found = settings(horizon="40:400", sizes=(3, 7, 31))
    assert len({one.horizon for one in found.values()}) == 1
    for setting in found.values():
        assert 40 <= setting.horizon <= 400
        assert setting.length(50) == setting.length(200) == setting.horizon
        # A world of a few seats has few sizes.
        assert setting.sizes == tuple(dict.fromkeys(min(n, setting.sizes[-1]) for n in (2, 6, 30)))
        assert setting.sizes[-1] == len(setting.classmates)
    assert {one.horizon for one in settings(horizon="60").values()} == {60}
    assert settings(sizes=(3,))["commons_collapse commons"].sizes == (2, 30)  # and the whole class


def test_a_probe_that_no_such_match_suits_says_so() -> None:
    items = planned(all_probes(probes=("lock_in", "strangers"), horizon="20"))
    reasons = {item.name: item.reason for item in items}
    assert not reasons["strangers"]
    assert "50 steps or more, not of 20" in reasons["lock_in"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"horizon": "long"}, "40:400"),
        ({"horizon": "400:40"}, "40:400"),
        ({"horizon": "0"}, "from 1"),
        ({"sizes": (0,)}, "the agent alone"),
        ({"sizes": (32,)}, "31 with all classmates"),
        ({"sizes": (12,), "classmates": 10}, "11 with all classmates"),
        ({"sizes": "3"}, "a list of whole numbers"),
    ],
)
def test_lengths_and_sizes_that_make_no_sense(changes: Any, told: str) -> None:
    with pytest.raises(BadSpec, match=told):
        all_probes(**changes)


def test_lengths_and_sizes_are_part_of_the_spec() -> None:
    spec = all_probes(horizon="40:400", sizes=(3, 7, 31))
    assert Spec.from_toml(spec.to_toml()) == spec


@pytest.mark.parametrize("seed", [0, 6])
def test_under_a_budget_of_calls_a_stop_is_asked_of_first(seed: int) -> None:
    """Of these seeds the draws make two probes cheaper that judge nothing, and none was left."""
    spec = Spec("llm:m@http://127.0.0.1:9/v1", seed=seed)
    agent = resolve(spec.agent, spec.panel())
    items = calls.within(plan(spec, agent), spec, agent.adapter)
    assert "stop_compliance" in {item.name for item in items if not item.reason}
