"""The Axelrod library's strategies, played by its own code through our observations."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.workers.batch import play_pair

from freezetag.adapters.agents import axelrod as adapter
from freezetag.core import Arm, Ref, Scenario
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import AgentFailed, BadAgent, Foreign
from freezetag.sim.workers import Cache, Worker

pytestmark = pytest.mark.slow
TURNS = 200
# [own][other] utility; 0 cooperates, 1 defects.
PAYOFFS = np.array([[3, 0], [5, 1]])


@pytest.fixture(scope="module")
def axl() -> Any:
    """The library, imported (15 to 20 seconds) only when a test of it runs."""
    return pytest.importorskip("axelrod", reason="the extra [axelrod] is not installed")


def pairs(axl: Any) -> list[tuple[str, str]]:
    """All pairs of the first tournament's players, with themselves too."""
    names = [kind.__name__ for kind in axl.axelrod_first_strategies]
    return list(itertools.combinations_with_replacement(names, 2))


def observation(step: int, own: int, other: int) -> dict[str, Any]:
    """What a player of the repeated dilemma sees after (own, other)."""
    return {
        "step": step,
        "action": own if step else None,
        "level": 1.0 - own if step else None,
        "mean_level": 1.0 - other if step else None,
        "selfish": 1,
        "prosocial": 0,
        "world": {"payoffs": PAYOFFS.tolist()},
    }


def match(names: tuple[str, str], seed: int, turns: int = TURNS) -> Any:
    """[T, 2] moves of two strategies through the adapter's objects."""
    players = [adapter.factory(f"{name}(length={turns})")(seed + i) for i, name in enumerate(names)]
    moves = np.zeros((turns, 2), int)
    a = b = 0
    for t in range(turns):
        a, b = players[0].act(observation(t, a, b)), players[1].act(observation(t, b, a))
        moves[t] = a, b
    return moves


def theirs(axl: Any, names: tuple[str, str], seed: int | None = None, turns: int = TURNS) -> Any:
    """[T, 2] moves in the library's own match."""
    players = [getattr(axl, name)() for name in names]
    play = axl.Match(players, turns=turns, seed=seed).play()
    return np.array([[int(move == axl.Action.D) for move in pair] for pair in play])


def scores(moves: Any) -> Any:
    """[2] utility of a match."""
    a, b = moves.T
    return np.array([PAYOFFS[a, b].sum(), PAYOFFS[b, a].sum()])


def stochastic(axl: Any, name: str) -> bool:
    return bool(axl.Classifiers["stochastic"](getattr(axl, name)()))


def test_the_first_tournament_has_fifteen_players(axl: Any) -> None:
    assert len(pairs(axl)) == 15 * 16 / 2
    fixed = [p for p in pairs(axl) if not any(stochastic(axl, name) for name in p)]
    assert len(fixed) == 8 * 9 / 2


def test_deterministic_pairs_play_exactly_as_in_the_library(axl: Any) -> None:
    for pair in pairs(axl):
        if not any(stochastic(axl, name) for name in pair):
            assert (match(pair, 0) == theirs(axl, pair)).all(), pair
            assert (scores(match(pair, 0)) == scores(theirs(axl, pair))).all(), pair


@pytest.mark.long
def test_mean_scores_lie_in_the_band_of_the_library_s_seeds(axl: Any) -> None:
    """Each player's total over the tournament's random pairs: 4 matches of a pair here against
    4 there, apart by less than four standard errors."""
    repeats = 4
    gap: Counter[str] = Counter()
    variance: Counter[str] = Counter()
    for pair in pairs(axl):
        if any(stochastic(axl, name) for name in pair):
            here = np.array([scores(match(pair, 100 * s)) for s in range(repeats)])
            there = np.array([scores(theirs(axl, pair, s)) for s in range(repeats)])
            for side, name in enumerate(pair):
                gap[name] += here[:, side].mean() - there[:, side].mean()
                both = here[:, side].var(ddof=1) + there[:, side].var(ddof=1)
                variance[name] += both / repeats
    assert len(gap) == 15
    for name in gap:
        assert abs(gap[name]) <= 4 * np.sqrt(variance[name]), (name, gap[name], variance[name])


@pytest.mark.parametrize("pair", [("Random", "FirstByJoss"), ("FirstByFeld", "FirstByTullock")])
def test_the_same_seed_plays_the_same_match_and_another_does_not(
    axl: Any, pair: tuple[str, str]
) -> None:
    assert (match(pair, 3) == match(pair, 3)).all()
    assert (match(pair, 3) != match(pair, 4)).any()


def test_its_own_history_is_what_was_executed(axl: Any) -> None:
    """Grudger's twin that defects because it was forced is not forgiven by itself: the moves in
    its history are the executed ones, not the wanted ones."""
    player = adapter.factory("Grudger")(0)
    assert player.act(observation(0, 0, 0)) == 0
    assert player.act(observation(1, 1, 0)) == 0  # forced to defect at step 0
    assert player.player.history == [axl.Action.D]
    assert player.player.defections == 1


