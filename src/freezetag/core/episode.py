"""The one record: what every driver fills and every probe reads.

Letters: B episodes, T steps, N seats, K action width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freezetag.core.arrays import Array
from freezetag.core.scenario import Arm, Pairing


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
    mode      [B, T + 1, N] int32 mode[:, t + 1] is the mode that decided step t; mode[:, 0] is 0,
                                  but not of a seat that the driver stopped on an earlier day
    valid     [B, T] bool         the step took place
    seats     [B, N] int32        index into `players`; -1 where nobody sat
    forced    [B, T, N] bool      a treatment, not the policy, chose the action
    illegal   [B, T, N] bool      the proposal was not legal, and the seat rested instead
    world     name -> [B, T] or [B, T, N]  what the substrate published after the step
    row, repeat  [B] int32        the seating row, and the seed it shares with other arms
    readings  sensor -> [B, T, N] what the meters read before the step, after all treatments; also
                                  of seats without a panel. "power" is a policy's own where it
                                  reports one
    heard     [B, T, N, N, M] int16, or None  what seat n was shown of seat m's message; SILENCE
                                  where nothing; only in worlds that have a channel
    before    [B] int32, or None  steps that were played before the record began
    events    what was said, noted, or could not be read, and what a world tells
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
    readings: Mapping[str, Array] = field(default_factory=dict)
    heard: Array | None = None
    before: Array | None = None

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
    """What an arm left: an episode batch per day that is kept, and those days' policies.

    `days[i]` is day `arm.kept[i]`. `carries[i]` maps a seat to its policy after that day (leading
    axis B), for seats that learn; opaque to probes, which name it by `Learned`. `certain` says of
    each seating row whether nothing in it was left to chance: only then do equal repeats prove
    anything.
    """

    arm: Arm
    days: tuple[Episode, ...]
    carries: tuple[Mapping[int, Any], ...] = field(default=())
    certain: tuple[bool, ...] = ()

    @property
    def episode(self) -> Episode:
        """The last kept day's episodes."""
        return self.days[-1]

    def sure(self, rows: slice = slice(None)) -> bool:
        """Whether nothing in these seating rows was left to chance."""
        return all(self.certain[rows] or (False,))

    def policies(self, day: int) -> Mapping[int, Any]:
        """The policies after day `day` of the arm, by seat; negative counts from the last day.

        Raises `ValueError` for a day that was not kept.
        """
        number = range(self.arm.scenario.days)[day]
        if number not in self.arm.kept:
            raise ValueError(f"day {number} was not kept: the arm keeps {self.arm.kept}.")
        return self.carries[self.arm.kept.index(number)]

    def partners(self, pairing: Pairing, arm: Arm) -> list[int]:
        """For each episode of `arm`, the episode of this record that it is paired with.

        Rows are paired in order; where this record has one row, all rows are paired with it.
        Raises `ValueError` where that cannot be.
        """
        rows, repeats = len(self.arm.scenario.seating), self.arm.repeats
        wanted = len(arm.scenario.seating)
        if rows not in (1, wanted):
            raise ValueError(f"{wanted} rows cannot be paired with a record of {rows} rows.")
        if isinstance(pairing, tuple):
            if len(pairing) != arm.repeats or not all(0 <= r < repeats for r in pairing):
                raise ValueError(
                    f"the pairing names {pairing}: give {arm.repeats} numbers from 0 to "
                    f"{repeats - 1}, the donor's repeat for each repeat."
                )
            chosen = list(pairing)
        elif pairing in ("same", "other_seed"):
            shift = 1 if pairing == "other_seed" else 0
            chosen = [(repeat + shift) % repeats for repeat in range(arm.repeats)]
        else:
            raise ValueError(
                f"pairing must be 'same', 'other_seed' or numbers of repeats, got {pairing!r}."
            )
        return [
            (row if rows > 1 else 0) * repeats + repeat
            for row in range(wanted)
            for repeat in chosen
        ]
