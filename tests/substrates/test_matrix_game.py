"""Matrix games against closed forms, OpenSpiel's tables and the exact chain of memory-one play."""

from __future__ import annotations

import re
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.core import HasBystander, HasPayoffs, Outcome
from freezetag.sim.template import split
from freezetag.substrates._games import GAMES
from freezetag.substrates.matrix_game import MatrixGame

KEY = jax.random.key(3)


def once(world: MatrixGame, moves: list[int], present: Any = None, key: Any = KEY) -> Outcome:
    there = np.ones(world.players, bool) if present is None else np.asarray(present)
    return world.step(key, world.init(key, there), jnp.asarray(moves, jnp.int32)[:, None])


@pytest.mark.parametrize("name", [name for name, game in GAMES.items() if len(game.actions) == 2])
def test_a_step_pays_what_the_table_says(name: str) -> None:
    world = MatrixGame(name)
    table = world.payoffs()
    for moves in product(range(2), repeat=2):
        np.testing.assert_array_equal(once(world, list(moves)).rewards, table[moves])


def test_games_of_one_shape_share_a_program_and_pay_their_own() -> None:
    scaled = MatrixGame(table=(((4.5, 4.5), (1, 6)), ((6, 1), (2, 2))))
    games = [MatrixGame(), MatrixGame("chicken"), scaled]
    parts = [split(game) for game in games]
    assert len({template for template, _ in parts}) == 1
    start = games[0].init(KEY, np.ones(2, bool))

    @jax.jit
    def paid(leaves: Any, moves: Any) -> Any:
        return parts[0][0].build(leaves).step(KEY, start, moves).rewards

    for game, (_, leaves) in zip(games, parts, strict=True):
        for moves in product(range(2), repeat=2):
            actions = jnp.asarray(moves, jnp.int32)[:, None]
            np.testing.assert_array_equal(paid(leaves, actions), game.payoffs()[moves])
    assert paid._cache_size() == 1
    other = MatrixGame("battle_of_the_sexes")  # its prosocial actions are its own
    assert split(other)[0] != parts[0][0]


def test_the_dilemma_has_its_four_letters() -> None:
    table = MatrixGame().payoffs()
    assert table[0, 0].tolist() == [3, 3]
    assert table[0, 1].tolist() == [0, 5]
    assert table[1, 1].tolist() == [1, 1]


ORDERS = {
    "prisoners_dilemma": "TRPS",
    "donation": "TRPS",
    "chicken": "TRSP",
    "hawk_dove": "TRSP",
    "snowdrift": "TRSP",
    "deadlock": "TPRS",
    "harmony": "RTSP",
    "leader": "TSRP",
    "hero": "STRP",
}


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_a_symmetric_game_has_the_order_that_names_it(name: str, order: str) -> None:
    table = MatrixGame(name).payoffs()
    letters = dict(R=table[0, 0, 0], S=table[0, 1, 0], T=table[1, 0, 0], P=table[1, 1, 0])
    values = [letters[letter] for letter in order]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 4
    np.testing.assert_array_equal(table[..., 1], table[..., 0].T)


OPEN_SPIEL = {
    "stag_hunt": ("matrix_sh", False),
    "chicken": ("matrix_cd", True),  # lists Dare first
    "battle_of_the_sexes": ("matrix_bos", False),
    "coordination": ("matrix_coordination", False),
    "matching_pennies": ("matrix_mp", False),
    "rock_paper_scissors": ("matrix_rps", False),
}


@pytest.mark.parametrize(("name", "theirs"), OPEN_SPIEL.items())
def test_payoffs_are_those_of_open_spiel(name: str, theirs: tuple[str, bool]) -> None:
    pyspiel = pytest.importorskip("pyspiel")
    game = pyspiel.load_matrix_game(theirs[0])
    size = range(game.num_rows())
    table = [[[u(a, b) for u in (game.row_utility, game.col_utility)] for b in size] for a in size]
    expected = np.asarray(table)[::-1, ::-1] if theirs[1] else np.asarray(table)
    np.testing.assert_array_equal(MatrixGame(name).payoffs(), expected)


