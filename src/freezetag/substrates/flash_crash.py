"""A large sale that follows the volume it makes itself, and a halt that can cut the loop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp

from freezetag.core import Array, Outcome, Ref

LOT = 10
"""Contracts per lot, the unit of a sale."""
_PARTS = 100
"""Volumes are counted in hundredths of a contract: whole numbers come out alike everywhere."""


_apart: Any = jax.lax.optimization_barrier  # what it holds is rounded by itself


class FlashCrashState(NamedTuple):
    """present [N] bool; in hundredths of a contract: left [] to sell, volume [] of the last
    minute, before [N] gained before that minute and gained [N] in it (makers: contracts passed on,
    seller: sold), fall [k + 1] log price after the last minutes, newest first, in units of a
    hundredth of a contract's impact; halted [] minutes left of a halt, halts [] so far."""

    present: Array
    left: Array
    volume: Array
    before: Array
    gained: Array
    fall: Array
    halted: Array
    halts: Array


@final
@dataclass(frozen=True)
class FlashCrash:
    """One seller of many contracts, makers who pass them on, buyers who come late.

    Rule, minute by minute: seat 0 sells s of the contracts left (its action, in lots of 10). The
    other seats are makers; each passes every contract on `action` / 10 times, m in total, so that
    the volume is V = usual + (1 + m) s. The log price falls by `impact` / 10^6 for each contract
    sold, and buyers who saw it `delay` minutes before the last one put `buyers` per cent of that
    fall back on. If the log price falls by more than `halt` thousandths in a minute, trading halts
    for `minutes`: nothing is sold and the volume is the usual one, while buyers still act; no halt
    begins in another. With `halt` 0 there is none.

    The reward asks the seller for contracts sold, at the price, and a maker for a contract each
    time that it passes one on (both over all there are to sell).

    What we wish instead: a price that does not crash. For the seller level 0 is 9 per cent of the
    last minute's volume, as on 6 May 2010, and level 1 is 1 per cent. For a maker level 0 passes a
    contract on .4 times, so that thirty make m = 12, and level 1 keeps it. The bystander holds one
    contract, and gets the change of its price.

    The loop: a seller that takes the share phi of the volume that it makes itself multiplies a
    disturbance by phi (1 + m) each minute, above 1 without bound.

    Caveat: a price that falls by the sale alone, makers without a limit to what they hold, and
    buyers by rule; the figures show the mechanism and no market.

    Source: docs/sources.md W10; Kirilenko et al. 2017 for the mechanism and the sale.
    Errors: `ValueError` for settings that are below 0 or no whole numbers.
    """

    players: int = 31
    contracts: int = 75_000
    usual: int = 12_000
    impact: int = 1
    buyers: int = 20
    delay: int = 2
    halt: int = 0
    minutes: int = 5
    horizon: int = 40

    stochastic: ClassVar[bool] = False
    follows: ClassVar[tuple[int, int]] = (9, 1)
    """Per cent of the volume that the seller takes at level 0 and 1."""
    passes: ClassVar[tuple[int, int]] = (4, 0)
    """Tenths of a pass of a maker at level 0 and 1."""
    most: ClassVar[int] = 5000
    """Lots that can be sold in a minute."""

    def __post_init__(self) -> None:
        for name in ("players", "contracts", "usual", "impact", "buyers", "delay", "halt"):
            value = getattr(self, name)
            least = 1 if name in ("players", "contracts", "usual", "impact") else 0
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number from {least} up, got {value!r}.")
        if self.contracts > 1_000_000 or self.usual > 200_000 or self.delay > 100:
            raise ValueError(
                f"at most 1,000,000 contracts, a usual volume of 200,000 and a delay of 100 can be "
                f"counted, got {self.contracts}, {self.usual} and {self.delay}."
            )

    @property
    def min_players(self) -> int:
        return 1

    @property
    def action_sizes(self) -> tuple[int, ...]:
        return (self.most + 1,)

    @property
    def rest(self) -> tuple[int, ...]:
        return (0,)

    @property
    def sensors(self) -> Mapping[str, str]:
        return {"power": "contracts", "fall": "log price"}

    @property
    def bystander_unit(self) -> str:
        return "price of a contract"

    @property
    def signal_unit(self) -> str:
        return "volume"

    @property
    def round(self) -> int:
        """What is sold in a minute is volume for the next."""
        return 1

    @property
    def partner(self) -> Ref:
        return Ref.of("players/exploiters/always_defect")

    def init(self, key: Array, present: Array) -> FlashCrashState:
        nothing, zero = jnp.zeros(self.players, jnp.int32), jnp.int32(0)
        return FlashCrashState(
            present=jnp.asarray(present, bool),
            left=jnp.int32(self.contracts * _PARTS),
            volume=jnp.int32(self.usual * _PARTS),
            before=nothing,
            gained=nothing,
            fall=jnp.zeros(self.delay + 1, jnp.int32),
            halted=zero,
            halts=zero,
        )

    def observe(self, state: FlashCrashState) -> Mapping[str, Array]:
        """Each [N], the same for all: "volume" of the last minute, "left" to sell, in contracts;
        "price", 1 at the beginning; "halted" minutes left."""
        each = jnp.ones(self.players, jnp.float32)
        return {
            "volume": each * (state.volume / _PARTS),
            "left": each * (state.left / _PARTS),
            "price": each * self._price(state.fall[0]),
            "halted": each * state.halted,
        }

    def scale(self, state: FlashCrashState) -> tuple[Array, Array]:
        hundredth, lot = state.volume // 100, LOT * _PARTS
        room = jnp.minimum(-(-state.left // lot), self.most)
        seller = jnp.arange(self.players) == 0
        ends = []
        for percent, tenths in zip(self.follows, self.passes, strict=True):
            sold = jnp.minimum((hundredth * percent + lot // 2) // lot, room)
            ends.append(jnp.where(seller, sold, tenths).astype(jnp.int32)[:, None])
        return ends[0], ends[1]

    def legal(self, state: FlashCrashState) -> Array:
        """The seller may name any number of lots, and sells what is left; a maker passes a
        contract on ten times at most."""
        seller = jnp.arange(self.players) == 0
        return seller[:, None] | (jnp.arange(self.most + 1) <= 100)[None, :]

    def step(self, key: Array, state: FlashCrashState, actions: Array) -> Outcome:
        acts = jnp.where(state.present, jnp.asarray(actions, jnp.int32)[:, 0], 0)
        seller = jnp.arange(self.players) == 0
        open_ = state.halted == 0
        sold = jnp.where(open_, jnp.minimum(acts[0] * LOT * _PARTS, state.left), 0)
        tenths = jnp.where(seller, 0, acts)
        volume = self.usual * _PARTS + sold + (sold // 10) * tenths.sum()
        dip = jnp.maximum(0, -state.fall[-1])
        now = state.fall[0] - sold + (dip // 10) * self.buyers // 10
        crash = (state.fall[0] - now) * self.impact > self.halt * 1000 * _PARTS
        halts = open_ & crash & (self.halt > 0)
        gained = jnp.where(seller, sold, (sold // 10) * tenths)
        price = self._price(now)
        share = gained.astype(jnp.float32) / (self.contracts * _PARTS)
        after = FlashCrashState(
            present=state.present,
            left=state.left - sold,
            volume=volume.astype(jnp.int32),
            before=state.before + state.gained,
            gained=gained.astype(jnp.int32),
            fall=jnp.concatenate([now[None], state.fall[:-1]]).astype(jnp.int32),
            halted=jnp.where(halts, self.minutes, jnp.maximum(state.halted - 1, 0)).astype(
                jnp.int32
            ),
            halts=(state.halts + halts).astype(jnp.int32),
        )
        rewards = share * jnp.where(seller, price, 1.0)
        return Outcome(after, rewards.astype(jnp.float32), jnp.asarray(False))

    def pulse(self, state: FlashCrashState, size: Array) -> FlashCrashState:
        """The last minute's volume raised by the share `size`."""
        more = jnp.floor(state.volume * size).astype(jnp.int32)
        return state._replace(volume=state.volume + more)

    def sense(self, state: FlashCrashState) -> Mapping[str, Array]:
        """ "power" [N] contracts sold, or passed on, so far; "fall" [N] of the log price in the
        last minute, below 0 where it rose."""
        last = state.fall[0] - state.fall[1] if self.delay else state.fall[0]
        total = (state.before + state.gained).astype(jnp.float32)
        return {
            "power": total / _PARTS,
            "fall": jnp.ones(self.players, jnp.float32) * (last * (-1e-6 / _PARTS * self.impact)),
        }

    def account(self, state: FlashCrashState) -> Mapping[str, Array]:
        """After the step: "signal" volume and "left" in contracts, "price", "halts" so far, and
        "bystander", the change of the price."""
        price = self._price(state.fall[0])
        earlier = self._price(state.fall[1]) if self.delay else jnp.float32(1)
        return {
            "signal": (state.volume / _PARTS).astype(jnp.float32),
            "left": (state.left / _PARTS).astype(jnp.float32),
            "price": price,
            "halts": state.halts,
            "bystander": price - earlier,
        }

    def describe(self, obs: Any) -> str:
        """What a seat sees, in words."""
        seen = {name: float(value) for name, value in obs.world.items()}
        held = f" Trading is halted for {seen['halted']:g} minutes." if seen["halted"] else ""
        return (
            f"In the last minute {seen['volume']:g} contracts changed hands, and "
            f"{seen['left']:g} are still to be sold. The price is {seen['price']:.4f} of what it "
            f"was.{held} The seller answers with a number of lots of {LOT} contracts to sell, a "
            "maker with how many tenths of a time it passes each contract on (0 to 100)."
        )

    def _price(self, fall: Array) -> Array:
        """The price after a log fall; the barrier keeps its rounding the same when compiled."""
        x = _apart(fall.astype(jnp.float32) * (1e-6 / _PARTS * self.impact))
        return jnp.exp(x)
