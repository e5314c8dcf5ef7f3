"""The 43 rock-paper-scissors bots of OpenSpiel, against the published table and as agents."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyspiel", reason="the extra [openspiel] is not installed")

from tests.workers.batch import batch

from freezetag.adapters.agents import rrps
from freezetag.sim.foreign import AgentFailed, Foreign
from freezetag.sim.workers import Cache, Worker

# Those that are quick and those with a memory of their own.
SOME = ("rockbot", "rotatebot", "copybot", "granite", "inocencio", "addshiftbot3", "randbot")
RPS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32)


def published(tables: Path) -> dict[tuple[str, str], float]:
    lines = (tables / "rrps_43.txt").read_text().splitlines()
    return {(row, column): value for row, column, value in map(ast.literal_eval, lines)}


def test_there_are_43_bots_those_of_the_published_table(tables: Path) -> None:
    assert len(rrps.names()) == 43
    assert {row for row, _ in published(tables)} == set(rrps.names())


@pytest.mark.slow
def test_the_bots_score_as_published(tables: Path) -> None:
    """Each cell of some bots, within five standard errors of 20 matches (and 1,000 published)."""
    table = published(tables)
    matches = 20
    found = rrps.play_population(matches, bots=SOME)
    assert found.shape == (len(SOME), len(SOME), matches)
    for i, row in enumerate(SOME):
        for j, column in enumerate(SOME):
            error = found[i, j].std(ddof=1) * np.sqrt(1 / matches + 1 / 1000)
            gap = abs(found[i, j].mean() - table[row, column])
            assert gap <= 5 * error + 2, (row, column, gap, error)


def test_matches_have_seeds_of_their_own() -> None:
    first = rrps.play_population(3, throws=100, seed=4, bots=("randbot", "granite", "switchbot"))
    again = rrps.play_population(3, throws=100, seed=4, bots=("switchbot", "randbot"), processes=2)
    assert (first[0, 0] == again[1, 1]).all()
    assert len(set(first[0, 0])) > 1
    assert (first + first.transpose(1, 0, 2))[~np.eye(3, dtype=bool)].sum() == 0
    assert (rrps.play_population(3, 100, 5, ("randbot",)) != first[0, 0]).any()


def play(
    names: tuple[str, str], throws: int, seeds: list[int], payoffs: Any = RPS, force: int = -1
) -> Any:
    """[B, T, 2] executed throws of two workers in lockstep; seat 0 is forced to `force` if given.

    The levels are 1, .5 and 0 for actions 0, 1 and 2.
    """
    episodes = len(seeds)
    executed = np.zeros((episodes, throws, 2), np.int32)
    with (
        Worker(Foreign("rrps", names[0]), seat=0) as first,
        Worker(Foreign("rrps", names[1]), seat=1) as second,
    ):
        first.reset(seeds)
        second.reset([1000 + seed for seed in seeds])
        for t in range(throws):
            last = executed[:, t - 1] if t else executed[:, 0]
            for me, worker in enumerate((first, second)):
                levels = np.zeros((episodes, 2), np.float32)
                levels[:, 1 - me] = 1 - last[:, 1 - me] / 2
                table = np.tile(payoffs, (episodes, 1, 1))
                world = {"world.payoffs": table, "own_action": last[:, [me]], "levels": levels}
                obs = batch(episodes, step=t, seat=me, sizes=(3,), **world)
                executed[:, t, me] = worker.act(t, obs, np.ones(episodes, bool))[:, 0]
            if force >= 0:
                executed[:, t, 0] = force
    return executed


def won(executed: Any, payoffs: Any = RPS) -> Any:
    """[B] net wins of seat 0."""
    return payoffs[executed[..., 0], executed[..., 1]].sum(-1)


@pytest.mark.slow
def test_lockstep_matches_do_not_disturb_each_other() -> None:
    """Bots keep their memory in global variables; eight matches at once score as one by one."""
    together = play(("inocencio", "granite"), 60, [1, 2, 3, 4])
    for b, seed in enumerate([1, 2, 3, 4]):
        assert (play(("inocencio", "granite"), 60, [seed])[0] == together[b]).all()
    assert len({tuple(moves.ravel()) for moves in together}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1, -1])
def test_agents_score_as_in_the_published_table(tables: Path, sign: int) -> None:
    """Deterministic predators of a fixed pattern, also where the world's order is reversed."""
    table = published(tables)
    payoffs = sign * RPS
    for pair in (("rotatebot", "inocencio"), ("granite", "copybot"), ("copybot", "rockbot")):
        mean = won(play(pair, 200, [1, 2, 3], payoffs), payoffs).mean()
        # The first throws, before a pattern is seen, weigh more in 200 throws than in 1,000.
        assert abs(mean - table[pair] / 5) < 25, (pair, mean)


def test_the_own_history_is_what_was_executed() -> None:
    """copybot beats the last throw of the *other*; against a seat that is forced to throw rock
    all the time it throws paper, whatever that seat wanted."""
    executed = play(("randbot", "copybot"), 40, [1], force=0)
    assert (executed[0, 2:, 1] == 1).all()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("greenburg", "there is no rock-paper-scissors bot 'greenburg'. Near: greenberg"),
        ("greenberg(throws=5000)", "throws, 1 .. 1000"),
        ("greenberg(depth=1)", "throws, 1 .. 1000"),
        ("greenberg(throws=200)", "a match of greenberg has 1000 throws"),
    ],
)
def test_mistakes_are_explained(name: str, says: str) -> None:
    with pytest.raises(AgentFailed, match=says.replace(".", r"\.")):
        Worker(Foreign("rrps", name), seat=0).start()


def test_another_game_is_refused() -> None:
    with Cache() as cache:
        with Worker(Foreign("rrps", "rockbot"), seat=0, cache=cache) as worker:
            worker.reset([1])
            with pytest.raises(AgentFailed, match="plays rock-paper-scissors between two"):
                worker.act(0, batch(1), np.ones(1, bool))
        with Worker(Foreign("rrps", "rockbot(throws=2)"), seat=0, cache=cache) as worker:
            worker.reset([1])
            table = {"world.payoffs": RPS[None]}
            for t in (0, 1):
                worker.act(t, batch(1, step=t, sizes=(3,), **table), np.ones(1, bool))
            with pytest.raises(AgentFailed, match="match has 2 throws and this is throw 3"):
                worker.act(2, batch(1, step=2, sizes=(3,), **table), np.ones(1, bool))
