"""Many seats, many histories, one compiled program: what every player does in each of them.

A history is a tape of the others' levels; some rows answer the player instead (`mirror`), and
some force the player's own moves (`forced`), so that only what it *wants* next can differ.
Payoffs are 5, 3, 1, 0 in the mean over the others, interpolated for levels between.
"""

from __future__ import annotations

from functools import cache, partial
from importlib import import_module
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs, Ref
from freezetag.players import roster

STEPS, SEATS, TOP = 120, 5, 10
"""Actions are 0 .. TOP; level 1 is action 1 or TOP, as the history's `prosocial` says."""


class History(NamedTuple):
    """One row. Shapes: others [T, N], own_tape [T], forced [T], twist [T], wealth [N]."""

    key: int  # the player's own randomness
    seat: int
    present: Array  # [N] bool, without oneself
    prosocial: int
    others: Array
    mirror: bool  # the others play the player's last move instead of their tape
    own_tape: Array
    forced: Array
    twist: Array  # own reward is multiplied by it
    wealth: Array  # added to the others' rewards


def history(
    key: int = 0,
    others: Any = 1.0,
    size: int = 1,
    prosocial: int = 1,
    mirror: bool = False,
    own: Any = 0.0,
    forced: Any = False,
    twist: Any = 1.0,
    wealth: Any = 0.0,
    seat: int = 0,
) -> History:
    """A row with these parts stretched to their shapes; `size` others sit from the left."""
    places = [place for place in range(SEATS) if place != seat][:size]
    return History(
        key,
        seat,
        np.isin(np.arange(SEATS), places),
        prosocial,
        np.broadcast_to(np.float32(others), (STEPS, SEATS)),
        mirror,
        np.broadcast_to(np.float32(own), (STEPS,)),
        np.broadcast_to(np.asarray(forced, bool), (STEPS,)),
        np.broadcast_to(np.float32(twist), (STEPS,)),
        np.broadcast_to(np.float32(wealth), (SEATS,)),
    )


def player(ref: Ref) -> Any:
    """The object a Ref names, as the catalogue's rule says."""
    module = import_module(f"freezetag.{ref.path.replace('/', '.')}")
    return getattr(module, camel(ref.path))(**dict(ref.settings))


def camel(path: str) -> str:
    return "".join(part.capitalize() for part in path.rsplit("/", 1)[-1].split("_"))


def payoff(own: Array, other: Array) -> Array:
    return 1 + 4 * other - own - own * other


def respond(who: Any, row: History) -> Array:
    """[T, 3]: the level it wanted, the level executed, its reward; pure JAX, one row."""
    key = jax.random.key(row.key)

    def step(memory: Any, now: Any) -> tuple[Any, Array]:
        carry, own, reward, last = memory
        t, tape, own_tape, forced, twist = now
        begun = t > 0
        levels = jnp.where(row.present & begun, last, 0.0)
        rewards = payoff(levels, own) + row.wealth
        obs = Obs(
            seat=jnp.int32(row.seat),
            step=t,
            own_reward=reward,
            own_action=jnp.int32(own * row.prosocial)[None],
            own_level=own,
            present=row.present,
            seen=row.present & begun,
            levels=levels,
            others_rewards=jnp.where(row.present & begun, rewards, 0.0),
            selfish=jnp.zeros(1, jnp.int32),
            prosocial=jnp.int32(row.prosocial)[None],
            legal=jnp.arange(TOP + 1) <= row.prosocial,
        )
        action, carry = who.act(jax.random.fold_in(key, t), carry, obs)
        wanted = (action[0] / row.prosocial).astype(jnp.float32)
        done = jnp.where(forced, own_tape, wanted)
        theirs = jnp.where(row.mirror, jnp.where(begun, own, 1.0), tape)
        mean = (theirs * row.present).sum() / row.present.sum()
        earned = twist * payoff(done, mean)
        return (carry, done, earned, theirs), jnp.stack([wanted, done, earned])

    start = (who.init(jax.random.fold_in(key, STEPS)), jnp.float32(0), jnp.float32(0))
    tapes = (jnp.arange(STEPS), row.others, row.own_tape, row.forced, row.twist)
    return jax.lax.scan(step, (*start, jnp.zeros(SEATS)), tapes)[1]


def stack(rows: list[History]) -> History:
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *rows)


def batched(who: Any) -> Any:
    """rows -> [B, T, 3], compiled."""
    return jax.jit(jax.vmap(partial(respond, who)))


REPEATS = 16
LEARNED = STEPS - 40
"""In the rows "tape" and "twisted" own moves are forced before this step, rewards alike after
`LEARNED - 25`."""


@cache
def rows() -> dict[str, list[History]]:
    """The fixed set of histories, by what they are for."""
    draw = np.random.default_rng(2026)
    repeats = range(REPEATS)
    probes = []
    for number in range(36):
        size = 1 if number < 18 else SEATS - 1
        chance = (0.2, 0.5, 0.85)[number % 3]
        levels = draw.random((STEPS, SEATS))
        graded = number >= 27
        others = levels ** (1 / chance - 0.9) if graded else (levels < chance) * 1.0
        probes.append(
            history(
                number,
                others,
                size,
                TOP if graded else 1,
                own=draw.integers(0, 2, STEPS),
                forced=draw.random(STEPS) < 0.1,
                wealth=draw.normal(0, 1, SEATS),
                seat=int(draw.integers(SEATS)),
            )
        )
    tape, own = draw.integers(0, 2, (STEPS, SEATS)), draw.integers(0, 2, STEPS)
    early = np.arange(STEPS) < LEARNED
    turned = np.where(np.arange(STEPS) < LEARNED - 25, -1.0, 1.0)
    return {
        "probes": probes,
        "other key": [row._replace(key=row.key + 1000) for row in probes],
        "cooperator": [history(key, 1.0) for key in repeats],
        "defector": [history(key, 0.0) for key in repeats],
        "mirror": [history(key, mirror=True) for key in repeats],
        "crowd of defectors": [history(key, 0.0, SEATS - 1) for key in repeats],
        "tape": [history(key, tape, own=own, forced=early) for key in repeats],
        "twisted": [history(key, tape, own=own, forced=early, twist=turned) for key in repeats],
    }


def everyone() -> dict[str, dict[str, np.ndarray]]:
    """player name -> kind of row -> [rows, T, 3], for the roster; one program for all."""
    return these(roster())


@cache
def these(refs: tuple[Ref, ...]) -> dict[str, dict[str, np.ndarray]]:
    """The same for these players."""
    people = {ref.path.rpartition("/")[2]: player(ref) for ref in refs}
    kinds = rows()
    batch = stack([row for group in kinds.values() for row in group])

    def all_of_them(batch: History) -> Any:
        return {name: jax.vmap(partial(respond, who))(batch) for name, who in people.items()}

    found = jax.jit(all_of_them)(batch)
    ends = np.cumsum([len(group) for group in kinds.values()])[:-1]
    return {
        name: dict(zip(kinds, np.split(np.asarray(values), ends), strict=True))
        for name, values in found.items()
    }
