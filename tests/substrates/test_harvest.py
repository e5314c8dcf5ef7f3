"""Harvest against its rule in plain Python, and its dilemma: greed ends it, restraint does not."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.substrates._plain_grid import Board, Cell

from freezetag.core import HasBystander, HasKinds, HasScene, HasStock, HasTurns
from freezetag.core.speech import Wording
from freezetag.estimators.intervals import clopper_pearson
from freezetag.substrates import _grid as grid
from freezetag.substrates.harvest import _GROW, _ORDER, Harvest

KEY = jax.random.key(5)
SMALL = Harvest(
    players=4, across=1, down=1, frozen=3, zap_cost=0.25, fine=0.5, regrow=(0.0, 0.1, 0.2, 0.4)
)


class PlainHarvest:
    """The rule, word by word, from a state of the world; luck is handed in."""

    def __init__(self, world: Harvest, state: Any) -> None:
        self.world, self.columns = world, world.field.columns
        self.sites = [divmod(int(cell), self.columns) for cell in world.sites]
        at = [
            divmod(int(cell), self.columns) if here else None
            for cell, here in zip(state.place, state.present, strict=True)
        ]
        self.board = Board(world.field.map, at, [int(x) for x in state.facing])
        self.apples = {c for c, on in zip(self.sites, state.apples, strict=True) if bool(on)}
        self.frozen = [int(x) for x in state.frozen]
        self.cooling = [int(x) for x in state.cooling]
        self.eaten = [0.0] * len(at)

    def near(self, cell: Cell) -> int:
        return sum(
            0 < (cell[0] - other[0]) ** 2 + (cell[1] - other[1]) ** 2 <= 4 for other in self.apples
        )

    def step(self, acts: list[int], order: list[float], luck: list[float]) -> list[float]:
        world, board, seats = self.world, self.board, range(len(acts))
        able = [board.at[n] is not None and self.frozen[n] == 0 for n in seats]
        acts = [act if fine else 0 for act, fine in zip(acts, able, strict=True)]
        board.move(acts, order)
        paid = [0.0] * len(acts)
        for n in seats:
            if board.at[n] in self.apples:
                self.apples.remove(board.at[n])
                paid[n] += 1
                self.eaten[n] += 1
        zaps = [n for n in seats if acts[n] == 7 and self.cooling[n] == 0]
        lit = [(n, board.beam(n)) for n in zaps]
        hit = [
            n
            for n in seats
            if board.at[n] is not None
            and self.frozen[n] == 0
            and any(board.at[n] in cells for who, cells in lit if who != n)
        ]
        for n in seats:
            paid[n] -= world.zap_cost * (n in zaps) + world.fine * (n in hit)
            self.frozen[n] = world.frozen if n in hit else max(self.frozen[n] - 1, 0)
            self.cooling[n] = world.cooling if n in zaps else max(self.cooling[n] - 1, 0)
        grown = [
            cell
            for cell, draw in zip(self.sites, luck, strict=True)
            if cell not in self.apples
            and cell not in board.at
            and draw < np.float32(world.regrow[min(self.near(cell), len(world.regrow) - 1)])
        ]
        self.apples |= set(grown)
        return paid


@partial(jax.jit, static_argnums=0)
def stepped(world: Harvest, key: Any, state: Any, actions: Any) -> tuple[Any, ...]:
    out = world.step(key, state, actions)
    return out.state, out.rewards, world.observe(out.state)


@partial(jax.jit, static_argnums=0)
def greed(world: Harvest, state: Any) -> Any:
    return world.scale(state)[0]


def against_the_rule(world: Harvest, present: Any, steps: int) -> dict[str, int]:
    """What happened in an episode in which both sides were equal at every step."""
    rng = np.random.default_rng(3)
    state = world.init(KEY, jnp.asarray(present))
    plain, seen = PlainHarvest(world, state), {"ate": 0, "tags": 0, "grown": 0, "barred": 0}
    for t in range(steps):
        key = jax.random.fold_in(KEY, t)
        legal = np.ones((world.players, 8), bool)
        legal[:, grid.ZAP] = np.asarray(state.cooling) == 0
        acts = np.where(legal, rng.random(legal.shape), -1).argmax(1)
        if t % 2:
            acts = np.asarray(greed(world, state))[:, 0]
        order = jax.random.uniform(jax.random.fold_in(key, _ORDER), (world.players,))
        luck = jax.random.uniform(jax.random.fold_in(key, _GROW), (len(world.sites),))
        before = len(plain.apples)
        paid = plain.step(acts.tolist(), np.asarray(order).tolist(), np.asarray(luck).tolist())
        state, rewards, views = stepped(world, key, state, jnp.asarray(acts)[:, None])
        np.testing.assert_allclose(rewards, np.where(present, paid, 0), atol=1e-6)
        ripe = [c for c, on in zip(plain.sites, np.asarray(state.apples), strict=True) if on]
        assert set(ripe) == plain.apples
        for n in np.flatnonzero(present):
            assert divmod(int(state.place[n]), plain.columns) == plain.board.at[n]
            assert int(state.facing[n]) == plain.board.facing[n]
        assert np.asarray(state.frozen)[present].tolist() == [
            x for x, here in zip(plain.frozen, present, strict=True) if here
        ]
        shown = {cell: 2 if cell in plain.apples else 3 for cell in plain.sites}
        shown |= {
            cell: 5 if plain.frozen[n] else 4
            for n, cell in enumerate(plain.board.at)
            if cell is not None
        }
        for n in np.flatnonzero(present):
            assert np.asarray(views["view"][n]).tolist() == plain.board.sees(n, shown)
        ate = int(np.asarray(state.ate).sum())
        seen["ate"] += ate
        seen["tags"] += int(state.tags)
        seen["grown"] += len(plain.apples) - before + ate
        if not plain.apples:
            break
    np.testing.assert_array_equal(
        np.asarray(state.eaten)[present], np.asarray(plain.eaten)[present]
    )
    return seen


def test_it_goes_as_the_rule_says() -> None:
    """Places, views, apples, freezes and pay, at every step, with a gap among the seats."""
    seen = against_the_rule(SMALL, np.asarray([True, True, False, True]), 120)
    assert min(seen["ate"], seen["tags"], seen["grown"]) >= 5


@pytest.mark.long
def test_it_goes_as_the_rule_says_with_thirty_one() -> None:
    seen = against_the_rule(Harvest(players=31, across=4, down=2), np.ones(31, bool), 150)
    assert min(seen["ate"], seen["tags"]) >= 20


def scripted(world: Harvest, seeds: int, steps: int) -> tuple[Any, Any]:
    """(apples after the last step [2, seeds], apples eaten by all [2, seeds]), of a class that is
    greedy throughout and of one that is restrained, on the same seeds."""

    def episode(greedy: Any, key: Any) -> tuple[Any, Any]:
        def step(t: Any, state: Any) -> Any:
            actions = jnp.where(greedy, *world.scale(state))
            return world.step(jax.random.fold_in(key, t), state, actions).state

        last = jax.lax.fori_loop(0, steps, step, world.init(key, jnp.ones(world.players, bool)))
        return last.apples.sum(), last.eaten.sum()

    both = jax.vmap(jax.vmap(episode, (None, 0)), (0, None))
    keys = jax.random.split(KEY, seeds)
    stock, eaten = jax.jit(both)(jnp.asarray([True, False]), keys)
    return np.asarray(stock), np.asarray(eaten)


def dilemma(world: Harvest, seeds: int, steps: int) -> None:
    stock, eaten = scripted(world, seeds, steps)
    dead = clopper_pearson(int((stock[0] == 0).sum()), seeds)
    alive = clopper_pearson(int((stock[1] > 0).sum()), seeds)
    assert dead.low > 0.8
    assert alive.low > 0.8
    more = eaten[1] - eaten[0]
    assert more.mean() - 2 * more.std(ddof=1) / np.sqrt(seeds) > 0


@pytest.mark.slow
def test_greed_ends_it_and_restraint_does_not() -> None:
    """Every time in 20 seeds (95 % interval from .83 up), and restraint eats more in the end."""
    dilemma(Harvest(players=4, across=1, down=1), 20, 250)


@pytest.mark.long
def test_greed_ends_it_and_restraint_does_not_with_thirty_one() -> None:
    dilemma(Harvest(players=31, across=6, down=2), 20, 400)


def test_a_beam_freezes_whoever_is_in_it_and_no_other() -> None:
    state = SMALL.init(KEY, jnp.ones(4, bool))
    columns = SMALL.field.columns
    cells = [(1, 1), (2, 3), (1, 5), (7, 7)]  # ahead of the first, aside, too far, elsewhere
    place = jnp.asarray([r * columns + c for r, c in cells])
    state = state._replace(place=place, facing=jnp.asarray([1, 0, 0, 0]))
    zap = jnp.asarray([[grid.ZAP], [grid.STAY], [grid.STAY], [grid.STAY]])
    after, rewards, _ = stepped(SMALL, KEY, state, zap)
    assert np.asarray(after.frozen).tolist() == [0, 3, 0, 0]
    assert np.asarray(rewards).tolist() == [-0.25, -0.5, 0, 0]
    assert np.asarray(SMALL.acting(after)).tolist() == [True, False, True, True]
    assert not SMALL.legal(after)[0, grid.ZAP]
    again, _, _ = stepped(SMALL, KEY, after, jnp.full((4, 1), grid.FORWARD))
    assert int(again.place[1]) == int(place[1])


def test_the_level_is_of_apples_that_cannot_be_spared() -> None:
    """Of four apples in a row the last has three others near it: to take it has level 0."""
    world = Harvest(players=1, across=1, down=1)
    state = world.init(KEY, jnp.ones(1, bool))
    middle = 4 * world.field.columns + 4
    few = jnp.asarray(np.isin(world.sites, middle + np.arange(-2, 2)))
    state = state._replace(place=jnp.asarray([middle + 2]), facing=jnp.asarray([3]), apples=few)
    rated = jax.jit(lambda state, acts: (world.scale(state), world.levels(state, acts)))
    found = [rated(state, jnp.asarray([[a]])) for a in range(8)]
    assert [int(end[0, 0]) for end in found[0][0]] == [grid.FORWARD, grid.STAY]
    assert [float(levels[0]) for _, levels in found] == [1, 0, 1, 1, 1, 1, 1, 1]
    own = int(world.field.index(world.sites)[middle + 2])
    full = state._replace(apples=jnp.ones_like(few).at[own].set(False))
    ends, _ = rated(full, jnp.asarray([[0]]))
    assert [int(end[0, 0]) for end in ends] == [grid.FORWARD, grid.FORWARD]


def test_when_no_apple_is_left_it_is_over() -> None:
    state = SMALL.init(KEY, jnp.ones(4, bool))
    bare = state._replace(apples=state.apples & False)
    after, rewards, _ = stepped(SMALL, KEY, bare, jnp.zeros((4, 1), jnp.int32))
    assert bool(after.over)
    assert not rewards.any()
    assert np.isnan(float(SMALL.account(after)["overuse"]))


def test_what_is_on_record_is_what_is_drawn() -> None:
    state = SMALL.init(KEY, jnp.asarray([True, False, True, True]))
    state = state._replace(apples=state.apples.at[3].set(False), frozen=jnp.asarray([0, 0, 2, 0]))
    account = {name: np.asarray(x).tolist() for name, x in SMALL.account(state).items()}
    scene = SMALL.scene(account)
    ripe = [divmod(int(c), scene.columns) for c in np.delete(SMALL.sites, 3)]
    assert list(scene.cells["apple"]) == ripe
    assert [(token.seat, token.still) for token in scene.tokens] == [
        (0, False),
        (2, True),
        (3, False),
    ]


def test_a_reader_sees_what_is_there_and_may_not_zap_twice() -> None:
    view = np.zeros((grid.DEEP, grid.WIDE), int)
    view[8, 5], view[8, 6], view[7, 5], view[0] = grid.APPLE, grid.FROZEN, grid.BARE, grid.WALL
    seen = dict(step=1, action=7, reward=0.0, world=dict(view=view.tolist(), cooling=2, frozen=0))
    words = SMALL.words(Wording.of(SMALL.factors, 0), 0)
    lines = words.describe(seen).split("\n")
    assert "cannot zap for 2 steps" in lines[0]
    assert lines[1] == "###########"
    assert lines[8:12] == ["....._.....", ".....ax....", ".....@.....", "..........."]
    reply = words.reply(seen)
    assert reply.barred == (words.labels[grid.ZAP],)
    assert reply.values == tuple(range(7))


def test_what_it_offers_and_what_it_refuses() -> None:
    for offer in (HasStock, HasBystander, HasTurns, HasKinds, HasScene):
        assert isinstance(SMALL, offer)
    for wrong, says in (
        (dict(players=32), "room for 1 to 31"),
        (dict(across=0), "patch"),
        (dict(regrow=(0.0, 1.5)), "regrowth"),
        (dict(frozen=-1), "0 or more"),
    ):
        with pytest.raises(ValueError, match=says):
            Harvest(**wrong)
