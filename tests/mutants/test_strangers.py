"""P1: the kappa curve of published bots, an agent that only knows some openings, and its twin."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag import catalogue
from freezetag.core import Arm, Episode, Finding, Record, Ref, Setting
from freezetag.estimators.robustness import KAPPAS, value_at
from freezetag.exam.run import Runner
from freezetag.probes.shared.tilt import worst_mix
from freezetag.probes.strangers.strangers import Strangers
from freezetag.sim.arms import Pupil

TABLE = Path(__file__).resolve().parents[1] / "data" / "rrps_43.txt"
CLASS = tuple(
    Ref(f"players/{path}")
    for path in (
        "reciprocators/tit_for_tat",
        "reciprocators/grudger",
        "reciprocators/generous_tit_for_tat",
        "reciprocators/win_stay_lose_shift",
        "altruists/always_cooperate",
        "altruists/mostly_cooperate",
        "exploiters/always_defect",
        "exploiters/extort_3",
        "exploiters/prober",
        "silent/alternator",
        "noisy/trembling_hand",
        "bad_influences/ratcheting",
    )
)


@dataclass(frozen=True)
class KnowsOpenings:
    """Answers the opening C C by tit for tat; to any other it does what `fallback` says:
    0 goes on cooperating, 1 answers in kind. The same table of openings for both."""

    fallback: float = 0.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Any) -> Any:
        return jnp.float32(1.0)

    def act(self, key: Any, known: Any, obs: Any) -> Any:
        other = jnp.where(obs.mean_level(1.0) >= 0.5, 1.0, 0.0)
        opening = (obs.step >= 1) & (obs.step <= 2)
        known = jnp.where(opening, known * other, known)
        lost = 1.0 - self.fallback * (1.0 - other)
        return obs.at_level(jnp.where(known > 0, other, lost)), known


def setting_of(**changes: Any) -> Setting:
    world = Ref.of("substrates/matrix_game")
    return Setting(world, catalogue.load(world), CLASS, **changes)


@lru_cache
def examined(name: str, seed: int = 0) -> Finding:
    policies = {
        "mutant": KnowsOpenings(0.0),
        "twin": KnowsOpenings(1.0),
        "idle": catalogue.load(Ref("players/baselines/idle")),
        "random": catalogue.load(Ref("players/baselines/random_play")),
    }
    return Runner(Pupil(name, policies[name]), seed).probe(Strangers(), setting_of())[0]


@lru_cache
def table() -> dict[tuple[str, str], float]:
    rows = [ast.literal_eval(line) for line in TABLE.read_text().splitlines() if line.strip()]
    return {(row, column): float(value) for row, column, value in rows}


@lru_cache
def published(bot: str) -> Finding:
    """The finding from records that hold the published returns, one match a cell."""
    cells = table()
    names = sorted({row for row, _ in cells})
    world = Ref.of("substrates/matrix_game", game="rock_paper_scissors")
    roster = tuple(Ref(f"rrps:{name}") for name in names)
    setting = Setting(world, catalogue.load(world), roster, horizon=1000)
    arm = Arm(setting.pairs(horizon=1000), 1)
    rewards = np.array([[[cells[bot, j], cells[j, bot]]] for j in names]) / 1000
    episode = made_up(rewards, np.asarray(arm.scenario.seating))
    return Strangers().measure(setting, {"live": Record(arm, (episode,))})


def made_up(rewards: np.ndarray, seats: np.ndarray) -> Episode:
    """Matches of one step [B, 1, 2] that carry these rewards."""
    b, t, n = rewards.shape
    none = np.zeros((b, t, n, 1), np.int32)
    flags = np.zeros((b, t, n), bool)
    return Episode(
        none, none, flags * 0.0, rewards, np.zeros((b, t + 1, n), np.int32),
        np.ones((b, t), bool), seats, flags, flags, {}, np.arange(b), np.zeros(b, np.int32), (),
    )  # fmt: skip


def value(finding: Finding, name: str) -> float:
    return next(row.of.value for row in finding.measurements if row.name == name)


def test_greenberg_keeps_the_published_curve() -> None:
    found = published("greenberg")
    assert value(found, "V(0)") == pytest.approx(288.15, abs=0.005)
    assert value(found, "V(0.1)") == pytest.approx(162.14, abs=0.005)
    assert value(found, "V(inf)") == pytest.approx(-3.65, abs=0.005)
    assert found.measurements[1].unit == "per 1000 throws"


@pytest.mark.parametrize("bot", ["greenberg", "russrocker4", "iocainebot"])
def test_whole_curves_of_the_population(bot: str) -> None:
    found, cells = published(bot), table()
    row = [cell for (name, _), cell in sorted(cells.items()) if name == bot]
    curve = [value(found, f"V({kappa:g})") for kappa in KAPPAS]
    np.testing.assert_allclose(curve, [value_at(row, kappa) for kappa in KAPPAS], atol=1e-6)
    assert curve == sorted(curve, reverse=True)


def test_tails_differ_more_than_means() -> None:
    a, b = published("greenberg"), published("russrocker4")
    apart = [value(a, f"V({kappa:g})") - value(b, f"V({kappa:g})") for kappa in KAPPAS]
    assert apart == sorted(apart)
    assert apart[-1] > 4 * apart[0]


@given(
    st.lists(st.integers(-20, 20), min_size=2, max_size=12),
    st.sampled_from(KAPPAS),
)
@settings(max_examples=60, deadline=None)
def test_batched_curve_is_the_estimators(returns: list[int], kappa: float) -> None:
    u = np.array(returns, float)
    assert worst_mix(u[None], kappa)[0] == pytest.approx(value_at(u, kappa), abs=1e-6)


def test_the_mutant_is_caught() -> None:
    row = examined("mutant").measurements[0]
    assert row.headline
    assert row.verdict == "fail"
    assert row.of.high < 0


def test_the_twin_passes() -> None:
    assert examined("twin").measurements[0].verdict == "pass"


@pytest.mark.parametrize("name", ["idle", pytest.param("random", marks=pytest.mark.slow)])
def test_nothing_is_free(name: str) -> None:
    assert examined(name).measurements[0].verdict != "pass"


def test_the_mutants_worst_are_those_it_does_not_know() -> None:
    strip = next(f for f in examined("mutant").figures if f.kind == "strip")
    worst = sorted(zip(strip.columns["value"], strip.columns["name"], strict=True))[:2]
    assert {name for _, name in worst} <= {"always_defect", "extort_3", "ratcheting", "prober"}
    assert sum(strip.columns["held_out"]) > 0


def test_intervals_hold_their_values_and_the_guarantee_is_wider() -> None:
    found = examined("twin")
    rows = [row for row in found.measurements if row.name.startswith("V(")]
    assert len(rows) == len(KAPPAS) + 1
    assert {row.of.n for row in rows} == {found.measurements[0].of.n}  # repeats, not matches
    for row in found.measurements:
        assert row.of.low <= row.of.value <= row.of.high
        assert row.regime
        assert row.unit
    means = [row.of.value for row in rows[: len(KAPPAS)]]
    assert means == sorted(means, reverse=True)
    curve = next(f for f in found.figures if f.kind == "curve").columns
    sure = [low for low, s in zip(curve["low"], curve["series"], strict=True) if "guaranteed" in s]
    assert all(low <= mean for low, mean in zip(sure, means, strict=True))


def test_the_budget_is_kept_and_one_match_has_no_verdict() -> None:
    setting, probe = setting_of(), Strangers()
    live = probe.design(setting, {})["live"]
    assert live.episodes * probe.rounds <= 0.6 * setting.budget
    small = probe.design(replace(setting, budget=100), {})["live"]
    assert small.repeats == 2
    assert published("rockbot").measurements[0].verdict == "inconclusive"
    assert math.isinf(published("rockbot").measurements[0].of.low)


@pytest.mark.slow
def test_of_one_family_none_can_be_held_out() -> None:
    one_family = replace(setting_of(), classmates=CLASS[:2], budget=2_000)
    found, _ = Runner(Pupil("it", KnowsOpenings(1.0)), 0).probe(Strangers(), one_family)
    row = next(each for each in found.measurements if each.name.startswith("held-out gap"))
    assert row.of.n == 0
    assert "one family, reciprocators" in row.of.note


def test_a_world_for_many_is_refused() -> None:
    world = Ref.of("substrates/matrix_game", game="public_goods", players=5)
    setting = Setting(world, catalogue.load(world), CLASS)
    with pytest.raises(ValueError, match="players=2"):
        Strangers().design(setting, {})
