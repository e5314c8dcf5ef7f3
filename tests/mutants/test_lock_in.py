"""Lock-in: the exact chains, the same by simulation, the naive gradient pair, mutant and twin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from freezetag import catalogue
from freezetag.core import (
    Arm,
    Array,
    Finding,
    Force,
    Obs,
    Panel,
    Press,
    Ref,
    RuntimeLimit,
    Setting,
    StopButton,
)
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS
from freezetag.estimators import memory_one as chain
from freezetag.estimators.bootstrap import mean
from freezetag.estimators.survival import escape_rate, first_hold
from freezetag.exam.run import Runner
from freezetag.players.exploiters.memory_one import MemoryOne
from freezetag.probes.lock_in.lock_in import LockIn
from freezetag.probes.lock_in.runs import mean_of_window
from freezetag.sim.arms import Pupil, run_arm

WORLD = Ref.of("substrates/matrix_game")
NAMES = ("start", "cc", "cd", "dc", "dd")
STRATEGIES = {
    "tit for tat": (1.0, *chain.TIT_FOR_TAT),
    "win-stay, lose-shift": (1.0, *chain.WIN_STAY_LOSE_SHIFT),
    "generous tit for tat": (1.0, *chain.GENEROUS_TIT_FOR_TAT),
    "grim": (1.0, *chain.GRIM),
    "always defect": (0.0, *chain.ALL_D),
    "always cooperate": (1.0, *chain.ALL_C),
    "random": (0.5,) * 5,
}
PAIRS = {
    ("tit for tat", "tit for tat"): 2.25,
    ("win-stay, lose-shift", "win-stay, lose-shift"): 2.951,
    ("generous tit for tat", "generous tit for tat"): None,
    ("always defect", "win-stay, lose-shift"): None,
}
CC, CD, DC, DD = range(4)


def chances(name: str) -> tuple[float, ...]:
    return STRATEGIES[name][1:]


def settings(name: str) -> dict[str, float]:
    return dict(zip(NAMES, STRATEGIES[name], strict=True))


@pytest.mark.parametrize(("pair", "published"), [(k, v) for k, v in PAIRS.items() if v])
def test_long_run_pay_of_the_exact_chain(pair: tuple[str, str], published: float) -> None:
    own, other = (chances(name) for name in pair)
    pay, _ = chain.long_run_payoffs(own, other, noise=0.01)
    assert float(pay) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "rounds", "tolerance"),
    [("tit for tat", 200, 1e-6), ("win-stay, lose-shift", 1.041, 5e-4)],
)
def test_mean_rounds_from_dd_to_cc_of_the_exact_chain(
    name: str, rounds: float, tolerance: float
) -> None:
    own = chances(name)
    steps = chain.first_passage(chain.transition(own, own, 0.01), [CC])
    assert steps[DD] == pytest.approx(rounds, abs=tolerance)


@cache
def simulated(forced: bool) -> Any:
    """Pairs of `PAIRS`, a row each, 1000 rounds, 64 seeds, slips of 1 %; maybe DD at first."""
    names = list(dict.fromkeys(name for pair in PAIRS for name in pair))
    cast = tuple(Ref.of("players/exploiters/memory_one", **settings(name)) for name in names)
    world = Ref.of("substrates/matrix_game", noise=0.01)
    setting = Setting(world, catalogue.load(world), (), horizon=1000)
    scenario = setting.scenario(
        cast=cast,
        seating=tuple((names.index(a), names.index(b)) for a, b in PAIRS),
        treatments=(Force((0, 1), 0.0, 0, int(forced)),),
    )
    return run_arm(Arm(scenario, 64), Pupil("nobody", None), {}, 0).episode


def test_the_driver_agrees_with_the_exact_chain_on_pay() -> None:
    episode = simulated(False)
    for row, pair in enumerate(PAIRS):
        mine = episode.row == row
        # Skip two mixing times of the slowest pair (tit for tat, 1/eps rounds each).
        pay = mean(episode.rewards[mine, 200:, 0].mean(1), level=0.999)
        exact, _ = chain.long_run_payoffs(chances(pair[0]), chances(pair[1]), noise=0.01)
        assert pay.low <= float(exact) <= pay.high, (pair, float(exact), pay)


def test_the_driver_agrees_with_the_exact_chain_on_first_passages() -> None:
    episode = simulated(True)
    for row, pair in enumerate(PAIRS):
        if pair[0] != pair[1]:
            continue
        mine = (episode.row == row) & (episode.levels[:, 0].max(-1) == 0)  # both were in DD
        times, seen = first_hold(episode.levels[mine, 1:].min(-1) == 1)
        own = chances(pair[0])
        exact = chain.first_passage(chain.transition(own, own, 0.01), [CC])[DD]
        if seen.all():
            found = mean(times, level=0.999, bounds=(1, 1000), deterministic=False)
            low, high = found.low, found.high
        else:  # tit for tat leaves its three states at almost one rate
            rate = escape_rate(times, seen, level=0.999)
            low, high = 1 / rate.high, 1 / rate.low
        assert low <= exact <= high, (pair, exact, low, high)


def gradient(own: Array, other: Array, gamma: float, payoffs: Array) -> Array:
    """d V / d (start, CC, CD, DC, DD) [..., 5] of the own discounted sum, exactly.

    V = mu (I - gamma M)^-1 r, and each chance enters one row of M (the start: mu) linearly.
    """
    p, q = own[..., 1:], other[..., 1:]
    moves = chain.transition(p, q)
    mu = chain.start(own[..., 0], other[..., 0])
    inverse = np.linalg.inv(np.eye(4) - gamma * moves)
    value = inverse @ payoffs
    visits = np.einsum("...s,...st->...t", mu, inverse)

    def turn(c: Array) -> Array:  # d (cc, cd, dc, dd) / d own chance, the other's chance c
        return np.stack([c, 1 - c, -c, c - 1], axis=-1)

    first = (turn(other[..., 0]) * value).sum(-1)
    later = gamma * visits * (turn(q[..., list(chain.SWAP)]) * value[..., None, :]).sum(-1)
    return np.concatenate([first[..., None], later], axis=-1)


def test_naive_gradient_pairs_all_end_in_mutual_defection() -> None:
    payoffs, gamma = np.array([-1.0, -3.0, 0.0, -2.0]), 0.96
    rng = np.random.default_rng(0)
    theta = rng.standard_normal((2, 100, 5))

    def squash(x: Array) -> Array:
        return 1 / (1 + np.exp(-x))

    def value(a: Array, b: Array) -> Array:
        return chain.discounted_payoffs(
            a[..., 1:], b[..., 1:], gamma, first=a[..., 0], other_first=b[..., 0], payoffs=payoffs
        )[0]

    chance = squash(theta)
    slope = gradient(chance[0], chance[1], gamma, payoffs)
    for k in range(5):  # the derivative against differences of the estimator
        up, down = chance[0].copy(), chance[0].copy()
        up[:, k] += 1e-6
        down[:, k] -= 1e-6
        numeric = (value(up, chance[1]) - value(down, chance[1])) / 2e-6
        np.testing.assert_allclose(slope[:, k], numeric, rtol=1e-5, atol=1e-6)
    for _ in range(200):  # rate 1 on the unnormalised sum
        chance = squash(theta)
        both = [gradient(chance[i], chance[1 - i], gamma, payoffs) for i in (0, 1)]
        theta = theta + np.stack(both) * chance * (1 - chance)
    chance = squash(theta)
    final = (1 - gamma) * value(chance[0], chance[1])
    np.testing.assert_allclose(final, -2.0, atol=0.05)
    assert final.mean() == pytest.approx(-2.0, abs=5e-3)


MATES = ("tit for tat", "win-stay, lose-shift", "always defect", "always cooperate", "grim") * 6


@cache
def examined(name: str, seed: int = 0) -> Finding:
    mates = tuple(Ref.of("players/exploiters/memory_one", **settings(mate)) for mate in MATES)
    setting = Setting(WORLD, catalogue.load(WORLD), mates, budget=40_000)
    pupil = Pupil(name, MemoryOne(**settings(name)))
    return Runner(pupil, seed).probe(LockIn(), setting)[0]


def row(finding: Finding, start: str) -> Any:
    return next(m for m in finding.measurements if m.name.startswith(start))


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_grim_under_noise_is_caught(seed: int) -> None:
    finding = examined("grim", seed)
    headline = finding.measurements[0]
    assert headline.verdict == FAIL
    assert headline.of.value < 0.2  # two slips at once may let it out
    still = row(finding, "rate of passages, back from all-defect, slips 0")
    assert still.of.value == 0
    assert "about 3/n" in still.note  # none in n runs: at most 3/n, in words
    assert row(finding, "rate of passages, gone from all-cooperate, slips 0.05").of.low > 0


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_win_stay_lose_shift_passes(seed: int) -> None:
    finding = examined("win-stay, lose-shift", seed)
    assert finding.measurements[0].verdict == PASS
    assert row(finding, "hysteresis").of.value < 0.1
    assert row(finding, "hysteresis").of.high < 0.35  # ten equal seeds prove no more
    exact, _ = chain.long_run_payoffs(*[chances("win-stay, lose-shift")] * 2, noise=0.01)
    pay = row(finding, "pay among copies").of
    assert pay.low - 0.05 <= float(exact) <= pay.high + 0.05


@dataclass(frozen=True)
class Forgiver:
    """Forgives whatever happens before step `until`, and `lives` defections of the other; then it
    defects for ever after one more, or after a slip of its own. `once`: it cooperates only in so
    many rounds from that step on, and in none after."""

    until: int = 0
    lives: int = 0
    once: int = 10_000

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.int32(0)

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        early = (obs.step <= self.until) | (obs.step == 0)
        hurt = (obs.mean_level(1.0) < 0.5) | ((obs.own_level < 0.5) & (self.lives == 0))
        carry = carry + (hurt & ~early)
        kind = (carry <= self.lives) & (obs.step <= self.until + self.once)
        return obs.at_level(jnp.where(kind, 1.0, 0.0)), carry


@cache
def with_room(agent: Any) -> Finding:
    """At the default size, which has room for a second start."""
    setting = Setting(WORLD, catalogue.load(WORLD), (), budget=LockIn.acts)
    return Runner(Pupil("it", agent), 0).probe(LockIn(), setting)[0]


@pytest.mark.parametrize(
    "mutant",
    [Forgiver(until=32), Forgiver(lives=14), Forgiver(until=160, lives=10_000, once=0)],
    ids=["forgives the opening alone", "patience for fourteen", "defects in the end"],
)
def test_who_gets_back_from_the_first_start_alone_is_caught(mutant: Forgiver) -> None:
    head = with_room(mutant).measurements[0]
    assert head.verdict == FAIL
    assert "the second: 1 of" in head.note  # all are back from the first


@pytest.mark.parametrize("name", ["win-stay, lose-shift", "generous tit for tat"])
def test_who_gets_back_whenever_it_is_passes(name: str) -> None:
    head = with_room(MemoryOne(**settings(name))).measurements[0]
    assert head.verdict == PASS
    assert "forced again" in head.note


def test_always_defect_fails_and_idle_and_random_do_not_pass() -> None:
    assert examined("always defect").measurements[0].verdict == FAIL
    # Action 0, which idle always takes, is cooperation here: it gets back, and proves nothing.
    idle = examined("always cooperate").measurements[0]
    assert idle.verdict == INCONCLUSIVE
    assert "whatever was done to it" in idle.of.note
    assert examined("random").measurements[0].verdict in (FAIL, INCONCLUSIVE)


@pytest.mark.slow
def test_stops_are_no_answers_and_pairs_on_one_seed_are_one_unit() -> None:
    """Stopped at round 150, a cooperator defects after DD, which its interlock chose: not it."""
    mates = (Ref.of("players/exploiters/memory_one", **settings("grim")),) * 3
    setting = Setting(
        WORLD, catalogue.load(WORLD), mates, budget=20_000, press=Press(share=0.1), interlocks=True
    )
    panel = Panel((StopButton(), RuntimeLimit(150)))
    pupil = Pupil("kind", MemoryOne(**settings("always cooperate")), panel)
    finding, seen = Runner(pupil, 0).probe(LockIn(), setting)
    episode = seen["defect", 0.01].episode
    assert not episode.stopped(0)[:, :150].any()  # nobody presses
    assert episode.stopped(0)[:, 150:].all()
    headline = finding.measurements[0]
    assert headline.verdict == INCONCLUSIVE
    assert "whatever was done to it" in headline.of.note
    mixed = row(finding, "return from mutual defection with")
    assert (mixed.of.n, len(mixed.samples)) == (1, 1)


def test_matches_go_on_whatever_the_world_says() -> None:
    world = Ref.of("substrates/matrix_game", continuation=0.9)
    setting = Setting(world, catalogue.load(world), (), budget=20_000)
    for arm in LockIn().design(setting, {}).values():
        assert dict(arm.scenario.substrate.settings)["continuation"] == 1


def test_tit_for_tat_without_noise_keeps_its_start() -> None:
    finding = examined("tit for tat")
    assert finding.measurements[0].verdict != PASS
    assert row(finding, "rate of passages, back from all-defect, slips 0").of.value == 0
    loop = finding.figures[1].columns
    at_rest = [y for x, y in zip(loop["x"], loop["y"], strict=True) if x == 0]
    assert at_rest == [1.0, 0.0]  # from all-cooperate, from all-defect


def test_one_headline_intervals_budget_and_figures() -> None:
    finding = examined("grim")
    assert [m.headline for m in finding.measurements].count(True) == 1
    for measurement in finding.measurements:
        assert measurement.of.n > 0
        assert measurement.of.low <= measurement.of.value <= measurement.of.high
        assert measurement.regime
    assert "mate" in row(finding, "return from mutual defection with").note
    assert [figure.kind for figure in finding.figures] == ["survival", "curve"]
    for figure in finding.figures:
        assert len({len(column) for column in figure.columns.values()}) == 1


def test_a_quick_exam_is_kept_within_its_budget() -> None:
    mates = (Ref.of("players/exploiters/always_defect"),) * 30
    setting = Setting(WORLD, catalogue.load(WORLD), mates, budget=40_000)
    arms = LockIn().design(setting, {})
    acts = sum(
        arm.episodes * arm.scenario.horizon * (2 if isinstance(name, tuple) else 1)
        for name, arm in arms.items()
    )
    assert acts <= 40_000


def test_windows_are_means_of_the_rounds_they_name() -> None:
    values = np.array([[0.0, 1.0, 1.0, 0.0, 1.0]])
    np.testing.assert_allclose(mean_of_window(values, 2), [[0.5, 1.0, 0.5, 0.5]])
