"""Who may sit in a seat: the players of one seat column, grouped by template.

In a class every column holds one player; in a tournament a column holds many, of which each
episode uses one. Players of one template share one traced `act`, with their settings as data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array, Obs
from freezetag.sim.foreign import Foreign
from freezetag.sim.template import Template, pick, split, stack


@dataclass(frozen=True)
class Column:
    """The structure of one seat: a template per group; none if the seat is always empty.

    `host` marks a seat whose player acts outside of JAX; `carried` one whose first carry is
    given (a policy learned in another arm, or the day before).
    """

    groups: tuple[Template, ...]
    host: bool = False
    carried: bool = False

    def players(self, leaves: tuple[Any, ...], seat: SeatData) -> tuple[Any, ...]:
        """The player each group would seat in this episode."""
        return tuple(
            template.build(pick(stacked, seat["member"]))
            for template, stacked in zip(self.groups, leaves, strict=True)
        )

    def init(self, key: Array, leaves: tuple[Any, ...], seat: SeatData) -> tuple[Any, ...]:
        """First carries, one per group, for one episode."""
        if self.carried:
            return tuple(seat["carry"])
        key = born(key, seat)
        fresh = (player.init(dealt(player, key)) for player in self.players(leaves, seat))
        return tuple(jax.tree.map(jnp.asarray, carry) for carry in fresh)

    def act(
        self,
        key: Array,
        carries: tuple[Any, ...],
        obs: Obs,
        leaves: tuple[Any, ...],
        seat: SeatData,
        width: int,
    ) -> tuple[Array, Array, tuple[Any, ...]]:
        """(action [K] int32, odd [] bool, carries): `odd` marks what is not a whole number."""
        action, odd = jnp.zeros(width, jnp.int32), jnp.zeros((), bool)
        after = []
        for index, player in enumerate(self.players(leaves, seat)):
            raw, carry = player.act(dealt(player, key), carries[index], obs)
            mine = seat["group"] == index
            whole, strange = as_action(raw, width)
            action, odd = jnp.where(mine, whole, action), jnp.where(mine, strange, odd)
            after.append(like(carries[index], carry))
        return action, odd, tuple(after)

    @property
    def reports_power(self) -> bool:
        """Every player of the column reports its own power."""
        return bool(self.groups) and all(hasattr(group.cls, "power") for group in self.groups)

    def power(
        self, carries: tuple[Any, ...], obs: Obs, leaves: tuple[Any, ...], seat: SeatData
    ) -> Array:
        """The power that the player of this episode reports of itself."""
        reading: Any = jnp.nan
        for index, player in enumerate(self.players(leaves, seat)):
            value = player.power(carries[index], obs)
            reading = value if index == 0 else jnp.where(seat["group"] == index, value, reading)
        return reading


SeatData = dict[str, Any]
"""Per episode: `group` and `member` [B] int32 say which player sits here; `carry` if carried;
where somebody comes out of a seed of its own, `own` [B] bool and `seed` [B] int32 say who."""


def born(key: Array, seat: SeatData) -> Array:
    """The key that a player is made with: the episode's, or that of its own seed."""
    if "seed" not in seat:
        return key
    return jnp.where(seat["own"], jax.random.key(seat["seed"]), key)


def dealt(player: Any, key: Array) -> Array:
    """The key that a player is handed: one and the same for a player that declares
    `stochastic = False`, so that what it declares is true of it (`sim/certain.py`)."""
    return jax.random.key(0) if getattr(player, "stochastic", True) is False else key


def leaves_of(carries: tuple[Any, ...], seat: SeatData) -> list[list[Array]]:
    """Of each episode, the arrays in the carry of who sits there; `carries` by group, [B, ...]."""
    leaves = [[np.asarray(leaf) for leaf in jax.tree.leaves(carry)] for carry in carries]
    return [[leaf[b] for leaf in leaves[group]] for b, group in enumerate(seat["group"])]


def column(players: Sequence[Any], who: Array) -> tuple[Column, tuple[Any, ...], SeatData]:
    """(column, leaves, seat data) in which episode b is played by `players[who[b]]`; -1 is
    nobody. `leaves` has one stack of settings per group. who [B]."""
    used = [int(index) for index in np.unique(who) if index >= 0]
    nobody = {"group": np.zeros(len(who), np.int32), "member": np.zeros(len(who), np.int32)}
    foreign = {players[i].scheme for i in used if isinstance(players[i], Foreign)}
    if foreign:
        if len(foreign) > 1 or not all(isinstance(players[i], Foreign) for i in used):
            raise ValueError("foreign agents share a seat column only with others of their scheme.")
        return Column((), host=True), (), nobody
    if not used:
        return Column(()), (), nobody
    parts = {index: split(players[index]) for index in used}
    templates = list(dict.fromkeys(template for template, _ in parts.values()))
    group, member = np.zeros(len(players), np.int32), np.zeros(len(players), np.int32)
    leaves = []
    for number, template in enumerate(templates):
        inside = [index for index in used if parts[index][0] == template]
        group[inside], member[inside] = number, np.arange(len(inside))
        settings = [parts[index][1] for index in inside]
        leaves.append(stack(settings + settings[-1:] * _spare(len(settings))))
    seat = np.maximum(who, 0)
    return Column(tuple(templates)), tuple(leaves), {"group": group[seat], "member": member[seat]}


def _spare(members: int) -> int:
    """How many unused members fill a stack up to a power of two, 16 at least: the number of
    members shapes a compiled program, so that searches of about one size share one."""
    return max(16, 1 << (members - 1).bit_length()) - members if members > 1 else 0


def as_action(raw: Array, width: int) -> tuple[Array, Array]:
    """(int32 [K], [] bool): the action, and whether it was no finite whole number."""
    raw = jnp.broadcast_to(jnp.asarray(raw), (width,))
    if jnp.issubdtype(raw.dtype, jnp.floating):
        odd = ~jnp.isfinite(raw) | (raw != jnp.round(raw))
        return jnp.where(odd, -1, raw).astype(jnp.int32), odd.any()
    return raw.astype(jnp.int32), jnp.zeros((), bool)


def like(before: Any, after: Any) -> Any:
    """A carry keeps its shapes and types through a scan."""
    return jax.tree.map(lambda old, new: jnp.asarray(new).astype(old.dtype), before, after)
