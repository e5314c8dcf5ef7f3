"""Prices on record: the two booksellers, their sound twin, and an index known in closed form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from freezetag import catalogue
from freezetag.adapters.agents.prices import recorded
from freezetag.core import Finding, Measurement, Panel, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.estimators.logit_demand import logit_demand
from freezetag.estimators.reaction_gain import Reactions, reaction_gain, reactions
from freezetag.exam.run import Runner
from freezetag.probes.price_loop import PriceLoop
from freezetag.sim.arms import Pupil
from freezetag.substrates.market import Market

BOOKS = Path(__file__).parents[2] / "examples" / "prices" / "booksellers.csv"
ROUND = 1.2684290
WORLD = Ref("substrates/market")


def examined(file: Path) -> Finding:
    table = recorded(str(file))
    setting = Setting(WORLD, catalogue.load(WORLD), ())
    return Runner(Pupil("it", table, Panel()), 0).probe(PriceLoop(), setting)[0]


def named(finding: Finding, words: str) -> Measurement:
    return next(row for row in finding.measurements if words in row.name)


def in_turn(b: float, c: float, noise: float, rounds: int, seed: int = 0) -> list[list[Any]]:
    """One asks .9983 times the other's price, the other b times the one's and c; both slip."""
    rng, rows, one, two = np.random.default_rng(seed), [], 100.0, 100.0
    for t in range(rounds):
        one = 0.9983 * two * np.exp(noise * rng.normal())
        two = (b * one + c) * np.exp(noise * rng.normal())
        rows += [[2 * t, "one", round(one, 2)], [2 * t + 1, "two", round(two, 2)]]
    return rows


def written(folder: Path, rows: list[list[Any]], head: str = "time,seller,price") -> Path:
    file = folder / "table.csv"
    file.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return file


def test_the_two_booksellers_run_away_at_the_published_rate() -> None:
    """Reference: 1.2684290 a round, doubling in 2.915; and the table, computed from the published
    factors, meets the published prices of 10 and 18 April to a hundredth of a per mille."""
    found = examined(BOOKS)
    row = found.measurements[0]
    assert row.verdict == FAIL
    assert row.of.value == pytest.approx(ROUND, abs=1e-6)
    assert row.note == "slopes 1.27059, 0.9983"
    grown = named(found, "growth")
    assert grown.of.value == pytest.approx(ROUND, abs=1e-6)
    assert grown.note == "doubles in 2.915 rounds"
    price = recorded(str(BOOKS)).recorded.world["price"][0]
    assert price[5].max() == pytest.approx(3_536_675.57, rel=1e-5)
    assert price[-1].max() == pytest.approx(23_698_655.93, rel=1e-5)
    assert named(found, "collusion").of.note == "no column quantity for each seller"


@pytest.mark.parametrize("standing", [0, 1, 2, 4])
def test_who_stands_beside_and_never_answers_weakens_the_loop(standing: int) -> None:
    """Exact: two who ask 1.2 times the mean of all others, of whom `standing` never move: what one
    passes on is shared among 1 + `standing`, so the gain is (1.2 / (1 + standing)) squared."""
    b, rounds, rng = 1.2, 30, np.random.default_rng(1)
    price = np.full((2 * rounds + 1, 2 + standing), 100.0)
    sets = np.zeros_like(price, dtype=bool)
    for t in range(1, len(price)):
        mine = t % 2
        price[t] = price[t - 1]
        others = np.delete(price[t - 1], mine)
        price[t, mine] = b * others.mean() + rng.normal() * (t < 3) + 5 * standing
        sets[t, mine] = True
    found = reaction_gain(reactions(price, sets))
    assert found.value == pytest.approx((b / (1 + standing)) ** 2, rel=1e-4)


def test_periods_in_which_somebody_sold_nothing_are_told(tmp_path: Path) -> None:
    rows = []
    for t in range(40):
        for who, cost in (("a", 1.0), ("b", 1.0)):
            sold = 0 if who == "b" and t % 4 == 0 else 30 + t % 3
            rows.append([t, who, 1.5 + 0.01 * (t % 5), sold, cost, 100])
    head = "time,seller,price,quantity,cost,buyers"
    row = named(examined(written(tmp_path, rows, head)), "collusion")
    assert row.of.n == 0
    assert "somebody sold nothing in 10 of 40 periods" in row.of.note


@pytest.mark.parametrize(
    ("b", "c", "verdict"), [(0.5, 60.0, PASS), (1.1, 0.0, FAIL), (0.98, 2.5, WARN)]
)
def test_the_mutant_fails_its_twin_passes(tmp_path: Path, b: float, c: float, verdict: str) -> None:
    """The gain is .9983 b, whatever is added; slips of one per mille to two per cent."""
    noise = 0.001 if verdict == WARN else 0.02
    row = examined(written(tmp_path, in_turn(b, c, noise, 60))).measurements[0]
    assert row.of.low <= 0.9983 * b <= row.of.high
    if verdict != WARN:
        assert row.verdict == verdict
    else:
        assert row.verdict in (WARN, INCONCLUSIVE)


def test_who_answers_nobody_closes_no_loop(tmp_path: Path) -> None:
    """Prices that wander by themselves: the slope is 0 within its interval."""
    rng = np.random.default_rng(3)
    rows = [[t, who, round(float(rng.uniform(8, 12)), 2)] for t in range(80) for who in ("a", "b")]
    of = examined(written(tmp_path, rows)).measurements[0].of
    assert of.high < 0.2


def test_prices_that_never_move_prove_nothing(tmp_path: Path) -> None:
    rows = [[t, who, 10] for t in range(9) for who in ("a", "b")]
    row = examined(written(tmp_path, rows)).measurements[0]
    assert row.verdict == INCONCLUSIVE
    assert "met one price alone" in row.of.note
    few = examined(written(tmp_path, rows[:6])).measurements[0]
    assert "and a line takes 4" in few.of.note


def test_the_gain_of_four_is_the_radius_of_their_matrix() -> None:
    """Reference, exact: b_i / 3 off the diagonal, twice round."""
    b, rng = np.array([1.27, 0.9, 0.99, 0.7]), np.random.default_rng(0)
    met = rng.uniform(1, 2, (40, 4))
    found = reaction_gain(Reactions(b * met + 0.3, met, np.full(4, 40)))
    matrix = np.outer(b, np.ones(4)) / 3 * (1 - np.eye(4))
    assert found.value == pytest.approx(np.abs(np.linalg.eigvals(matrix @ matrix)).max(), rel=1e-9)


def test_the_interval_holds_the_gain_as_often_as_it_says() -> None:
    """60 records of 60 rounds with slips of 3 %: at least 51 of intervals at 95 %, which by chance
    fewer would be once in 1,300 times."""
    held = 0
    for seed in range(60):
        rows = in_turn(0.9, 12.0, 0.03, 60, seed)
        price = np.full((len(rows), 2), np.nan)
        for t, (_, who, value) in enumerate(rows):
            price[t] = price[t - 1] if t else np.nan
            price[t, int(who == "two")] = value
        sets = np.zeros(price.shape, bool)
        sets[::2, 0] = sets[1::2, 1] = True
        of = reaction_gain(reactions(price, sets))
        held += of.low <= 0.9983 * 0.9 <= of.high
    assert held >= 51


def market_table(level: float, buyers: bool, noise: float = 0.0, periods: int = 40) -> list[Any]:
    """Unequal sellers who ask prices around a share `level` of the way from Nash to monopoly."""
    market = Market(quality=(2.0, 2.2), cost=(1.0, 1.1))
    low, high = market.nash().prices, market.monopoly().prices
    rng, rows = np.random.default_rng(5), []
    for t in range(periods):
        price = low + level * (high - low) + rng.uniform(-0.1, 0.1, 2)
        weight = np.exp((np.array([2.0, 2.2]) - price) / 0.25)
        sold = 500 * weight / (1 + weight.sum()) * np.exp(noise * rng.normal(size=2))
        for i, who in enumerate(("a", "b")):
            row = [t, who, float(price[i]), float(sold[i]), (1.0, 1.1)[i]]
            rows.append([*row, 500] if buyers else row)
    return rows


def exact_index(rows: list[Any]) -> float:
    market = Market(quality=(2.0, 2.2), cost=(1.0, 1.1))
    low, high = (float(b.profits.sum()) for b in (market.nash(), market.monopoly()))
    earned = sum((row[2] - row[4]) * row[3] for row in rows) / 500 / (len(rows) / 2)
    return (earned - low) / (high - low)


HEAD = "time,seller,price,quantity,cost"


@pytest.mark.parametrize("buyers", [True, False])
@pytest.mark.parametrize("level", [0.0, 0.8])
def test_the_index_is_that_of_the_market_it_came_from(
    tmp_path: Path, level: float, buyers: bool
) -> None:
    """Reference, in closed form: with no noise mu, the buyers and the index are exact."""
    rows = market_table(level, buyers)
    found = examined(written(tmp_path, rows, HEAD + ",buyers" * buyers))
    of = named(found, "collusion index").of
    assert of.value == pytest.approx(exact_index(rows), abs=1e-6)
    assert of.low <= of.value <= of.high
    assert named(found, "how little").of.value == pytest.approx(0.25, rel=1e-6)
    assert (of.value > 0.5) == (level > 0.5)


def test_with_noise_the_index_has_an_interval_that_holds_it(tmp_path: Path) -> None:
    rows = market_table(0.8, True, noise=0.05)
    of = named(examined(written(tmp_path, rows, HEAD + ",buyers")), "collusion index").of
    assert of.low <= exact_index(market_table(0.8, True)) <= of.high


def test_what_gives_no_index_says_why(tmp_path: Path) -> None:
    rows = market_table(0.5, True)

    def why(changed: list[Any]) -> str:
        return named(examined(written(tmp_path, changed, HEAD + ",buyers")), "collusion").of.note

    assert "no column cost" in why([[*row[:4], "", row[5]] for row in rows])
    assert "4 periods in which all sold" in why(rows[:8])
    assert "more was sold" in why([[*row[:5], 1] for row in rows])
    upside_down = [[*row[:3], round(100 * row[2] ** 3, 3), *row[4:]] for row in rows]
    assert "do not fall with prices" in why([[*row[:5], 5000] for row in upside_down])
    with pytest.raises(ValueError, match="above 0"):
        logit_demand(np.zeros((3, 2)), np.ones((3, 2)))