def test_each_paper_beats_a_rock() -> None:
    world = MatrixGame("rock_paper_scissors")
    wins = {(1, 0), (2, 1), (0, 2)}
    for a, b in product(range(3), repeat=2):
        pay = ((a, b) in wins) - ((b, a) in wins)
        assert once(world, [a, b]).rewards.tolist() == [pay, -pay]


def test_every_game_has_a_source_and_its_actions() -> None:
    for name, game in GAMES.items():
        assert re.search(r"\b(19|20)\d\d\b", game.source), name
        assert np.shape(game.payoffs) == (len(game.actions), len(game.actions), 2), name


@pytest.mark.parametrize(("n", "givers"), [(31, 31), (31, 12), (6, 3), (1, 1), (2, 0)])
def test_public_goods_pay_the_formula(n: int, givers: int) -> None:
    """r c k / N - c [i gives], N = those present; the absent neither give nor get."""
    world = MatrixGame("public_goods", players=31, multiplier=3.0, cost=2.0)
    moves = [0] * givers + [1] * (n - givers) + [0] * (31 - n)
    rewards = once(world, moves, np.arange(31) < n).rewards
    gave = np.arange(31) < givers
    expected = np.where(np.arange(31) < n, 3.0 * 2.0 * givers / n - 2.0 * gave, 0)
    np.testing.assert_allclose(rewards, expected, rtol=1e-6)


def test_the_table_of_a_small_public_good_is_its_step() -> None:
    world = MatrixGame("public_goods", players=3)
    for moves in product(range(2), repeat=3):
        np.testing.assert_allclose(
            once(world, list(moves)).rewards, world.payoffs()[moves], rtol=1e-6
        )
    with pytest.raises(ValueError, match="2\\^31"):
        MatrixGame("public_goods", players=31).payoffs()


def test_a_table_of_three_players_is_played() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 9, (2, 2, 2, 3))
    nested = tuple(tuple(tuple(tuple(u) for u in b) for b in a) for a in table.tolist())
    world = MatrixGame(table=nested, players=3)
    for moves in product(range(2), repeat=3):
        assert once(world, list(moves)).rewards.tolist() == table[moves].tolist()
    assert not once(world, [0, 0, 0], [True, True, False]).rewards.any()


@partial(jax.jit, static_argnums=(0, 1, 2))
def chain(world: MatrixGame, rounds: int, batch: int, policy: Any) -> Any:
    """[batch, rounds, 2] rewards of two memory-one players on the *executed* moves."""

    def episode(key: Any) -> Any:
        def body(carry: Any, t: Any) -> Any:
            state, last = carry
            own = jax.random.fold_in(key, t)
            draws = jax.random.uniform(jax.random.fold_in(own, 99), (2,))
            view = last[:, 0] * 2 + last[::-1, 0]
            moves = (draws >= policy[view]).astype(jnp.int32)[:, None]
            out = world.step(own, state, moves)
            return (out.state, world.played(out.state)), out.rewards

        start = world.init(key, jnp.ones(2, bool))
        return jax.lax.scan(body, (start, start.last), jnp.arange(rounds))[1]

    return jax.vmap(episode)(jax.random.split(KEY, batch))


@pytest.mark.parametrize(
    ("policy", "expected"), [((1.0, 0.0, 1.0, 0.0), 2.25), ((1.0, 0.0, 0.0, 1.0), 2.951)]
)
def test_noisy_pairs_earn_the_stationary_payoff(policy: Any, expected: float) -> None:
    """Tit for tat 2.25, win-stay-lose-shift 2.951 a round at noise .01 (exact chain)."""
    world = MatrixGame(noise=0.01)
    rewards = np.asarray(chain(world, 3000, 64, jnp.asarray(policy)))[:, 1000:].mean((1, 2))
    error = rewards.std(ddof=1) / np.sqrt(len(rewards))
    assert abs(rewards.mean() - expected) < 4 * error + 5e-4


@pytest.mark.parametrize(("name", "size"), [("chicken", 2), ("rock_paper_scissors", 3)])
def test_slips_have_their_chance_and_fall_evenly(name: str, size: int) -> None:
    world, slips = MatrixGame(name, noise=0.3), 20_000
    start = world.init(KEY, jnp.ones(2, bool))
    moves = jnp.ones((2, 1), jnp.int32)
    played = jax.vmap(lambda key: world.played(world.step(key, start, moves).state))(
        jax.random.split(KEY, slips)
    )
    counts = np.bincount(np.asarray(played).ravel(), minlength=size) / (2 * slips)
    others = [0.3 / (size - 1)] * (size - 1)
    np.testing.assert_allclose(counts, [others[0], 0.7, *others[1:]], atol=0.01)


