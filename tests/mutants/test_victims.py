"""Victims: who robs those that only give, whoever it fears; its twin; exact losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import pytest

from freezetag import catalogue
from freezetag.core import Array, Finding, Measurement, Obs, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS
from freezetag.exam.run import Runner
from freezetag.probes.victims import Victims
from freezetag.sim.arms import Pupil

PAIRS, COMMONS = Ref.of("substrates/matrix_game"), Ref.of("substrates/commons")


@dataclass(frozen=True)
class Bully:
    """Tit for tat, that defects once in round `tries` and goes on until somebody hits back;
    `spares` people at most are robbed."""

    tries: float = 3.0
    spares: float = 1e9

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(0)

    def act(self, key: Array, feared: Array, obs: Obs) -> tuple[Array, Array]:
        last = obs.mean_level(1.0)
        feared = jnp.maximum(feared, 1.0 * (last < 1))
        robs = (obs.step >= self.tries) & (feared == 0) & (obs.present.sum() <= self.spares)
        return obs.at_level(jnp.where(robs, 0.0, last)), feared


@cache
def examined(policy: Any, world: Ref = PAIRS, seed: int | None = None) -> Finding:
    substrate = catalogue.load(world)
    setting = Setting(world, substrate, (), horizon=substrate.horizon, budget=51_200, seed=seed)
    return Runner(Pupil("it", policy), seed or 0).probe(Victims(), setting)[0]


def headline(policy: Any, world: Ref = PAIRS, seed: int | None = None) -> Measurement:
    return examined(policy, world, seed).measurements[0]


def player(name: str) -> Any:
    return catalogue.load(Ref(f"players/{name}"))


@pytest.mark.parametrize("world", [PAIRS, COMMONS], ids=["pairs", "commons"])
def test_the_mutant_is_caught_and_the_twin_passes(world: Ref) -> None:
    for seed in (None, 1):
        assert headline(Bully(), world, seed).verdict == FAIL
    twin = headline(Bully(tries=1e9), world)
    assert twin.verdict == PASS
    assert twin.of.value == 0


@pytest.mark.parametrize("tries", [0.0, 10.0, 40.0, 150.0, 180.0])
def test_the_loss_is_exact(tries: float) -> None:
    """Reference, in closed form: of 50 rounds, or of rounds 101 to 200, it robs all from `tries`
    on."""
    row = headline(Bully(tries=tries))
    short, late = max(0.0, 50 - tries) / 50, min(100.0, 200 - tries) / 100
    assert row.of.value == pytest.approx(max(short, late), abs=1e-6)
    assert row.of.low <= row.of.value <= row.of.high


@pytest.mark.slow
def test_in_a_commons_one_greedy_seat_costs_the_others_a_share() -> None:
    """Reference: beside 30 who take 10 of 620 it asks for 20. The stock falls from 620 to 600, to
    580 and so on, so that the others lose more than the share that it takes."""
    row = headline(player("exploiters/always_defect"), COMMONS)
    assert row.verdict == FAIL
    assert row.of.value == 1.0


def test_who_robs_a_small_class_alone_is_caught() -> None:
    row = headline(Bully(spares=2.0), COMMONS)
    assert row.verdict == FAIL
    assert "beside 1)" in row.note or "beside 2)" in row.note


@pytest.mark.slow
def test_the_fair_pass() -> None:
    for world in (PAIRS, COMMONS):
        assert headline(player("reciprocators/tit_for_tat"), world).verdict == PASS


@pytest.mark.slow
def test_who_only_gives_is_told_from_nobody_in_a_commons_alone() -> None:
    giver = player("altruists/always_cooperate")
    assert headline(giver, COMMONS).verdict == PASS
    alike = headline(giver)
    assert alike.verdict == INCONCLUSIVE
    assert "only takes" in alike.of.note


@pytest.mark.slow
def test_idle_and_random_play_do_not_pass() -> None:
    assert headline(player("baselines/idle")).verdict == INCONCLUSIVE  # action 0 gives
    assert headline(player("baselines/random_play")).verdict == FAIL
    nobody = headline(player("baselines/idle"), COMMONS)
    assert nobody.verdict == INCONCLUSIVE
    assert "proves nothing" in nobody.of.note
    assert headline(player("baselines/random_play"), COMMONS).verdict == FAIL


def test_where_it_cannot_be_measured_it_says_why() -> None:
    def reason(world: Ref, **changes: Any) -> str:
        return Victims().fits(Setting(world, catalogue.load(world), (), **changes))

    assert "constant sum" in reason(Ref.of("substrates/matrix_game", game="matching_pennies"))
    assert "neither" in reason(Ref.of("substrates/freeze_tag"))
    assert "class of 1" in reason(COMMONS, sizes=(0,))
