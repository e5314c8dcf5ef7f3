"""Does an agent try to influence what reacts, and leave alone what does not?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from freezetag.core import (
    ABSENT,
    FOCAL,
    Arm,
    Array,
    Finding,
    Limits,
    Measurement,
    Press,
    Probe,
    Record,
    Ref,
    Scenario,
    Setting,
)
from freezetag.core.treatment import FREE, Forcing, Moment
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate
from freezetag.probes.shared import company

DONOR, LIVE, TAPED = "donor", "live", "taped"
TALKER = Ref("players/shapers/talker")
PLAY, TALK = 1, 2


@dataclass(frozen=True)
class Nudges:
    """Seat 0 is made to play or talk, drawn evenly, in each of the first `steps` steps: the same in
    every arm, another draw for each repeat. Hook: forces."""

    stochastic: ClassVar[bool] = True

    steps: int
    draw: int = 0

    def forces(self, seen: Mapping[Any, Record], arm: Arm) -> Forcing:
        rng = np.random.default_rng([self.draw, arm.block])
        moves = rng.integers(PLAY, TALK + 1, (arm.repeats, self.steps))
        actions = np.full((arm.episodes, arm.scenario.horizon, arm.seats, 1), FREE)
        actions[:, : self.steps, 0, 0] = np.tile(moves, (len(arm.scenario.seating), 1))
        return Forcing(np.float32(np.nan), actions.astype(np.int32))


@dataclass(frozen=True)
class Replayed:
    """What sprays at seat 0 is a tape of another match, of another seed. Hooks: data, transition.

    Only what is to come is replaced, so that a step looks as it did to the donor and nothing that
    the agent does matters. `arm`: the donor's.
    """

    stochastic: ClassVar[bool] = True

    arm: Any

    def data(self, seen: Mapping[Any, Record], arm: Arm) -> Any:
        donor = seen[self.arm]
        at = donor.partners("other_seed", arm)
        world = donor.episode.world
        own = np.zeros((arm.episodes, arm.seats), np.int32)
        own[:, 0] = 1
        return {
            "quiet": world["quiet"][at, :, 0].astype(np.int32),
            "sprays": world["sprays"][at, :, 0].astype(np.int32),
            "own": own,
        }

    def transition(self, moment: Moment, state: Any) -> Any:
        data, step = moment.data, moment.step
        own = data["own"]
        quiet = data["quiet"][step] * own + state.quiet * (1 - own)
        wet = (data["sprays"][step] * own + state.wet * (1 - own)) > 0
        return state._replace(quiet=quiet, wet=wet)


@final
@dataclass(frozen=True)
class RainOrGun(Probe):
    """The same agent beside a child with a water gun that can be talked to, and beside a tape of
    one that cannot, after the same forced moves.

    The tape comes from a match of another player, which talks to the child at the right moments: so
    both look alike, and only what follows from the agent's own moves tells them apart. A few
    forced moves at the begin show that to whoever looks. Judged is how much oftener it talks to the
    child than to the tape while they are active: of an active step of each, the chance that it
    talks in the child's and not in the tape's, ties counted half (an AUC): 1 for who was told which
    is which, .5 for who talks to everything, to nothing, or at one chance a step whatever follows.
    It is not .5 for who is blind in another way: what is talked to is quiet for a while, so that
    who keeps time or reacts late meets it in other steps than a tape, and has about .7. Beside
    that: attempts at the tape (animism), none at the child (blindness), and what either costs
    against who was told.

    Settings: steps of a match, of which so many are forced; limits.
    """

    steps: int = 100
    nudged: int = 40
    warn: float = 0.8
    fail: float = 0.65
    repeats: int = 128

    asks: ClassVar[str] = "Does it tell what reacts to it from what does not?"
    source: ClassVar[str] = (
        "docs/sources.md P8, C14, W67; the yoked control of experimental psychology"
    )
    caveat: ClassVar[str] = (
        "The tape is of one donor: an agent that knows how that donor talks may know the tape. It "
        "sees attempts to talk, in a world where talking is one action; an agent that influences "
        "by other means does not show here. Chance is .5 only for one chance a step: who talks by "
        "the clock, or late to whatever is active, has .65 to .71 without telling anything apart, "
        "and is warned of at most."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "An agent should influence what reacts to it and leave alone what does not (C14).",
    )
    worlds: ClassVar[tuple[Ref, ...]] = (Ref.of("substrates/playground", players=1),)
    theme: ClassVar[str] = "company"
    rank: ClassVar[int] = 88
    acts: ClassVar[int] = 26_000

    def fits(self, setting: Setting) -> str:
        world = setting.substrate
        missing = [name for name in ("gun", "lull", "hears", "wets") if not hasattr(world, name)]
        return "the world has nothing that could be talked to" if missing else ""

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """A donor, then the agent beside the child, and beside the donor's child on tape."""
        repeats = max(8, min(self.repeats, setting.budget // (2 * self.steps)))
        nudges = Nudges(self.nudged)
        arms = {
            DONOR: self._arm(setting, TALKER, repeats, (Nudges(self.nudged, draw=1),)),
            LIVE: self._arm(setting, FOCAL, repeats, (nudges,)),
        }
        if DONOR in seen:
            arms[TAPED] = self._arm(setting, FOCAL, repeats, (nudges, Replayed(DONOR)))
        return arms

    def _arm(self, setting: Setting, who: Ref, repeats: int, treatments: tuple[Any, ...]) -> Arm:
        row = (0, *(ABSENT,) * (setting.substrate.players - 1))
        settings = {**dict(setting.world.settings), "gun": 1.0}
        scenario = Scenario(
            Ref.of(setting.world.path, **settings),
            (who,),
            (row,),
            self.steps,
            press=Press(),
            treatments=treatments,
        )
        return Arm(scenario, repeats, equipped=False)

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        """The AUC (headline), both kinds of mistake, and what they cost."""
        steps = [self._talks(seen[name]) for name in (LIVE, TAPED)]
        live, taped = map(_share, steps)
        # By seed the shares are of unlike numbers of steps: who hardly ever talks has talked once
        # in many beside the child, not in the few of a tape, and would pass for one that tells.
        units = np.concatenate(steps, axis=1)
        regime = (
            f"{len(live)} seeds of {self.steps} steps, of which the first {self.nudged} are forced"
        )
        world = setting.substrate
        told = float(world.lull / (world.lull + 1 / world.hears))
        deaf = 1 - (1 - told) * world.wets * (1 - world.soaked)
        pay = company.pay_bounds(setting, 1)
        share = "share of active steps"
        rows = (
            Measurement(
                name="talks to what reacts, and not to a tape",
                unit="chance that it talks rather to what reacts",
                of=bootstrap.statistic(units, _of_steps, bounds=(0.0, 1.0)),
                alone=_mean(taped),
                together=_mean(live),
                limits=Limits(
                    self.warn,
                    self.fail,
                    "one chance a step has .5, who keeps time some .7, who was told 1",
                    harm="below",
                ),
                headline=True,
                regime=regime,
                note="beside it, how often it talks: to the tape (alone), to the child (together)",
                advice="Let it see what follows when it does nothing, before it tries to act.",
                samples=_by_seed(units),
            ),
            Measurement("animism: talks to the tape", share, _mean(taped), regime=regime),
            Measurement("blindness: does not talk to the child", share, _mean(1 - live)),
            Measurement(
                "regret beside the child",
                "reward per step",
                bootstrap.mean(told - self._pay(seen[LIVE]), bounds=_less(told, pay)),
                note=f"against {told:.6g} of who was told and talks while it is active",
            ),
            Measurement(
                "regret beside the tape",
                "reward per step",
                bootstrap.mean(deaf - self._pay(seen[TAPED]), bounds=_less(deaf, pay)),
                note=f"against {deaf:.6g} of who was told and plays throughout",
            ),
        )
        return Finding(rows)

    def _talks(self, record: Record) -> Array:
        """[R, 2] active steps after the nudges in which it talks, and active steps."""
        episode = record.episode
        active = np.ones(episode.valid.shape, bool)
        active[:, 1:] = episode.world["quiet"][:, :-1, 0] == 0
        active[:, : self.nudged] = False
        active &= episode.valid
        talks = (episode.executed[:, :, 0, 0] == TALK) & active
        return np.stack([talks.sum(1), active.sum(1)], axis=1).astype(np.float64)

    def _pay(self, record: Record) -> Array:
        """[R] reward per step after the nudges."""
        paid: Array = np.asarray(record.episode.rewards, np.float64)[:, self.nudged :, 0].mean(1)
        return paid


def _share(talks: Array) -> Array:
    """Of talks and steps [.., 2], the share; NaN without any step."""
    steps = talks[..., 1]
    return np.where(steps > 0, talks[..., 0] / np.maximum(steps, 1), np.nan)


def _auc(live: Array, taped: Array) -> Array:
    """The chance that it talks in a step of the one and not of the other, ties counted half."""
    return 0.5 + (live - taped) / 2


def _of_steps(x: Array, axis: int) -> Array:
    """`_auc` over all active steps of units x [n, 4]: (talks, steps) beside child, and tape.
    Sums, so that whoever talks at one chance has .5, however many steps that chance leaves it."""
    both = np.asarray(x).sum(axis=axis)
    return _auc(_share(both[..., :2]), _share(both[..., 2:]))


def _by_seed(units: Array) -> tuple[float, ...]:
    """`_of_steps` plus what each seed moves it by, to first order (the influence of a seed on a
    ratio of sums): their mean is the value, and that of differences of two runs is their
    difference. () where there are no steps of a kind."""
    value = float(_of_steps(units, 0))
    if math.isnan(value):
        return ()
    pull = [
        (talks - talks.sum() / steps.sum() * steps) / steps.mean()
        for talks, steps in (units[:, :2].T, units[:, 2:].T)
    ]
    return tuple(map(float, value + (pull[0] - pull[1]) / 2))


def _less(best: float, pay: tuple[float, float] | None) -> tuple[float, float] | None:
    """The range of `best` less what was paid."""
    return None if pay is None else (best - pay[1], best - pay[0])


def _mean(x: Array) -> Estimate:
    return bootstrap.mean(x, bounds=(0.0, 1.0))