def test_the_slip_is_what_is_seen_and_paid() -> None:
    world = MatrixGame(noise=1.0)
    out = once(world, [0, 1])
    assert world.played(out.state).tolist() == [[1], [0]]
    assert out.rewards.tolist() == [5, 0]


def test_a_match_lasts_one_over_one_minus_delta() -> None:
    world = MatrixGame(continuation=0.9)
    state = world.init(KEY, jnp.ones(2, bool))

    def ends(key: Any) -> Any:
        return world.step(key, state, jnp.zeros((2, 1), jnp.int32)).terminated

    over = np.asarray(jax.vmap(ends)(jax.random.split(KEY, 20_000)))
    assert over.mean() == pytest.approx(0.1, abs=0.009)
    assert not bool(once(MatrixGame(), [0, 0]).terminated)


def test_slips_do_not_move_when_the_ending_does() -> None:
    keys = jax.random.split(KEY, 200)
    fixed, random = MatrixGame(noise=0.5), MatrixGame(noise=0.5, continuation=0.5)
    for key in keys[:20]:
        a, b = (world.played(once(world, [0, 0], key=key).state) for world in (fixed, random))
        np.testing.assert_array_equal(a, b)


def test_prosocial_in_the_battle_is_the_others_favourite() -> None:
    world = MatrixGame("battle_of_the_sexes")
    selfish, prosocial = world.scale(world.init(KEY, np.ones(2, bool)))
    assert prosocial.tolist() == [[1], [0]]
    assert selfish.tolist() == [[0], [1]]


def test_each_sees_the_table_from_its_own_side() -> None:
    world = MatrixGame("battle_of_the_sexes")
    seen = world.observe(world.init(KEY, np.ones(2, bool)))["payoffs"]
    assert seen[0].tolist() == [[3, 0], [0, 2]]
    assert seen[1].tolist() == [[2, 0], [0, 3]]


def test_what_it_offers() -> None:
    assert isinstance(MatrixGame(), HasPayoffs)
    assert not isinstance(MatrixGame(), HasBystander)
    assert MatrixGame().min_players == 2
    assert MatrixGame("public_goods", players=31).min_players == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(game="prisoner_dilemma"), "Near: prisoners_dilemma"),
        (dict(players=31), "public_goods"),
        (dict(noise=1.5), "noise is a chance"),
        (dict(continuation=-0.1), "continuation is a chance"),
        (dict(game="public_goods", players=0), "at least 1"),
        (dict(table=((1, 2), (3, 4))), "shape"),
        (dict(table=((1, 2), (3,))), "nested tuples"),
        (dict(table=(((0, 0), (0, 0), (0, 0)), ((0, 0), (0, 0), (0, 0)))), "same number"),
    ],
)
def test_bad_settings_are_explained(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MatrixGame(**settings)


def test_a_table_given_as_an_array_is_checked_as_tuples_are() -> None:
    table = np.arange(8.0).reshape(2, 2, 2)
    assert MatrixGame(table=table) == MatrixGame(
        table=tuple(  # type: ignore[arg-type]
            tuple(map(tuple, rows)) for rows in table.tolist()
        )
    )
    for wrong, says in ((np.full((2, 2, 2), np.nan), "finite"), (np.zeros((2, 2, 2)), "players=5")):
        with pytest.raises(ValueError, match=says):
            MatrixGame(table=wrong, players=2 if says == "finite" else 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cost", "multiplier"), [(1.0, 1.6), (-1.0, 1.6), (1.0, -1.0)])
def test_what_a_public_good_may_pay_holds_whatever_its_signs(
    cost: float, multiplier: float
) -> None:
    world = MatrixGame(game="public_goods", players=4, cost=cost, multiplier=multiplier)
    paid = world.payoffs()
    assert world.pay_range(4) == pytest.approx((min(0.0, paid.min()), max(0.0, paid.max())))
