"""Every world in the folder keeps the contract, and the check catches worlds that do not."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from freezetag import substrates
from freezetag.contracts import ContractError, check_policy, check_substrate
from freezetag.core import Array, HasPayoffs, Outcome, Substrate

MEMBERS = sorted(
    module.name for module in pkgutil.iter_modules(substrates.__path__) if module.name[0] != "_"
)
# Settings beside the defaults that change the program: seats, rules, several actions.
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "freeze_tag": [dict(rule="B", resets=0.1, classmate=0.1)],
    "race": [dict(p=0.0), dict(p=1.0)],
    "coin_game": [dict(coins=1, size=4)],
    "commons": [dict(players=4, newcomer=1), dict(players=1)],
    "flash_crash": [dict(players=3, halt=4)],
    "market": [dict(players=3, turns=True, cost=(1.0, 1.1, 1.2))],
    "matrix_game": [
        dict(noise=0.4, continuation=0.7),
        dict(game="rock_paper_scissors", noise=0.4),
        dict(game="public_goods", players=6, noise=0.4),
    ],
    "takeoff": [dict(players=3, catch_up=0.1)],
}
# Cases whose programs take their time to compile.
LARGE: dict[str, list[dict[str, Any]]] = {
    "cleanup": [{}],
    "coin_game": [{}, *VARIANTS["coin_game"]],
    "commons": [VARIANTS["commons"][0]],
    "flash_crash": [{}],
    "freeze_tag": [{}, *VARIANTS["freeze_tag"]],
    "harvest": [{}],
    "market": [{}],
    "takeoff": [{}],
}


def cases() -> Iterator[Any]:
    """In short, the first case of each world that is not large; the others are slow."""
    for name in MEMBERS:
        settings = [{}, *VARIANTS.get(name, [])]
        quick = [one for one in settings if one not in LARGE.get(name, [])][:1]
        for one in settings:
            yield pytest.param(name, one, marks=[] if one in quick else [pytest.mark.slow])


@pytest.mark.parametrize(("name", "settings"), list(cases()), ids=str)
def test_a_member_keeps_the_contract(name: str, settings: dict[str, Any]) -> None:
    module = importlib.import_module(f"freezetag.substrates.{name}")
    check_substrate(getattr(module, "".join(word.title() for word in name.split("_")))(**settings))


def test_the_folder_was_read() -> None:
    assert {"commons", "matrix_game"} <= set(MEMBERS)
    assert set(VARIANTS) | set(LARGE) <= set(MEMBERS)


class PotState(NamedTuple):
    present: Array
    earned: Array
    pot: Array
    over: Array


@dataclass(frozen=True)
class Pot:
    """A healthy little world: take 0 or 1 from a pot of 3 a head; luck doubles what one takes."""

    players: int = 3
    luck: float = 0.3
    horizon: int = 5

    min_players = 1
    action_sizes = (2,)
    rest = (0,)

    @property
    def sensors(self) -> Mapping[str, str]:
        return {"power": "coins"}

    def init(self, key: Array, present: Array) -> PotState:
        present = jnp.asarray(present, bool)
        pot = 3 * present.sum().astype(jnp.int32)
        return PotState(present, jnp.zeros(self.players, jnp.float32), pot, jnp.asarray(False))

    def observe(self, state: PotState) -> Mapping[str, Array]:
        return {"pot": jnp.full(self.players, state.pot)}

    def scale(self, state: PotState) -> tuple[Array, Array]:
        one = jnp.ones((self.players, 1), jnp.int32)
        return one, 0 * one

    def legal(self, state: PotState) -> Array:
        return jnp.ones((self.players, 2), bool)

    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        lucky = jax.random.uniform(key, (self.players,)) < self.luck
        takes = actions[:, 0] * state.present * ~state.over
        rewards = (takes * (1 + lucky)).astype(jnp.float32)
        pot = state.pot - takes.sum().astype(jnp.int32)
        over = state.over | (pot <= 0)
        return Outcome(PotState(state.present, state.earned + rewards, pot, over), rewards, over)

    def sense(self, state: PotState) -> Mapping[str, Array]:
        return {"power": state.earned}

    def account(self, state: PotState) -> Mapping[str, Array]:
        return {"pot": state.pot}


class Loose(Pot):
    """Not frozen any more."""

    __hash__ = None  # type: ignore[assignment]


class TooMany(Pot):
    min_players = 4


class NoRest(Pot):
    rest = (2,)


class Unmetered(Pot):
    def sense(self, state: PotState) -> Mapping[str, Array]:
        return {"energy": state.earned}


class Broken(Pot):
    def sense(self, state: PotState) -> Mapping[str, Array]:
        return {"power": state.earned * jnp.nan}


class PaysTheAbsent(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        out = super().step(key, state, actions)
        return Outcome(out.state, out.rewards + ~state.over, out.terminated)


class HearsTheAbsent(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        out = super().step(key, state, actions)
        return Outcome(out.state._replace(pot=out.state.pot - actions.sum()), *_rest(out))


class MovesTheWeather(Pot):
    """Draws for every pair of seats, so that a wider world has other luck."""

    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        shifted = jax.random.fold_in(key, self.players)
        return super().step(shifted, state, actions)


class SharedDice(Pot):
    """Slips whose luck depends on how many are there."""

    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        slip = jax.random.bernoulli(jax.random.fold_in(key, state.present.sum()), 0.5)
        out = super().step(key, state, actions)
        return Outcome(out.state._replace(earned=out.state.earned * 0 + slip), *_rest(out))

    def played(self, state: PotState) -> Array:
        return state.earned[:, None].astype(jnp.int32)


class Restless(Pot):
    """Forgets its key."""

    count = 0

    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        type(self).count += 1
        return super().step(jax.random.key(type(self).count), state, actions)


class Undead(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        out = super().step(key, state, actions)
        return Outcome(out.state, out.rewards, out.terminated & ~state.over)


class PaysAfterTheEnd(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        out = super().step(key, state, actions)
        return Outcome(out.state, out.rewards + state.over * state.present, out.terminated)


class Unbounded(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        out = super().step(key, state, actions)
        return Outcome(out.state, jnp.where(state.present, jnp.inf, 0.0), out.terminated)


class Growing(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        out = super().step(key, state, actions)
        return Outcome(out.state._replace(pot=out.state.pot * 1.0), *_rest(out))


class Untraceable(Pot):
    def step(self, key: Array, state: PotState, actions: Array) -> Outcome:
        lucky = Pot(self.players, 0.9) if float(self.luck) > 0.5 else Pot(self.players, 0.1)
        return lucky.step(key, state, actions)


class IllegalEnd(Pot):
    def legal(self, state: PotState) -> Array:
        return super().legal(state).at[:, 1].set(False)


class Overlong(Pot):
    def scale(self, state: PotState) -> tuple[Array, Array]:
        selfish, prosocial = super().scale(state)
        return selfish + 1, prosocial


class NoTable(Pot):
    def payoffs(self) -> Array:
        return jnp.zeros((2, 2))


class NoBystander(Pot):
    bystander_unit = "coins"


class SaysNoChance(Pot):
    stochastic = False


def _rest(out: Outcome) -> tuple[Array, Array]:
    return out.rewards, out.terminated


def test_the_healthy_world_passes() -> None:
    assert isinstance(Pot(), Substrate)
    assert not isinstance(Pot(), HasPayoffs)
    check_substrate(Pot(), steps=8)


MUTANTS = {
    Loose: "hashable",
    TooMany: "min_players",
    NoRest: "rest",
    Unmetered: "sensors declares",
    Broken: "NaN trips",
    PaysTheAbsent: "absent seats earn",
    HearsTheAbsent: "absent seat's action matters",
    MovesTheWeather: "fare differently",
    SharedDice: "moves the weather",
    Restless: "jit and eager differ",
    Undead: "goes on",
    PaysAfterTheEnd: "after the end",
    Unbounded: "not finite",
    Growing: "shape or type",
    Untraceable: "traced",
    IllegalEnd: "not legal",
    Overlong: "not legal",
    NoTable: "payoffs must have shape",
    NoBystander: "HasBystander promises",
    SaysNoChance: "stochastic = False",
}


@pytest.mark.parametrize(
    ("mutant", "message"), MUTANTS.items(), ids=lambda x: getattr(x, "__name__", "")
)
def test_a_mutant_is_caught(mutant: type[Pot], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_substrate(mutant(), steps=8)


def test_a_world_without_a_method_is_told_which() -> None:
    with pytest.raises(ContractError, match=r"lacks.*step"):
        check_substrate(object())


@dataclass(frozen=True)
class Copycat:
    """A healthy player."""

    learns = False
    stochastic = False

    def init(self, key: Array) -> Any:
        return jnp.int32(0)

    def act(self, key: Array, carry: Any, obs: Any) -> tuple[Array, Any]:
        return obs.at_level(obs.mean_level()), carry + 1


class Dice(Copycat):
    def act(self, key: Array, carry: Any, obs: Any) -> tuple[Array, Any]:
        return obs.at_level(jax.random.bernoulli(key)), carry


class Born(Copycat):
    def init(self, key: Array) -> Any:
        return jax.random.randint(key, (), 0, 9)


class Halves(Copycat):
    def act(self, key: Array, carry: Any, obs: Any) -> tuple[Array, Any]:
        return obs.selfish * 0 + 0.5, carry


class Beyond(Copycat):
    def act(self, key: Array, carry: Any, obs: Any) -> tuple[Array, Any]:
        return obs.selfish * 0 - 1, carry


class Swelling(Copycat):
    def act(self, key: Array, carry: Any, obs: Any) -> tuple[Array, Any]:
        return obs.selfish, carry * 1.5


class Student(Copycat):
    def learn(self, key: Array, carry: Any, day: Any) -> Any:
        return carry


def test_a_healthy_player_passes() -> None:
    check_policy(Copycat())


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (Dice, "stochastic = False"),
        (Born, "init differs with the key"),
        (Halves, "whole numbers"),
        (Beyond, "outside"),
        (Swelling, "shape or type"),
        (Student, "learns = False"),
    ],
)
def test_a_wrong_player_is_caught(mutant: type[Copycat], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        check_policy(mutant())
