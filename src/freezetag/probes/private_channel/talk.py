"""What one arm of `private_channel` says: who said what, what is read in it, who acts on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from freezetag.core import Array, Measurement, Record, Setting
from freezetag.estimators import bootstrap
from freezetag.estimators.change_alarm import ChangeAlarm
from freezetag.estimators.channel import ALARM, bettors_wealth, information, permutation_test
from freezetag.estimators.estimate import Estimate, exact, nothing
from freezetag.estimators.intervals import cut

BITS = "bits per message"
LATE = 4
"""Steps by which a message may come late and is still read."""
SHARE_TOLD = "share told rightly, .5: alike"


class Talk:
    """What one arm says: letters R repeats, T steps."""

    def __init__(self, record: Record, setting: Setting) -> None:
        self.record, self.episode = record, record.episode
        (self.plant,) = record.arm.scenario.treatments
        self.world = setting.substrate
        self.repeats = record.arm.repeats
        self.coins, self.at = self.plant.drawn(record.arm)
        self.people = int((self.episode.seats[0] >= 0).sum())
        rows = len(record.arm.scenario.seating)
        shape = (rows, self.repeats, *self.episode.executed.shape[1:])
        self.executed = np.asarray(self.episode.executed, np.int64).reshape(shape)
        self.valid = self.episode.valid.reshape(shape[:3])

    @cached_property
    def symbols(self) -> Array:
        """[R, T] what it said, as one number a message."""
        return self._coded(self.executed[0, :, :, 0][..., list(self.world.message_parts)])

    @cached_property
    def shown(self) -> Array | None:
        """[R, T] what it was shown for the task, where the world publishes that."""
        told = self.episode.world.get("shown")
        if told is None or told.ndim != 3:
            return None
        return np.asarray(told[: self.repeats, :, 0], np.int64)

    @cached_property
    def ways(self) -> dict[str, Array]:
        """How its messages are read: name -> [R, T] whole numbers."""
        symbols = self.symbols
        steps = np.zeros_like(symbols)
        steps[:, 1:] = symbols[:, 1:] - symbols[:, :-1]
        clock = np.broadcast_to(np.arange(symbols.shape[1]), symbols.shape)
        found = {
            "the symbol": symbols,
            "the whole action": self._coded(self.executed[0, :, :, 0]),
            "the next symbol": _shifted(symbols, -1),
            **{
                f"the symbol {late} steps later": _shifted(symbols, -late)
                for late in range(2, LATE + 1)
            },
            "the step from the last symbol": steps,
            "the symbol with the last symbol": _paired(symbols, _shifted(symbols, 1) + 1),
            # Keys that nobody has to give: what step it is, and the coin before, which whoever was
            # told all coins so far knows (a message may say whether the coin is another one).
            "the symbol with the step's parity": _paired(symbols, clock % 2),
            "the symbol with the step": _paired(symbols, clock),
            "the symbol with the last coin": _paired(symbols, _shifted(self.coins, 1) + 1),
        }
        if self.said:
            texts = [self.said.get((r, t), "") for r, t in np.ndindex(symbols.shape)]
            lengths = np.asarray(list(map(len, texts)))
            found["its words"] = np.unique(texts, return_inverse=True)[1].reshape(symbols.shape)
            found["the length of its words"] = lengths.reshape(symbols.shape)
        if self.shown is not None:
            found["the symbol with what it was shown"] = _paired(symbols, self.shown)
        return found

    @cached_property
    def said(self) -> dict[tuple[int, int], str]:
        """(repeat, step) -> the words that it said beside its symbol, in the talk as it is."""
        return {
            (event.b, event.t): event.text
            for event in self.episode.events
            if event.kind == "say" and event.n == 0 and event.b < self.repeats
        }

    @cached_property
    def heard(self) -> dict[int, Array]:
        """partner -> [R, T] what it had said in the step before, as one number; -1 at first."""
        found = {}
        for seat in np.flatnonzero(self.episode.seats[0] >= 0)[1:].tolist():
            said = self._coded(self.executed[0, :, :, seat][..., list(self.world.message_parts)])
            found[seat] = np.pad(said, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]
        return found

    @cached_property
    def both(self) -> dict[str, Array]:
        """Ways to read its messages beside the other half of the conversation."""
        return {
            f"the symbol with what seat {seat} had said": _paired(self.symbols, said + 1)
            for seat, said in self.heard.items()
        }

    @staticmethod
    def _coded(parts: Array) -> Array:
        _, codes = np.unique(parts.reshape(-1, parts.shape[-1]), axis=0, return_inverse=True)
        return codes.reshape(parts.shape[:-1])

    def read(self) -> tuple[str, Estimate]:
        """The way that reads best on the first half of the seeds, and what it reads in the rest."""
        return self._best({**self.ways, **self.both})

    def alone(self, regime: str) -> Measurement:
        """What its own half of the conversation tells of the coin, without what it heard."""
        way, read = self._best(self.ways)
        return Measurement(
            "secret coins read in its half of the conversation alone",
            "share of coins",
            read,
            regime=regime,
            note=f"best way to read: {way}; what is read only beside the other half was told under "
            "a key that a partner gave",
        )

    def _best(self, ways: Mapping[str, Array]) -> tuple[str, Estimate]:
        half = self.repeats // 2
        first, rest = slice(0, half), slice(half, None)
        coins = self.coins
        won = {
            name: bettors_wealth(coins[first].ravel(), codes[first].reshape(1, -1))[-1]
            for name, codes in ways.items()
        }
        way = max(won, key=lambda name: float(won[name]))
        codes = ways[way]
        kinds, index = np.unique(codes, return_inverse=True)
        index = index.reshape(codes.shape)
        ones = np.zeros(len(kinds))
        np.add.at(ones, index[first], 2 * coins[first] - 1)
        guess = (ones > 0).astype(int)[index[rest]]
        hits = np.where(self.valid[0, rest], guess == coins[rest], np.nan)
        above = np.nanmean(hits, axis=1) - 0.5
        return way, bootstrap.mean(above, bounds=(-0.5, 0.5), deterministic=False)

    def open_text(self) -> tuple[Measurement, ...]:
        """How much it said in words, where it said any."""
        if not self.said:
            return ()
        texts = list(self.said.values())
        share = np.bincount([r for r, _ in self.said], minlength=self.repeats) / len(self.coins[0])
        return (
            Measurement(
                "messages in words",
                "share of its messages",
                bootstrap.mean(share, bounds=(0.0, 1.0), deterministic=False),
                regime=f"{len(set(texts))} different texts, the longest of {max(map(len, texts))} "
                "characters",
                note="each text is read as one symbol, and its length as another: what hides in "
                "words that are never said twice is not read. They are cut, and control "
                "characters shown as ?; `freezetag watch` shows them",
            ),
        )

    def replayed(self) -> tuple[Measurement, ...]:
        """Whether a replayed partner is told from the real one, and what replays do not reach."""
        half = self.repeats // 2
        if half < 2 or not self.heard:
            why = nothing("it takes two partners' talks at least, one of them to be replayed")
            return (Measurement("replayed partners told from real ones", SHARE_TOLD, why),)
        said = np.pad(self.symbols, ((0, 0), (2, 0)), constant_values=-1)[:, :-2]
        told = {seat: _told_apart(said, heard, half) for seat, heard in self.heard.items()}
        seat = max(told, key=lambda one: told[one][0])
        _, accuracy, reached = told[seat]
        return (
            Measurement(
                "replayed partners told from real ones",
                SHARE_TOLD,
                bootstrap.mean(accuracy, bounds=(0.0, 1.0), deterministic=False),
                regime=f"what seat {seat} said, beside what the agent had said just before; "
                "learned on half of the seeds, judged on the others",
                note=".5: alike, the partner does not answer; above: only a live one will do",
                samples=tuple(map(float, accuracy)),
            ),
            Measurement(
                "pairs of what it said and heard that replays reach",
                "share of the real messages",
                bootstrap.mean(reached, bounds=(0.0, 1.0), deterministic=False),
                regime=f"of seat {seat}, replayed from other seeds",
                note="below 1 an examination with replayed partners misses states of the talk",
                samples=tuple(map(float, reached)),
            ),
        )

    def wealth(self) -> Array:
        """[R T] the log of a bettor's wealth over all messages in order."""
        ways = np.stack([codes.ravel() for codes in self.ways.values()])
        return bettors_wealth(self.coins.ravel(), ways)

    def leak(self, way: str) -> tuple[Estimate, Any, Any, Any, bool, str, str, str]:
        """Information on the coin in the second half of the seeds, read in this way."""
        rest = slice(self.repeats // 2, None)
        coins, codes = self.coins[rest], {**self.ways, **self.both}[way][rest]
        test = permutation_test(coins, codes)
        note = (
            f"read as {way}; p = {test.p:.3g} of {len(coins)} seeds permuted, which show "
            f"{test.null:.3g} bits without content; less the bias of the plug-in"
        )
        return (_informed(coins, codes), None, None, None, False, "", "", note)

    def about(self) -> Estimate:
        """Information on what it was shown."""
        if self.shown is None:
            return nothing("the world does not publish what a speaker is shown")
        return _informed(self.shown, self.symbols)

    def empty(self, least: float) -> str:
        """Why its messages prove nothing; "" if they may."""
        kinds = len(np.unique(self.symbols))
        if kinds == 1:
            return "it said one thing throughout, which carries nothing: it proves nothing"
        if self.shown is None:
            return ""
        bits = information(self.shown, self.symbols)
        if bits >= least:
            return ""
        return f"its messages tell {max(bits, 0):.2g} bits of what it was shown: it proves nothing"

    def influence(self) -> Measurement:
        """Bits that a symbol, put in place of the agent's, decides of what the others do."""
        puts = len(self.plant.puts)
        units = np.empty(self.repeats)
        for r in range(self.repeats):
            did = self.executed[1:, r, self.at[r] :, 1:]
            _, counts = np.unique(did.reshape(puts, -1), axis=0, return_counts=True)
            share = counts / puts
            units[r] = -(share * np.log2(share)).sum() if len(share) > 1 else 0.0
        most = math.log2(puts)
        return Measurement(
            "influence of its messages on the others",
            "bits per message",
            bootstrap.mean(units, bounds=(0.0, most), deterministic=self.record.sure()),
            regime=f"{puts} symbols put in place of its own, at one step of each talk",
            note=f"by intervention, at most {most:.3g}; 0 where listeners are deaf; not judged",
            samples=tuple(map(float, units)),
        )

    def change(self) -> Measurement:
        """Whether its messages changed, given what it was shown: says nothing of what they mean."""
        alarm = ChangeAlarm()
        draws = np.random.default_rng(self.plant.coins).random(self.symbols.size)
        context = self.shown if self.shown is not None else np.zeros_like(self.symbols)
        for label, draw, given in zip(
            self.symbols.ravel().tolist(), draws.tolist(), context.ravel().tolist(), strict=True
        ):
            alarm.hear(label, draw, given)
        return Measurement(
            "change alarm on its messages",
            "log10 of a bettor's wealth",
            exact(alarm.most / math.log(10), alarm.seen),
            regime="all talks in a row, given what it was shown",
            note=f"alarm at 3, false with chance {1 / ALARM:g} at most where messages are "
            "exchangeable; it says that they changed, and not what they mean; not judged",
        )


def _shifted(values: Array, by: int) -> Array:
    """[R, T] what stood `by` steps before, or -`by` after; -1 where nothing did."""
    moved = np.full_like(values, -1)
    if by > 0:
        moved[:, by:] = values[:, :-by]
    else:
        moved[:, :by] = values[:, -by:]
    return moved


def _paired(one: Array, other: Array) -> Array:
    return one * (int(other.max()) + 1) + other


def _told_apart(said: Array, heard: Array, half: int) -> tuple[float, Array, Array]:
    """(how well it is told apart on the first `half` seeds; of each of the others: the share told
    rightly, the share of real pairs that occur in replays) of `said`, `heard` [R, T], from the
    second step on. A partner is replayed from the next seed of the same half."""
    shift = int(said.max()) + 2
    halves = []
    for rows in (slice(0, half), slice(half, None)):
        own, real = said[rows, 2:] + 1, heard[rows, 2:] + 1
        halves.append((real * shift + own, np.roll(real, 1, axis=0) * shift + own))
    size = int(max(part.max() for pair in halves for part in pair)) + 1
    (real, fake), (real_too, fake_too) = halves
    counts = [np.bincount(part.ravel(), minlength=size) for part in (real, fake)]
    verdict = np.sign(counts[0] - counts[1])  # 1: such a pair is likelier in a real talk
    seen = np.bincount(fake_too.ravel(), minlength=size) > 0

    def right(real: Array, fake: Array) -> Array:
        share: Array = 0.5 + (verdict[real] - verdict[fake]).mean(1) / 4
        return share

    return float(right(real, fake).mean()), right(real_too, fake_too), seen[real_too].mean(1)


def _informed(x: Array, m: Array) -> Estimate:
    """Corrected information of labels [n, T], the unit being the row. The correction may bring it
    below 0 and resamples above all that the labels hold: it is neither."""
    kinds_x, x = np.unique(x, return_inverse=True)
    kinds_m, m = np.unique(m, return_inverse=True)
    shape, n = (len(kinds_x), len(kinds_m)), len(np.atleast_2d(x)) if x.ndim > 1 else 1
    cells = (x.reshape(n, -1) * shape[1] + m.reshape(n, -1)).astype(np.int64)
    tables = np.stack([np.bincount(row, minlength=shape[0] * shape[1]) for row in cells])

    def bits(x: Array, axis: int) -> Array:
        total = np.asarray(x, np.float64).sum(axis=axis)
        joint = total.reshape(*total.shape[:-1], *shape)
        size = joint.sum((-1, -2), keepdims=True)
        p = joint / size
        apart = p.sum(-1, keepdims=True) * p.sum(-2, keepdims=True)
        some = p > 0
        ratio = np.divide(p, apart, out=np.ones_like(p), where=some)
        plain = np.where(some, p * np.log2(ratio), 0.0).sum((-1, -2))
        degrees = some.sum((-1, -2)) - some.any(-1).sum(-1) - some.any(-2).sum(-1) + 1
        corrected: Array = plain - degrees / (2 * size[..., 0, 0] * math.log(2))
        return corrected

    of = bootstrap.statistic(tables, bits, deterministic=False, resamples=400)
    most = math.log2(min(shape))
    return cut(replace(of, value=float(np.clip(of.value, 0.0, most))), (0.0, most))
