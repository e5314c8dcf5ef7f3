"""Cleanup against its rule in plain Python, and its dilemma: without cleaners nothing grows."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.substrates._plain_grid import WAYS, Board, Cell, add

from freezetag.core import HasBystander, HasKinds, HasScene, HasTurns
from freezetag.substrates import _grid as grid
from freezetag.substrates.cleanup import _FALLS, _GROW, _ORDER, _WHERE, Cleanup

KEY = jax.random.key(9)
SMALL = Cleanup(players=4, width=7, delay=5, frozen=4, cooling=3, growth=0.2)


class PlainCleanup:
    """The rule, word by word, from a state of the world; luck is handed in."""

    def __init__(self, world: Cleanup, state: Any) -> None:
        self.world, wide = world, world.field.columns
        self.sites, self.river = (
            [divmod(int(c), wide) for c in cells] for cells in (world.sites, world.river)
        )
        at = [
            divmod(int(cell), wide) if here else None
            for cell, here in zip(state.place, state.present, strict=True)
        ]
        self.board = Board(world.field.map, at, [int(x) for x in state.facing])
        self.apples: set[Cell] = set()
        self.waste = {c for c, on in zip(self.river, state.waste, strict=True) if bool(on)}
        self.left = {name: [0] * len(at) for name in ("frozen", "cooling", "rinsing")}
        self.t, self.cleaned = 0, 0

    def reached(self, seat: int) -> set[Cell]:
        """The nearest waste in each of three lines."""
        way, aside = (WAYS[(self.board.facing[seat] + k) % 4] for k in (0, 1))
        here, found = self.board.at[seat], set()
        assert here is not None
        for off in (-1, 0, 1):
            line = [add(add(here, way, far), aside, off) for far in (1, 2, 3)]
            found |= set([cell for cell in line if cell in self.waste][:1])
        return found

    def step(
        self, acts: list[int], order: Any, grows: Any, falls: float, where: float
    ) -> list[int]:
        world, board, seats = self.world, self.board, range(len(acts))
        frozen, cooling, rinsing = self.left.values()
        able = [board.at[n] is not None and frozen[n] == 0 for n in seats]
        acts = [act if fine else 0 for act, fine in zip(acts, able, strict=True)]
        board.move(acts, order)
        ate = [int(board.at[n] in self.apples) for n in seats]
        self.apples -= {cell for cell in board.at if cell is not None}
        zaps = [n for n in seats if acts[n] == grid.ZAP and cooling[n] == 0]
        cleans = [n for n in seats if acts[n] == grid.CLEAN and rinsing[n] == 0]
        hit = [
            n
            for n in seats
            if able[n] and any(board.at[n] in board.beam(z) for z in zaps if z != n)
        ]
        gone = set().union(*(self.reached(n) for n in cleans))
        self.cleaned += len(gone)
        self.waste -= gone
        clean = [cell for cell in self.river if cell not in self.waste]
        if self.t >= world.delay and falls < np.float32(world.silts) and clean:
            self.waste.add(clean[int(np.float32(where) * np.float32(len(clean)))])
        dirt = len(self.waste) / len(self.river)
        chance = world.growth * min(max(1 - dirt / world.depletion, 0), 1)
        self.apples |= {
            cell
            for cell, draw in zip(self.sites, grows, strict=True)
            if draw < chance and cell not in board.at
        }
        for those, steps, name in (
            (hit, world.frozen, "frozen"),
            (zaps, world.cooling, "cooling"),
            (cleans, world.rinsing, "rinsing"),
        ):
            before = self.left[name]
            self.left[name] = [steps if n in those else max(before[n] - 1, 0) for n in seats]
        self.t += 1
        return ate


@partial(jax.jit, static_argnums=0)
def stepped(world: Cleanup, key: Any, state: Any, actions: Any) -> tuple[Any, ...]:
    out = world.step(key, state, actions)
    return out.state, out.rewards, world.observe(out.state), world.scale(out.state)


def against_the_rule(world: Cleanup, present: Any, steps: int) -> dict[str, int]:
    """What happened in an episode in which both sides were equal at every step."""
    rng, seats = np.random.default_rng(3), world.players
    state = world.init(KEY, jnp.asarray(present))
    plain, seen = PlainCleanup(world, state), {"ate": 0, "tags": 0}
    ends: Any = ()
    for t in range(steps):
        key = jax.random.fold_in(KEY, t)
        legal = np.ones((seats, 9), bool)
        legal[:, grid.ZAP], legal[:, grid.CLEAN] = state.cooling == 0, state.rinsing == 0
        acts = np.where(legal, rng.random(legal.shape), -1).argmax(1)
        if t % 3:
            acts = np.asarray(ends[t % 3 - 1])[:, 0]
        fold = partial(jax.random.fold_in, key)
        luck = [
            np.asarray(jax.random.uniform(fold(purpose), shape))
            for purpose, shape in (
                (_ORDER, (seats,)),
                (_GROW, (len(world.sites),)),
                (_FALLS, ()),
                (_WHERE, ()),
            )
        ]
        ate = plain.step(acts.tolist(), *luck)
        state, rewards, views, ends = stepped(world, key, state, jnp.asarray(acts)[:, None])
        assert np.asarray(rewards).tolist() == ate
        for those, cells, ours in (
            (state.apples, plain.sites, plain.apples),
            (state.waste, plain.river, plain.waste),
        ):
            assert {c for c, on in zip(cells, np.asarray(those), strict=True) if on} == ours
        shown = {cell: 2 if cell in plain.apples else 3 for cell in plain.sites}
        shown |= {cell: 7 if cell in plain.waste else 6 for cell in plain.river}
        shown |= {
            cell: 5 if plain.left["frozen"][n] else 4
            for n, cell in enumerate(plain.board.at)
            if cell is not None
        }
        for n in np.flatnonzero(present):
            assert divmod(int(state.place[n]), world.field.columns) == plain.board.at[n]
            assert np.asarray(views["view"][n]).tolist() == plain.board.sees(n, shown)
            for name, left in plain.left.items():
                assert int(getattr(state, name)[n]) == left[n]
        seen["ate"] += sum(ate)
        seen["tags"] += int(state.tags)
    return seen | {"cleaned": plain.cleaned}


def test_it_goes_as_the_rule_says() -> None:
    """Places, views, apples, waste, freezes and pay at every step, with a gap among the seats."""
    seen = against_the_rule(SMALL, np.asarray([True, True, False, True]), 120)
    assert min(seen.values()) >= 2


@pytest.mark.long
def test_it_goes_as_the_rule_says_with_thirty_one() -> None:
    seen = against_the_rule(Cleanup(players=31, width=20), np.ones(31, bool), 120)
    assert min(seen.values()) >= 5


def scripted(world: Cleanup, seeds: int, steps: int) -> Any:
    """Apples that all eat together [3, seeds], on the same seeds: all greedy, all as level 1 asks,
    and the first two so beside greedy ones."""
    who = jnp.arange(world.players)[:, None]
    classes = jnp.stack([who < 0, who >= 0, who < 2])

    def episode(fair: Any, key: Any) -> Any:
        def step(t: Any, state: Any) -> Any:
            selfish, prosocial = world.scale(state)
            actions = jnp.where(fair, prosocial, selfish)
            return world.step(jax.random.fold_in(key, t), state, actions).state

        last = jax.lax.fori_loop(0, steps, step, world.init(key, jnp.ones(world.players, bool)))
        return last.eaten

    both = jax.vmap(jax.vmap(episode, (None, 0)), (0, None))
    return np.asarray(jax.jit(both)(classes, jax.random.split(KEY, seeds)))


def dilemma(world: Cleanup, seeds: int, steps: int) -> None:
    greedy, fair, mixed = scripted(world, seeds, steps)
    error = 2 / np.sqrt(seeds)
    assert greedy.sum(1).mean() < 0.1 * fair.sum(1).mean()
    assert fair.sum(1).mean() - error * fair.sum(1).std(ddof=1) > 20
    riders = mixed[:, 2:].mean(1) - mixed[:, :2].mean(1)
    assert riders.mean() - error * riders.std(ddof=1) > 0


@pytest.mark.slow
def test_without_cleaners_nothing_grows_and_who_rides_free_eats_more() -> None:
    """In 20 seeds: a class without cleaners eats less than a tenth of what one with them eats, and
    beside two cleaners who do not clean eat more than they, with a 95 % interval above 0."""
    dilemma(Cleanup(players=4, width=9, dirty=0.6), 20, 200)


@pytest.mark.long
def test_the_same_with_thirty_one() -> None:
    dilemma(Cleanup(players=31, width=20, dirty=0.6), 20, 200)


def test_the_level_is_of_cleaning_while_the_river_needs_it() -> None:
    """One looks at waste, which to clean, or to come nearer to another, has level 1; where little
    is left nothing is at stake."""
    world = Cleanup(players=1, width=7)
    wide = world.field.columns
    state = world.init(KEY, jnp.ones(1, bool))
    state = state._replace(
        place=jnp.asarray([4 * wide + 3]), facing=jnp.asarray([0]), waste=state.waste | True
    )
    rated = jax.jit(lambda state, acts: (world.scale(state), world.levels(state, acts)))
    found = [rated(state, jnp.asarray([[a]])) for a in range(9)]
    assert [int(end[0, 0]) for end in found[0][0]] == [grid.STAY, grid.CLEAN]
    nearer = [grid.FORWARD, grid.CLEAN]
    assert [a for a, (_, levels) in enumerate(found) if levels[0] == 1] == nearer
    calm = state._replace(waste=jnp.arange(len(world.river)) < 2)
    assert float(rated(calm, jnp.asarray([[0]]))[1][0]) == 1


def test_what_is_on_record_is_what_is_drawn() -> None:
    state = SMALL.init(KEY, jnp.asarray([True, False, True, True]))
    state = state._replace(waste=jnp.arange(len(SMALL.river)) % 2 == 0)
    account = {name: np.asarray(x).tolist() for name, x in SMALL.account(state).items()}
    scene = SMALL.scene(account)
    foul = [divmod(int(c), scene.columns) for c in SMALL.river[::2]]
    assert list(scene.cells["waste"]) == foul
    assert [token.seat for token in scene.tokens] == [0, 2, 3]


def test_what_it_offers_and_what_it_refuses() -> None:
    for offer in (HasBystander, HasTurns, HasKinds, HasScene):
        assert isinstance(SMALL, offer)
    for wrong, says in (
        (dict(players=32), "room for 1 to 31"),
        (dict(silts=1.5), "silts"),
        (dict(depletion=0.0), "above 0"),
        (dict(rinsing=-1), "0 steps or more"),
    ):
        with pytest.raises(ValueError, match=says):
            Cleanup(**wrong)
