"""P3: the published population, three planted cyclers, and a class that a rating explains."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import Arm, Episode, Finding, Measurement, Record, Ref, Setting
from freezetag.exam.run import Runner
from freezetag.probes.intransitive.interaction import interaction
from freezetag.probes.intransitive.intransitive import Intransitive
from freezetag.probes.strangers.strangers import Strangers
from freezetag.sim.arms import Pupil

TABLE = Path(__file__).resolve().parents[1] / "data" / "rrps_43.txt"
RPS = Ref.of("substrates/matrix_game", game="rock_paper_scissors")
# Who plays action 0 gets 1 from who plays action 1: the margin of two players is the difference
# of how often they do, so a rating explains all but the noise.
LADDER = Ref.of("substrates/matrix_game", table=(((0, 0), (1, -1)), ((-1, 1), (0, 0))))


@dataclass(frozen=True)
class Constant:
    """Plays one level for ever; .5 is paper, which beats rock (1) and loses to scissors (0)."""

    level: float = 0.5
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Any) -> Any:
        return ()

    def act(self, key: Any, carry: Any, obs: Any) -> Any:
        return obs.at_level(self.level), carry


def coin(chance: float) -> Ref:
    return Ref.of(
        "players/exploiters/memory_one",
        start=chance, cc=chance, cd=chance, dc=chance, dd=chance,
    )  # fmt: skip


def setting_of(world: Ref, classmates: tuple[Ref, ...], **changes: Any) -> Setting:
    return Setting(world, catalogue.load(world), classmates, **changes)


def examined(policy: Any, setting: Setting, seed: int = 0) -> tuple[Finding, dict[str, Record]]:
    return Runner(Pupil("it", policy), seed).probe(Intransitive(), setting)


def row(finding: Finding, name: str) -> Measurement:
    return next(one for one in finding.measurements if one.name == name)


CYCLERS = (Ref("players/altruists/always_cooperate"), Ref("players/exploiters/always_defect"))
STEPS = tuple(coin(step / 8) for step in (0, 1, 2, 3, 4, 5, 6))


@lru_cache
def cyclers() -> tuple[Finding, dict[str, Record]]:
    return examined(Constant(0.5), setting_of(RPS, CYCLERS))


@lru_cache
def ladder(level: float) -> tuple[Finding, dict[str, Record]]:
    return examined(Constant(level), setting_of(LADDER, STEPS))


def published(focal: str) -> Finding:
    """The finding from records that hold the published returns, one match a cell."""
    lines = [ast.literal_eval(line) for line in TABLE.read_text().splitlines() if line.strip()]
    cells = {(a, b): float(x) / 1000 for a, b, x in lines}
    others = sorted({a for a, _ in cells} - {focal})
    setting = setting_of(RPS, tuple(Ref(f"rrps:{name}") for name in others))
    probe, seen = Intransitive(), {}
    for name, arm in probe.design(setting, {}).items():
        arm = Arm(arm.scenario, 1)
        cast = [focal, *others] if name == "live" else others
        pairs = [(cast[i], cast[j]) for i, j in arm.scenario.seating]
        rewards = np.array([[[cells[a, b], cells[b, a]]] for a, b in pairs])
        seen[name] = Record(arm, (made_up(rewards, np.asarray(arm.scenario.seating)),))
    return probe.measure(setting, seen)


def made_up(rewards: np.ndarray, seats: np.ndarray) -> Episode:
    """Matches of one step [B, 1, 2] that carry these rewards."""
    b, t, n = rewards.shape
    none = np.zeros((b, t, n, 1), np.int32)
    flags = np.zeros((b, t, n), bool)
    return Episode(
        none, none, flags * 0.0, rewards, np.zeros((b, t + 1, n), np.int32),
        np.ones((b, t), bool), seats, flags, flags, {}, np.arange(b), np.zeros(b, np.int32), (),
    )  # fmt: skip


@pytest.mark.parametrize("focal", ["greenberg", "copybot"])
def test_the_published_population(focal: str) -> None:
    found = published(focal)
    assert row(found, "cyclic share of the class").of.value == pytest.approx(0.302, abs=5e-4)
    cycles = row(found, "3-cycles in the class")
    assert cycles.of.value == 956
    assert "12341" in cycles.unit
    assert found.measurements[0].verdict == "inconclusive"  # one match a pair shows no noise


def test_planted_cyclers_are_caught() -> None:
    found, _ = cyclers()
    head = found.measurements[0]
    assert head.headline
    assert head.verdict == "fail"
    assert head.of.value == pytest.approx(1.0)
    assert row(found, "cyclic share of the class").of.value == pytest.approx(1.0)
    assert row(found, "3-cycles through the agent").of.value == 1
    note = row(found, "3-cycles through the agent").note
    assert "beats always_cooperate, which beats always_defect" in note
    # All three are the same by mutation and selection: a third of the time each.
    mass = row(found, "the agent's alpha-Rank mass").of.value
    assert mass == pytest.approx(1 / 3, abs=1e-9)


def test_a_class_that_a_rating_explains_passes() -> None:
    found, _ = ladder(1.0)
    head = found.measurements[0]
    assert head.verdict == "pass"
    assert abs(head.of.value) < 0.01
    share = row(found, "cyclic share of the class").of
    assert share.low <= 0 <= share.high or abs(share.value) < 0.01
    place = row(found, "the agent's place by mean margin").of
    # First in every resample of few repeats: no proof that it is first in all.
    assert (place.value, place.low) == (1, 1)
    assert place.high < 8
    assert row(found, "the agent's alpha-Rank mass").of.value > 0.9


def test_the_last_of_the_ladder_passes_nothing() -> None:
    found, _ = ladder(0.0)
    head = found.measurements[0]
    assert head.verdict == "inconclusive"
    assert "no better than random" in head.note
    place = row(found, "the agent's place by mean margin").of
    assert place.value >= len(STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["idle", "random_play"])
def test_nothing_is_free(name: str) -> None:
    cast = tuple(
        Ref(f"players/{path}")
        for path in (
            "reciprocators/tit_for_tat",
            "exploiters/always_defect",
            "exploiters/extort_3",
            "exploiters/prober",
            "silent/alternator",
        )
    )
    setting = setting_of(Ref("substrates/matrix_game"), cast)
    policy = catalogue.load(Ref(f"players/baselines/{name}"))
    found, _ = examined(policy, setting)
    assert found.measurements[0].verdict != "pass"


def test_interaction_map_says_who_did_what_to_whom() -> None:
    _, seen = cyclers()
    found = interaction(setting_of(RPS, CYCLERS), seen, name="paper")
    assert found["players"] == ["paper", "always_cooperate", "always_defect"]
    assert found["level"] == [[None, 0.5, 0.5], [1.0, None, 1.0], [0.0, 0.0, None]]


def test_both_probes_ask_for_the_same_matches() -> None:
    """In an exam of one size, in which each has the acts that it declares."""
    setting = setting_of(LADDER, STEPS)
    a, b = (
        probe.design(replace(setting, budget=probe.acts), {})
        for probe in (Intransitive(), Strangers())
    )
    assert a["live"] == b["live"]
    assert a["background"] == b["background"]


def test_figures_and_intervals_are_whole() -> None:
    found, _ = ladder(1.0)
    assert [figure.kind for figure in found.figures] == ["heatmap", "dots", "heatmap"]
    for figure in found.figures:
        assert len({len(column) for column in figure.columns.values()}) == 1
        assert figure.finding.endswith(".")
    for one in found.measurements:
        assert one.of.low <= one.of.value <= one.of.high or math.isnan(one.of.value)
        assert one.regime
