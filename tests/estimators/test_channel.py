"""Information, its test and the bettor against closed forms and published level and power."""

from __future__ import annotations

import math

import numpy as np
import pytest

from freezetag.estimators.change_alarm import ChangeAlarm
from freezetag.estimators.channel import (
    alarm_at,
    bettors_wealth,
    bits_per_guess,
    information,
    permutation_test,
    wealth,
)


def leaked(rng: np.random.Generator, n: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """A coin, and eight even symbols of which the low bit is the coin with this chance."""
    coins, symbols = rng.integers(0, 2, n), rng.integers(0, 8, n)
    return coins, np.where(rng.random(n) < rate, (symbols & ~1) | coins, symbols)


def rejected(n: int, rate: float, trials: int) -> float:
    count = 0
    for trial in range(trials):
        coins, symbols = leaked(np.random.default_rng([trial, n]), n, rate)
        count += permutation_test(coins, symbols, seed=trial).p <= 0.05
    return count / trials


# docs/sources.md P5: 199 permutations, level .05, 400 messages, 4000 trials.
POWER = {0.0: 0.05, 0.1: 0.25, 0.2: 0.85, 0.4: 1.0}


@pytest.mark.parametrize(("rate", "power"), POWER.items())
def test_level_and_power_at_400_messages(rate: float, power: float) -> None:
    """Within 4 standard errors of the reference, in 40 trials."""
    slack = 4 * math.sqrt(max(power * (1 - power), 0.01) / 40)
    assert abs(rejected(400, rate, 40) - power) <= slack


@pytest.mark.long
@pytest.mark.parametrize("n", [100, 400, 1600])
def test_level_is_kept_and_power_grows(n: int) -> None:
    """A thousand quiet runs: the level is exact, 10 of 200 ranks; power grows with the rate."""
    assert abs(rejected(n, 0.0, 1000) - 0.05) <= 4 * math.sqrt(0.05 * 0.95 / 1000)
    found = [rejected(n, rate, 200) for rate in (0.1, 0.2, 0.4)]
    assert found == sorted(found)
    if n == 400:
        for power, wanted in zip(found, (0.25, 0.85, 1.0), strict=True):
            assert abs(power - wanted) <= 4 * math.sqrt(max(wanted * (1 - wanted), 0.01) / 200)


def test_information_in_closed_form() -> None:
    x = np.repeat([0, 0, 1, 1], 250)
    assert information(x, x, corrected=False) == pytest.approx(1)
    assert information(x, np.tile([0, 1], 500), corrected=False) == pytest.approx(0)
    # Miller-Madow: less (4 - 2 - 2 + 1) / (2 n ln 2).
    assert information(x, x) == pytest.approx(1 + 1 / (2000 * math.log(2)))
    rng = np.random.default_rng(0)
    bias = [information(rng.integers(0, 2, 200), rng.integers(0, 8, 200)) for _ in range(200)]
    assert abs(np.mean(bias)) < 4 * np.std(bias) / math.sqrt(200)


def test_what_both_follow_is_taken_out_by_the_context() -> None:
    rng = np.random.default_rng(1)
    context = rng.integers(0, 4, 800)
    x, m = (context + (rng.random(800) < 0.1)) % 4, (context + (rng.random(800) < 0.1)) % 4
    assert permutation_test(x, m).p < 0.01


def test_a_key_hides_the_coin_until_the_context_is_given() -> None:
    """Exact: under a key the symbol alone tells nothing, with the key it tells all."""
    rng = np.random.default_rng(2)
    coins, key = rng.integers(0, 2, (40, 20)), rng.integers(0, 2, (40, 20))
    assert permutation_test(coins, coins ^ key).bits < 0.02
    found = permutation_test(coins, coins ^ key, context=key)
    assert found.bits > 0.99
    assert found.p == pytest.approx(1 / 200)


def test_the_bettor_with_the_best_stake_needs_343_messages() -> None:
    """Exact: ln 1000 / (ln 2 (1 - H(.6))) = 343; with overshoot 349 in the mean (median 302)."""
    assert math.log(1000) / math.log(2) / bits_per_guess(0.6) == pytest.approx(343, abs=0.5)
    rng = np.random.default_rng(3)
    after = [alarm_at(wealth(rng.random(4000) < 0.6, 0.2)) for _ in range(200)]
    assert None not in after
    error = np.std(after) / math.sqrt(200)
    assert abs(np.mean(after) - 349) < 4 * error


def test_fair_coins_make_no_bettor_rich() -> None:
    """Ville: at odds of 20 at most one in twenty ever alarms."""
    rng = np.random.default_rng(4)
    runs = 200
    found = 0
    for _ in range(runs):
        coins, symbols = leaked(rng, 200, 0.0)
        found += alarm_at(bettors_wealth(coins, symbols[None]), 20) is not None
    assert found / runs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)


def test_the_learning_bettor_finds_a_key_among_its_ways_of_reading() -> None:
    rng = np.random.default_rng(5)
    coins, key = rng.integers(0, 2, 300), rng.integers(0, 4, 300)
    told = (coins + key) % 2
    assert alarm_at(bettors_wealth(coins, told[None])) is None
    assert alarm_at(bettors_wealth(coins, np.stack([told, told * 4 + key]))) is not None


def test_change_is_noticed_and_constancy_is_not() -> None:
    rng = np.random.default_rng(6)
    quiet = ChangeAlarm()
    for symbol, draw in zip(rng.integers(0, 8, 400).tolist(), rng.random(400), strict=True):
        quiet.hear(symbol, draw)
    assert quiet.most < math.log(1000)
    after = 0
    while quiet.most < math.log(1000) and after < 100:
        quiet.hear(int(rng.integers(8, 16)), rng.random())
        after += 1
    assert after < 60
    constant = ChangeAlarm()
    for draw in rng.random(500):
        constant.hear("a", draw)
    assert constant.most < math.log(1000)
    assert constant.seen == 500


def test_ranks_are_uniform_under_exchangeability() -> None:
    """Exact: of one label the rank is the draw; of two unlike ones it is the draw again."""
    alarm = ChangeAlarm()
    assert alarm._rank("a", 0.25, None) == 0.25
    assert alarm._rank("b", 0.25, None) == 0.25
    assert alarm._rank("a", 0.5, None) == pytest.approx((1 + 0.5 * 2) / 3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: information(np.array([]), np.array([])),
        lambda: information(np.array([1]), np.array([1, 2])),
        lambda: permutation_test(np.array([1]), np.array([1, 2])),
        lambda: wealth(np.array([1]), 1.0),
        lambda: bettors_wealth(np.array([2]), np.array([[1]])),
        lambda: bettors_wealth(np.array([1]), np.array([[1, 2]])),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"got|share|0 or 1"):
        wrong()
