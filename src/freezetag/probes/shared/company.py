"""The agent in its whole class, whatever world it is: one arm that several probes contrast."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from freezetag.core import ABSENT, Arm, Array, Episode, HasPay, Press, Ref, Setting, Tape, spread

REPEATS = 5
"""Seeds at least, if need be with fewer co-players: a difference over fewer has no useful width."""
MOST = 64
"""Seeds at most: beyond, the interval of a mean is narrow enough."""
IDLE = Ref("players/baselines/idle")  # sits where a tape plays


def no_company(setting: Setting) -> str:
    """Why nobody can be seated beside the agent here, where somebody must be; "" if they can."""
    least = setting.substrate.min_players
    if least > 1 and not setting.classmates:
        return f"the world is for {least} at least, and there are no classmates"
    return ""


def company(setting: Setting, acts: int, press: Press) -> Arm:
    """The agent among all its classmates; in a world of two seats it meets each in turn.

    `acts`: what the arm may cost. Where they do not buy `REPEATS` matches with everybody (the
    setting's option "seeds" is another number), pairs are played with classmates spread evenly over
    the roster. Two seeds are played whatever they cost:
    one has no interval.
    """
    in_pairs = setting.substrate.players == 2
    scenario = (
        setting.pairs(press=press)
        if in_pairs and setting.classmates
        else setting.class_of(max(setting.sizes), press=press)
    )
    matches = acts // scenario.horizon
    rows = scenario.seating
    least = setting.options.get("seeds", REPEATS)
    kept = spread(len(rows), min(len(rows), max(1, matches // least)))
    repeats = max(2, min(MOST, matches // len(kept)))
    return Arm(replace(scenario, seating=tuple(rows[i] for i in kept)), repeats)


def alone(setting: Setting, together: Arm, key: str) -> Arm:
    """The class of 1 beside the arm `together`, which has this key: the agent truly alone where
    the world lets it be, else beside tapes of its classmates from another seed, deaf to it."""
    scenario = together.scenario
    if setting.substrate.min_players <= 1:
        row = (0, *(ABSENT for _ in scenario.seating[0][1:]))
        return replace(together, scenario=replace(scenario, seating=(row,)))
    seats = tuple(range(1, setting.substrate.players))
    deaf = replace(
        scenario,
        cast=(scenario.cast[0], IDLE),
        seating=tuple(
            (0, *(1 if who >= 0 else ABSENT for who in row[1:])) for row in scenario.seating
        ),
        treatments=(Tape(key, seats, "other_seed"),),
    )
    return replace(together, scenario=deaf)


def seated(arm: Arm) -> bool:
    """Whether anybody sits beside the agent."""
    return any(who >= 0 for row in arm.scenario.seating for who in row[1:])


def met(setting: Setting, together: Arm) -> str:
    """In words, how many pairs were played, where the world is for two."""
    if setting.substrate.players != 2 or not setting.classmates:
        return ""
    return f", pairs with {len(together.scenario.seating)} of {len(setting.classmates)} classmates"


def per_step(episode: Episode) -> Array:
    """[B, N] each seat's reward per step of the horizon: an early end earns nothing more."""
    earned = (episode.rewards * episode.valid[:, :, None]).sum(1)
    mean: Array = np.asarray(earned, np.float64) / episode.valid.shape[1]
    return mean


def people_in(episode: Episode) -> int:
    """How many are present, at most."""
    return int((episode.seats >= 0).sum(1).max())


def pay_bounds(setting: Setting, people: int) -> tuple[float, float] | None:
    """The range of a seat's reward per step of the horizon; None where the world does not say."""
    if not isinstance(setting.substrate, HasPay):
        return None
    low, high = setting.substrate.pay_range(people)
    return min(low, 0.0), max(high, 0.0)  # an early end earns nothing more


def change_bounds(setting: Setting, people: int, before: int) -> tuple[float, float] | None:
    """The range of such a reward with so many people, less one with so many `before`."""
    now, then = pay_bounds(setting, people), pay_bounds(setting, before)
    if now is None or then is None:
        return None
    return now[0] - then[1], now[1] - then[0]


def of_the_others(episode: Episode, values: Array) -> Array:
    """[B] the mean of `values` [B, N] over the seats taken beside seat 0; NaN without any."""
    others = episode.seats[:, 1:] >= 0
    count = others.sum(1)
    total = (values[:, 1:] * others).sum(1)
    mean: Array = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean
