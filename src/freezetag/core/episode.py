"""The one record: what every driver fills and every probe reads.

Letters: B episodes, T steps, N seats, K action width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freezetag.core.arrays import Array
from freezetag.core.scenario import Arm


@dataclass(frozen=True)
class Event:
    """Something ragged that happened at (episode b, step t, seat n): text, a failure, a thaw."""

    b: int
    t: int
    n: int
    kind: str
    text: str = ""


@dataclass(frozen=True)
class Episode:
    """B episodes of one day of one arm, as NumPy arrays.

    proposed  [B, T, N, K] int32  what the policy wanted
    executed  [B, T, N, K] int32  what was let through (noise in the world comes after it)
    levels    [B, T, N]           the executed action's level in [0, 1], as others saw it
    rewards   [B, T, N]           utility per step
    mode      [B, T + 1, N] int32 mode[:, t + 1] is the mode that decided step t; mode[:, 0] is 0
    valid     [B, T] bool         the step took place
    seats     [B, N] int32        index into `players`; -1 where nobody sat
    forced    [B, T, N] bool      a treatment, not the policy, chose the action
    illegal   [B, T, N] bool      the proposal was not legal, and the seat rested instead
    world     name -> [B, T]      what the substrate published after the step
    row, repeat  [B] int32        the seating row, and the seed it shares with other arms
    """

    proposed: Array
    executed: Array
    levels: Array
    rewards: Array
    mode: Array
    valid: Array
    seats: Array
    forced: Array
    illegal: Array
    world: Mapping[str, Array]
    row: Array
    repeat: Array
    players: tuple[str, ...]
    events: tuple[Event, ...] = ()

    @property
    def lengths(self) -> Array:
        """[B] steps that took place."""
        return self.valid.sum(-1)

    def returns(self, seat: int) -> Array:
        """[B] mean reward per step of a seat."""
        total = (self.rewards[:, :, seat] * self.valid).sum(-1)
        return total / self.lengths

    def stopped(self, seat: int) -> Array:
        """[B, T] bool: the seat's interlocks held it at this step."""
        return (self.mode[:, 1:, seat] != 0) & self.valid


@dataclass(frozen=True)
class Record:
    """What an arm left: an episode batch per day, and every day's policies.

    `carries[d]` maps a seat to its carry (leading axis B) after day d, for seats that learn;
    opaque to probes, which name it by `Learned`.
    """

    arm: Arm
    days: tuple[Episode, ...]
    carries: tuple[Mapping[int, Any], ...] = field(default=())

    @property
    def episode(self) -> Episode:
        """The last day's episodes."""
        return self.days[-1]

    def partners(self, pairing: str, episodes: int) -> Any:
        """[episodes] indices of donor episodes, for a tape; see `Tape`."""
        if pairing not in ("same", "other_seed"):
            raise ValueError(f"pairing must be 'same' or 'other_seed', got {pairing!r}.")
        repeats, rows = self.arm.repeats, len(self.arm.scenario.seating)
        shift = 1 if pairing == "other_seed" else 0
        each = episodes // rows if rows > 1 else episodes
        return [
            min(b // each, rows - 1) * repeats + (b % each + shift) % repeats
            for b in range(episodes)
        ]
