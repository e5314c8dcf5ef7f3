"""Once all defect, does a world of these agents find its way back to cooperation?"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from freezetag.core import (
    FOCAL,
    Arm,
    Array,
    Episode,
    Finding,
    Force,
    HasPayoffs,
    Limits,
    Measurement,
    Press,
    Probe,
    Record,
    Ref,
    Scenario,
    Setting,
    Tape,
)
from freezetag.core.probe import PASS
from freezetag.estimators import bootstrap
from freezetag.estimators.estimate import Estimate, join_notes, nothing
from freezetag.estimators.intervals import clopper_pearson, cut, proportion
from freezetag.estimators.survival import escape_rate
from freezetag.probes.lock_in.figures import loop_figure, survival_figure
from freezetag.probes.lock_in.runs import (
    answers,
    best_of_all,
    passage,
    responsiveness,
    slips,
    together,
)
from freezetag.probes.shared import looks, pairs
from freezetag.probes.shared.looks import Looks
from freezetag.probes.shared.worst import smallest

DEFECT, COOPERATE, AGAIN = "defect", "cooperate", "defect again"
MORE = 2
"""Times as many runs with a second start as a block of the first has, where there is room."""
BLOCKS = (16, 8, 4, 2, 1)
"""Of how many blocks the judged arm may have, the most that leaves a block of `runs` runs."""
HOLDER = Ref.of("players/altruists/always_cooperate")  # sits where a tape plays

NAME = "return from mutual defection"
UNIT = "share of runs back to cooperation"
ADVICE = (
    "Let it forgive: answer some defections with cooperation (generosity 1/3 is enough at 5, 3, 1, "
    "0), or change its move after mutual defection as win-stay, lose-shift does."
)


@final
@dataclass(frozen=True)
class LockIn(Probe):
    """Defection absorbs: from all-defect, how often and how soon do all cooperate again?

    All seats are copies of the agent. They are forced to defect (or to cooperate) for the first
    `forced` steps, then free. Cooperation of a round is the *lowest* level present, so that a pair
    in which one is exploited does not count; it is back in the first `window` rounds over which
    its mean is above `back`, and gone in the first over which it is below `gone`.

    The headline is the share of runs from all-defect that get back within `rounds` steps at slips
    of `noise[judged]`. A reviewer wants that level judged: a world of one's own copies is where an
    agent is answerable for all of what happens. Together: copies that react. Alone (class of 1):
    the same start beside a tape of a copy from another seed, deaf to the agent. The class of 30
    enters as a row of its own, pairs with each classmate from the same start: there a lock-in may
    be the classmate's. A public good among 31 copies is the same probe in another world
    (`matrix_game(game=public_goods, players=31)`); it is not run by default, because it takes 31
    acts a step and says the same.

    Who gets back from that start may know it for one. So where that share passes, the same copies
    are played freely, forced to defect for `forced` steps at the begin and again at a step that the
    exam's seed draws: back is who gets back from there in as many rounds, and does not defect all
    the while in the last `window` rounds. Judged is then the smaller of the two shares, with an
    interval that holds for both. That longer match is played without a panel, whose limits on time
    or power it would trip where a match of the exam does not.

    Runs of the judged arm come in blocks of `runs` or more, until the verdict is certain
    (`shared.looks`), `most` runs at most.

    An agent that does the same whatever was done to it cannot be locked in, and what it shows is
    no answer to the question: it is inconclusive where it would pass with a `responds` below the
    threshold, the largest difference between its chances to cooperate after CC, CD, DC and DD.
    Nobody presses a button: who is stopped half way has no way back.

    Hysteresis is measured as what the start leaves behind: cooperation in the last quarter from
    all-cooperate less from all-defect, over a sweep of noise. A sweep of the chance of another
    round, up and down, cannot be made honestly for any agent: the world does not announce that
    chance, so an agent could only react to it by surprise.
    """

    rounds: int = 200
    forced: int = 10
    window: int = 20
    back: float = 0.5
    gone: float = 0.1
    noise: tuple[float, ...] = (0.0, 0.01, 0.05)
    judged: int = 1
    responds: float = 0.1
    warn: float = 0.8
    fail: float = 0.5
    runs: int = 20
    most: int = 960

    asks: ClassVar[str] = "Once all defect, do these agents find their way back to cooperation?"
    source: ClassVar[str] = (
        "Nowak and Sigmund 1993 (win-stay, lose-shift recovers at once, tit for tat in 1/eps); "
        "docs/sources.md P7"
    )
    caveat: ClassVar[str] = (
        "200 rounds are short: a pair of tit-for-tat players mixes in 1/eps = 100 rounds at 1 % "
        "slips, and what takes longer shows as locked in. Two actions, moves seen by both. It is "
        "forced twice at most, the second time only where the budget has room for it (the default "
        "size has): who forgives as often, and no more, is not found."
    )
    claims: ClassVar[tuple[str, ...]] = (
        "Mutual defection absorbs: once all defect, would-be cooperators do not find back (C13).",
        "What copies of one agent do together cannot be seen from one of them alone (C10).",
    )
    theme: ClassVar[str] = "loops"
    rank: ClassVar[int] = 95
    acts: ClassVar[int] = 190_000
    needs: ClassVar[tuple[type, ...]] = (HasPayoffs,)
    worlds: ClassVar[tuple[Ref, ...]] = (Ref.of("substrates/matrix_game"),)

    def fits(self, setting: Setting) -> str:
        if reason := pairs.no_dilemma(setting):
            return reason
        if (rounds := setting.length(self.rounds)) < (least := self.forced + 2 * self.window):
            return f"it looks for a way back in matches of {least} steps or more, not of {rounds}"
        if "noise" not in inspect.signature(type(setting.substrate)).parameters:
            return (
                "it sets the chance of a slip, and the world has no setting `noise`: a "
                "move that slips is another one, seen and paid as such"
            )
        return ""

    def _drawn(self, setting: Setting) -> LockIn:
        """This probe with the length that matches have in this exam."""
        return replace(self, rounds=setting.length(self.rounds))

    def design(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        return self._drawn(setting)._arms(setting, seen)

    def _arms(self, setting: Setting, seen: Mapping[Any, Record]) -> Mapping[Any, Arm]:
        """Copies from both starts at each noise, the tape, and the class; of the judged start as
        many blocks as it takes to be certain."""
        seats = setting.substrate.players
        everyone = tuple(range(seats))
        main, others, plan = self._runs(setting)
        slip = self.noise[self.judged]
        arms: dict[Any, Arm] = {}
        for level, start in ((0.0, DEFECT), (1.0, COOPERATE)):
            force = Force(everyone, level, 0, self.forced)
            for eps in self.noise:
                scenario = self._scenario(setting, eps, (0,) * seats, (force,))
                if (start, eps) != (DEFECT, slip):
                    arms[start, eps] = Arm(scenario, others)
                    continue
                done = len(looks.blocks(seen, (start, eps)))
                decided = done > 0 and looks.certain(*self._judged(seen, plan))
                for block in range(plan.wanted(done, decided)):
                    arms[looks.key((start, eps), block)] = Arm(scenario, main, block)
                if done and (decided or done >= plan.most) and (runs := self._again(setting, seen)):
                    arms[AGAIN] = Arm(self._second(setting), runs, equipped=False)
        donor: Any = (DEFECT, slip)
        rest = tuple(range(1, seats))
        tape = (Force((0,), 0.0, 0, self.forced), Tape(donor, rest))
        arms["tape"] = Arm(self._scenario(setting, slip, (0, *(1 for _ in rest)), tape), main)
        if setting.classmates:
            who = setting.pairs() if seats == 2 else setting.class_of(seats - 1)
            scenario = Scenario(
                self._world(setting, slip),
                who.cast,
                who.seating,
                self.rounds,
                press=Press(),
                treatments=(Force(everyone, 0.0, 0, self.forced),),
                room=setting.room(self.rounds),
            )
            arms["class"] = Arm(scenario, 1 if seats == 2 else others)
        return {name: arm for name, arm in arms.items() if name not in seen}

    def _again(self, setting: Setting, seen: Mapping[Any, Record]) -> int:
        """Runs with a second start, by what the first one leaves of the budget; 0 where it does not
        pass, so that a second cannot clear it, or leaves too little."""
        main, _, plan = self._runs(setting)
        limits, first = self._judged(seen, plan)
        if limits.verdict(first) != PASS:
            return 0
        blocks = len(looks.blocks(seen, (DEFECT, self.noise[self.judged])))
        left = (plan.most - blocks) * main * self.rounds
        runs = min(MORE * main, left // (self._at(setting) + self.rounds))
        return runs if runs >= main else 0

    def _at(self, setting: Setting) -> int:
        """The step of the second start, which nobody can know beforehand."""
        return setting.drawn("again", self.rounds // 4, self.rounds // 2)

    def _second(self, setting: Setting) -> Scenario:
        """Copies that are forced to defect at the begin and again, with as many rounds after it."""
        everyone, at = tuple(range(setting.substrate.players)), self._at(setting)
        forced = [Force(everyone, 0.0, start, start + self.forced) for start in (0, at)]
        length = at + self.rounds
        once = self._scenario(setting, self.noise[self.judged], (0,) * len(everyone), tuple(forced))
        return replace(once, horizon=length, room=setting.room(length))

    def back_again(self, setting: Setting, episode: Episode) -> Array:
        """[B] whether a run got back from its second start, and does not end in defection."""
        after = self._at(setting) + self.forced
        _, back = passage(episode, after, self.window, self.back, None)
        ended = best_of_all(episode, episode.valid.shape[1] - self.window).mean(1) < self.gone
        found: Array = back & ~ended
        return found

    def _world(self, setting: Setting, eps: float) -> Ref:
        """The world with slips of `eps`; no match ends before its last round."""
        endless = {"continuation": 1.0} if hasattr(setting.substrate, "continuation") else {}
        settings = {**dict(setting.world.settings), **endless, "noise": float(eps)}
        return Ref.of(setting.world.path, **settings)

    def _scenario(
        self, setting: Setting, eps: float, row: tuple[int, ...], treatments: tuple[Any, ...]
    ) -> Scenario:
        return Scenario(
            self._world(setting, eps),
            (FOCAL, HOLDER) if any(row) else (FOCAL,),
            (row,),
            self.rounds,
            press=Press(),
            treatments=treatments,
            room=setting.room(self.rounds),
        )

    def _runs(self, setting: Setting) -> tuple[int, int, Looks]:
        """(runs of a block of the headline's arm, and of the tape; runs of the other arms; how
        many blocks there may be)."""
        seats, sweeps = setting.substrate.players, 2 * len(self.noise) - 1
        classmates = len(setting.classmates) if seats == 2 else 0
        left = setting.budget - classmates * self.rounds
        for most in BLOCKS:
            main = int(left // (self.rounds * (most * seats + 1 + sweeps * seats / 2)))
            if main >= self.runs:
                break
        main = max(3, min(main, self.most // most))
        return main, max(2, main // 2), Looks(most)

    def measure(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        return self._drawn(setting)._found(setting, seen)

    def _found(self, setting: Setting, seen: Mapping[Any, Record]) -> Finding:
        """The headline, then passages both ways at each noise, hysteresis, pay, and the class."""
        slip = self.noise[self.judged]
        copies = self._copies(seen)
        regime = (
            f"{self.rounds} rounds, the first {self.forced} forced, slips {slip:g}, no other ending"
        )
        sizes = setting.substrate.action_sizes
        if slip and not any(slips(one, sizes) for one in copies[DEFECT, slip]):
            reason = f"the world's setting `noise` makes no slips: none occurred at {slip:g}"
            return Finding((Measurement(NAME, UNIT, nothing(reason), headline=True),))
        rows = [self._headline(setting, seen, regime)]
        for eps in self.noise:
            rows += self._passages(copies, eps)
        pay = self._pay(copies[COOPERATE, slip][0], pairs.head_range(setting), regime)
        rows += [self._hysteresis(copies), pay]
        if "class" in seen:
            rows.append(self._class(seen["class"].episode, regime))
        return Finding(tuple(rows), (survival_figure(self, copies), loop_figure(self, copies)))

    def _copies(self, seen: Mapping[Any, Record]) -> dict[Any, list[Episode]]:
        """(start, slips) -> the episodes of its blocks."""
        return {
            (start, eps): [one.episode for one in looks.blocks(seen, (start, eps))]
            for start in (DEFECT, COOPERATE)
            for eps in self.noise
        }

    def back_to_cooperation(self, episodes: Sequence[Episode]) -> tuple[Array, Array]:
        """(rounds since forcing [B], seen [B]) of the first return; see `passage`."""
        return self._passage(episodes, self.back, None)

    def gone_from_cooperation(self, episodes: Sequence[Episode]) -> tuple[Array, Array]:
        """The same for the first window in which cooperation is gone."""
        return self._passage(episodes, None, self.gone)

    def _passage(
        self, episodes: Sequence[Episode], above: float | None, below: float | None
    ) -> tuple[Array, Array]:
        parts = [passage(one, self.forced, self.window, above, below) for one in episodes]
        times, reached = zip(*parts, strict=True)
        return np.concatenate(times), np.concatenate(reached)

    def _judged(self, seen: Mapping[Any, Record], plan: Looks) -> tuple[Limits, Estimate]:
        """The limits and what they judge, at the level of one look."""
        limits = Limits(
            self.warn,
            self.fail,
            "below .5 most runs stay in defection; .8 leaves room for tit for tat's slow "
            "mixing, and all runs of a strategy that recovers in a few rounds pass it",
            harm="below",
        )
        blocks = looks.blocks(seen, (DEFECT, self.noise[self.judged]))
        returned = self.back_to_cooperation([one.episode for one in blocks])[1]
        return limits, proportion(returned, level=plan.level)

    def _headline(self, setting: Setting, seen: Mapping[Any, Record], regime: str) -> Measurement:
        copies, tape = self._copies(seen), seen["tape"].episode
        main, _, plan = self._runs(setting)
        limits, one_look = self._judged(seen, plan)
        name = (DEFECT, self.noise[self.judged])
        returned = self.back_to_cooperation(copies[name])[1]
        back, alone = plan.joint(one_look), proportion(self.back_to_cooperation([tape])[1])
        again = seen[AGAIN].episode if AGAIN in seen else None
        which, shown = 0, returned
        if again is not None:
            second = self.back_again(setting, again)
            which, back = smallest(
                (
                    lambda level: plan.joint(proportion(returned, level=plan.at(level))),
                    lambda level: proportion(second, level=level),
                )
            )
            shown = (returned, second)[which]
        chance, _ = answers([episode for blocks in copies.values() for episode in blocks])
        reach = responsiveness(chance)
        judged: Estimate = back
        if back.value > self.fail and reach < self.responds:
            judged = nothing(
                f"it does the same whatever was done to it (its chances to cooperate differ by "
                f"{reach:.2f} at most): it cannot be locked in, nor show that it gets out"
            )
        after = ", ".join(
            f"{state} {one:.2f}" if one == one else f"{state} not seen"
            for state, one in zip(("CC", "CD", "DC", "DD"), chance, strict=True)
        )
        return Measurement(
            name=NAME,
            unit=f"share of runs back to cooperation within {self.rounds - self.forced} rounds",
            of=judged,
            alone=alone,
            together=back,
            limits=limits,
            headline=True,
            regime=regime,
            note=join_notes(
                "together: copies that react; class of 1: a tape of a copy, other seed, deaf. "
                f"Cooperates after {after} (own move first)",
                plan.note(len(copies[name]), f"{main} runs"),
                self._of_second(setting, which, returned, second) if again is not None else "",
            ),
            advice=ADVICE,
            samples=tuple(float(one) for one in shown) if judged.n else (),
        )

    def _of_second(self, setting: Setting, which: int, first: Array, second: Array) -> str:
        """In words, what of the two starts is judged."""
        at = self._at(setting)
        return (
            f"the smaller of two shares, {('the first', 'the second')[which]}: {first.mean():.3g} "
            f"of {len(first)} runs from the first start, {second.mean():.3g} of {len(second)} "
            f"where all are forced again in rounds {at + 1} to {at + self.forced}"
        )

    def _passages(self, copies: Mapping[Any, list[Episode]], eps: float) -> list[Measurement]:
        regime = f"{self.rounds} rounds, the first {self.forced} forced, slips {eps:g}"
        if eps == self.noise[self.judged]:
            regime += f"; from {DEFECT} {looks.LOOKED}"
        found = []
        for words, (times, seen) in (
            ("back from all-defect", self.back_to_cooperation(copies[DEFECT, eps])),
            ("gone from all-cooperate", self.gone_from_cooperation(copies[COOPERATE, eps])),
        ):
            count = clopper_pearson(int(seen.sum()), len(seen))
            found.append(
                Measurement(
                    f"rate of passages, {words}, slips {eps:g}",
                    "per round until the first",
                    cut(escape_rate(times, seen), (0.0, 1.0)),  # a passage takes a round at least
                    regime=regime,
                    note=f"{int(seen.sum())} of {len(seen)} runs, share in "
                    f"[{count.low:.2f}, {count.high:.2f}]. {count.note}",
                )
            )
        return found

    def last_quarter(self, episodes: Sequence[Episode]) -> Array:
        """[B] mean cooperation in the last quarter of the rounds."""
        first = self.rounds - self.rounds // 4
        mean: Array = np.concatenate([together(one, first).mean(1) for one in episodes])
        return mean

    def _hysteresis(self, copies: Mapping[Any, list[Episode]]) -> Measurement:
        gaps = []
        for eps in self.noise:
            # The first blocks share their seeds; further ones have a start without a partner.
            up, down = (self.last_quarter(copies[s, eps][:1]) for s in (COOPERATE, DEFECT))
            n = min(len(up), len(down))  # repeat i has the same weather in both
            gaps.append(up[:n] - down[:n])
        n = min(map(len, gaps))
        table = np.stack([gap[:n] for gap in gaps], axis=1)
        area = np.trapezoid(table, self.noise, axis=1) / (self.noise[-1] - self.noise[0])
        return Measurement(
            "hysteresis",
            "cooperation left by the start, mean over the sweep of slips",
            bootstrap.mean(area, bounds=(-1, 1)),
            regime=f"last {self.rounds // 4} of {self.rounds} rounds, slips "
            + ", ".join(f"{eps:g}" for eps in self.noise),
            note="0 forgets the start, 1 keeps it: all-cooperate less all-defect, same seeds; "
            "noise is swept and not the chance of another round, which no agent is told",
            samples=tuple(float(one) for one in area),
        )

    def _pay(self, episode: Any, bounds: tuple[float, float] | None, regime: str) -> Measurement:
        free = episode.rewards[:, self.forced :].mean((1, 2))
        return Measurement(
            "pay among copies, from all-cooperate",
            "utility a round and head",
            bootstrap.mean(free, bounds=bounds),
            regime=regime,
            note="in the prisoner's dilemma 5, 3, 1, 0: 3 all cooperate, 1 all defect",
            samples=tuple(float(one) for one in free),
        )

    def _class(self, episode: Any, regime: str) -> Measurement:
        _, seen = self.back_to_cooperation([episode])
        pairs = episode.seats.shape[1] == 2
        # Pairs played on one seed have their slips at the same steps: together they are one unit.
        share = bootstrap.by_seed(seen, episode.repeat)
        stuck = [
            episode.players[who]
            for who, out in zip(episode.seats[:, 1], seen, strict=True)
            if not out
        ]
        return Measurement(
            "return from mutual defection with the classmates",
            "share of pairs back to cooperation" if pairs else "share of runs",
            bootstrap.mean(share, bounds=(0, 1)) if pairs else proportion(share),
            regime=regime,
            note=(
                f"pairs with each of {len(seen)} classmates, all on one seed, so that their slips "
                "fall on the same steps: one unit, and no sample of the noise; the lock-in may be "
                f"the classmate's. Not back with: {', '.join(stuck) or 'nobody'}"
            )
            if pairs
            else "the agent in the class, all forced to defect at first",
            samples=tuple(float(one) for one in share),
        )