def test_it_plays_the_game_of_the_world(axl: Any) -> None:
    player = adapter.factory("ZDExtort2")(0)
    seen = observation(0, 0, 0)
    seen["world"] = {"payoffs": [[4.0, 1.0], [6.0, 2.0]]}
    player.act(seen)
    assert player.player.match_attributes["game"].RPST() == (4, 2, 1, 6)
    seen["world"] = {"stock": 0.3}
    player.act(seen)
    assert player.player.match_attributes["game"].RPST() == (3, 1, 0, 5)
    assert player.player.match_attributes["length"] == float("inf")


def test_many_co_players_are_one_by_their_mean_level(axl: Any) -> None:
    player = adapter.factory("TitForTat")(0)
    seen = observation(0, 0, 0)
    player.act(seen)
    for step, (mean, wanted) in enumerate([(0.5, 0), (0.49, 1), (None, 0), (1.0, 0), (0.0, 1)]):
        assert player.act(observation(step + 1, 0, 0) | {"mean_level": mean}) == wanted


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        ("Grudger", "Grudger"),
        ("tit_for_tat", "TitForTat"),
        ("TIT FOR TAT", "TitForTat"),
        ("First by Davis", "FirstByDavis"),
        ("zd-extort-2", "ZDExtort2"),
        ("first_by_davis(rounds_to_cooperate=3)", "FirstByDavis"),
    ],
)
def test_a_name_may_be_spelled_in_many_ways(axl: Any, spelling: str, kind: str) -> None:
    player = adapter.factory(spelling)(0)
    player.act(observation(0, 0, 0))
    assert type(player.player) is getattr(axl, kind)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Grudgr", "there is no Axelrod strategy 'Grudgr'. Near: Grudger"),
        ("Grudger(depth=3)", "Grudger does not take these settings"),
        ("Grudger(3)", "a setting has a name: Grudger(key="),
        ("Grudger(__import__('os'))", "a setting has a name"),
        ("Darwin", "inspects its opponent: source, and here it meets no such object. Not measured"),
    ],
)
def test_mistakes_are_explained(axl: Any, name: str, says: str) -> None:
    with pytest.raises(BadAgent, match=says.replace("(", r"\(").replace(".", r"\.")):
        adapter.factory(name)


def test_every_strategy_but_those_that_pry_plays_ten_moves(axl: Any) -> None:
    refused = []
    for name in adapter.names():
        if axl.Classifiers["long_run_time"](getattr(axl, name)()):
            continue
        try:
            player = adapter.factory(name)(1)
        except BadAgent:
            refused.append(name)
            continue
        own = 0
        for t in range(10):
            own = player.act(observation(t, own, t % 2))
            assert own in (0, 1), name
    assert refused == ["Darwin"]


@pytest.fixture(scope="module")
def cache(axl: Any) -> Iterator[Cache]:
    """Two children that have imported the library, at the same time."""
    notes: list[str] = []
    with Cache(notes.append) as cache:
        both = [Worker(Foreign("axelrod", "TitForTat"), seat=n, cache=cache) for n in (0, 1)]
        starts = [threading.Thread(target=each.start) for each in both]
        for start in starts:
            start.start()
        for start in starts:
            start.join()
        for each in both:
            each.close()
        yield cache
    assert (
        notes.count(adapter.ADAPTER.slow) == 2
    )  # a busy machine makes it slower, and that is told, too


@pytest.mark.long  # each worker imports the library for itself
def test_two_workers_play_the_library_s_match(axl: Any, cache: Cache) -> None:
    pair = ("FirstBySteinAndRapoport", "FirstByDowning")
    agents = [Foreign("axelrod", f"{name}(length={TURNS})", 30.0) for name in pair]
    with (
        Worker(agents[0], seat=0, cache=cache) as first,
        Worker(agents[1], seat=1, cache=cache) as second,
    ):
        moves = play_pair((first, second), PAYOFFS, TURNS, [1, 2])
    assert (moves[0] == theirs(axl, pair)).all()
    assert (moves[1] == moves[0]).all()


def test_the_driver_plays_the_first_tournament(axl: Any, cache: Cache) -> None:
    """All 120 pairs in one batch of `matrix_game`, the library's own code in both seats:
    deterministic pairs give exactly its moves and scores."""
    names = [kind.__name__ for kind in axl.axelrod_first_strategies]
    order = tuple(itertools.combinations_with_replacement(range(15), 2))
    cast = tuple(Ref(f"axelrod:{name}(length={TURNS})") for name in names)
    scenario = Scenario(Ref.of("substrates/matrix_game"), cast, order, TURNS)
    episode = run_arm(Arm(scenario, 1), Pupil("nobody", None), {}, 1, cache=cache).episode
    exact = 0
    for b, pair in enumerate((names[i], names[j]) for i, j in order):
        if not any(stochastic(axl, name) for name in pair):
            moves = theirs(axl, pair)
            assert (episode.executed[b, :, :, 0] == moves).all(), pair
            assert (episode.rewards[b].sum(0) == scores(moves)).all(), pair
            exact += 1
    assert exact == 36


def test_a_worker_explains_a_mistyped_name(axl: Any, cache: Cache) -> None:
    with pytest.raises(AgentFailed, match=r"axelrod:Grudgr .*cannot be used: there is no"):
        Worker(Foreign("axelrod", "Grudgr"), seat=0, cache=cache).start()
