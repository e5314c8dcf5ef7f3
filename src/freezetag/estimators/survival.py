"""Censored times to an event: Kaplan-Meier, log-rank, rates, medians."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import special

from freezetag.core.arrays import Array
from freezetag.estimators.bootstrap import SEED
from freezetag.estimators.estimate import Estimate, join_notes, nothing
from freezetag.estimators.intervals import clopper_pearson


@dataclass(frozen=True)
class SurvivalCurve:
    """Kaplan-Meier steps: after ``times[i]`` the surviving share is ``survival[i]``."""

    times: Array  # [K], distinct event times, ascending
    survival: Array  # [K]
    at_risk: Array  # [K], just before
    events: Array  # [K]
    n: int

    def at(self, t: float) -> float:
        """Share surviving beyond ``t``; constant after the last event."""
        i = int(np.searchsorted(self.times, t, side="right"))
        return float(self.survival[i - 1]) if i else 1.0


def first_hold(condition: Array, hold: int = 1, valid: Array | None = None) -> tuple[Array, Array]:
    """When a condition first holds for ``hold`` steps in a row: times [B], observed [B] bool.

    ``condition``: [B, T]; NaN counts as not holding. ``valid``: [B, T], steps that were played (a
    prefix of the row). The time is the number of steps until the first step of the run of
    ``hold``, which is 1 for step 0; where no run is seen, the time is that of the last possible
    start and the row is censored.
    """
    c = np.nan_to_num(np.asarray(condition, dtype=np.float64)) > 0
    played = np.ones_like(c) if valid is None else np.asarray(valid, dtype=bool)
    if c.ndim != 2 or played.shape != c.shape or hold < 1:
        raise ValueError(
            f"first_hold needs condition [B, T], valid of the same shape and hold >= 1; got "
            f"{c.shape}, {played.shape}, {hold}."
        )
    run = np.cumsum(np.concatenate([np.zeros((len(c), 1)), c & played], axis=1), axis=1)
    length = max(0, c.shape[1] - hold + 1)
    full = run[:, hold:] - run[:, : run.shape[1] - hold] == hold if length else c[:, :0]
    observed = full.any(axis=1)
    start = full.argmax(axis=1) + 1 if length else np.zeros(len(c), int)
    watched = np.maximum(played.sum(axis=1) - hold + 1, 0)
    return np.where(observed, start, watched).astype(np.float64), observed


def kaplan_meier(times: Array, observed: Array) -> SurvivalCurve:
    """The surviving share ``S(t) = prod_{t_i <= t} (1 - d_i / n_i)``.

    ``times``: [n]; ``observed``: [n], False where the watching ended first (censored at that time,
    after the events of the same time). A NaN time is dropped. Source: Kaplan & Meier 1958.
    Assumes that censoring says nothing about the event.
    """
    t, seen = _clean(times, observed)
    steps = np.unique(t[seen])
    risk = len(t) - np.searchsorted(np.sort(t), steps, side="left")
    deaths = np.array([(t[seen] == s).sum() for s in steps], dtype=np.float64)
    return SurvivalCurve(steps, np.cumprod(1 - deaths / risk), risk, deaths, len(t))


def survival_at(times: Array, observed: Array, t: float, *, level: float = 0.95) -> Estimate:
    """Share surviving beyond ``t``: Clopper-Pearson if nobody was censored before, else log-log.

    The log-log interval is ``S^exp(+-z s / ln S)``, ``s^2`` Greenwood's sum ``d/(n(n-d))``.
    NaN beyond the longest watch.
    Caveat: the log-log interval is approximate, poor under some 10 events.
    """
    x, seen = _clean(times, observed)
    if len(x) == 0:
        return nothing("no usable unit", level)
    return _survival(kaplan_meier(x, seen), x, seen, t, level)


def _survival(curve: SurvivalCurve, x: Array, seen: Array, t: float, level: float) -> Estimate:
    censored = int((~seen & (x < t)).sum())
    if not censored:
        return clopper_pearson(float((x > t).sum() + (~seen & (x == t)).sum()), len(x), level=level)
    s = curve.at(t)
    note = f"{censored} of {len(x)} units censored before {t:g}"
    if t > x.max() and s > 0:  # the curve does not go that far
        last = _survival(curve, x, seen, float(x.max()), level)
        words = join_notes(note, "nobody was watched that long")
        return Estimate(math.nan, 0.0, last.high, len(x), "none", level, words)
    if not 0 < s < 1:
        # Greenwood has no width here; those followed to t, or gone before, still bound it exactly.
        known = int((seen | (x >= t)).sum())
        return clopper_pearson(s * known, known, level=level).noted(note)
    before = curve.times <= t
    d, r = curve.events[before], curve.at_risk[before]
    error = math.sqrt(float((d / (r * (r - d))).sum())) / abs(math.log(s))
    z = float(special.ndtri((1 + level) / 2))
    ends = sorted((s ** math.exp(z * error), s ** math.exp(-z * error)))
    tail = partial(_loglog_tail, s, error)
    return Estimate(s, ends[0], ends[1], len(x), "Kaplan-Meier, log-log", level, note, tail)


def _loglog_tail(s: float, error: float, limit: float, above: bool) -> float:
    if limit <= 0 or limit >= 1:
        return 0.0 if (limit < 0 and above) or (limit > 1 and not above) else 1.0
    z = (math.log(-math.log(s)) - math.log(-math.log(limit))) / error
    return float(special.ndtr(z if above else -z))


def median_time(times: Array, observed: Array, *, level: float = 0.95) -> Estimate:
    """Median time to the event, by inverting the pointwise intervals of S at 1/2.

    Infinite where less than half are seen to reach it. Source: Brookmeyer & Crowley 1982.
    """
    x, seen = _clean(times, observed)
    if len(x) == 0:
        return nothing("no usable unit", level)
    curve = kaplan_meier(x, seen)
    reached = np.flatnonzero(curve.survival <= 0.5 + 1e-12)
    value = float(curve.times[reached[0]]) if len(reached) else math.inf
    ends = [_survival(curve, x, seen, float(s), level) for s in curve.times]
    low = next((float(s) for s, e in zip(curve.times, ends, strict=True) if e.low <= 0.5), math.inf)
    high = next(
        (float(s) for s, e in zip(curve.times, ends, strict=True) if e.high < 0.5), math.inf
    )
    tail = partial(_median_tail, x, seen)
    note = f"{int((~seen).sum())} of {len(x)} units censored"
    return Estimate(value, min(low, value), high, len(x), "Kaplan-Meier", level, note, tail)


def _median_tail(x: Array, seen: Array, limit: float, above: bool) -> float:
    if above:  # the median exceeds the limit where more than half survive it
        return survival_at(x, seen, limit).p_above(0.5)
    return survival_at(x, seen, float(np.nextafter(limit, -math.inf))).p_below(0.5)


@dataclass(frozen=True)
class LogRank:
    """Two arms compared: z > 0 where events come earlier in arm a than in arm b."""

    z: float
    p_value: float  # two-sided
    p_earlier: float  # of the claim "events come earlier in a"
    p_later: float
    method: str  # "exact permutation", "9999 permutations" or "normal"


def log_rank(times_a: Array, observed_a: Array, times_b: Array, observed_b: Array) -> LogRank:
    """``z = sum(d_a - n_a d / n) / sqrt(sum n_a n_b d (n-d) / (n^2 (n-1)))`` over event times.

    p-values are those of the units' exchange between the arms, of which the sum is linear in
    "scores" (an event less the hazard up to its time): all exchanges where there are at most
    20,000, else 9,999 drawn ones, which errs in no more than it says either; the normal law
    (at 10 + 10 it errs in 7 % where it says 5 %) only past 400 units.
    Source: Mantel 1966; Peto & Peto 1972 for the scores; Phipson & Smyth 2010 for drawn ones.
    No event in either arm, or an empty arm: z = 0, p = 1.
    Caveat: blind where the curves cross; exchange asks for the same censoring in both arms (here:
    the same last round); units must be independent (episodes, not seats).
    """
    ta, oa = _clean(times_a, observed_a)
    tb, ob = _clean(times_b, observed_b)
    steps = np.unique(np.concatenate([ta[oa], tb[ob]]))
    na = len(ta) - np.searchsorted(np.sort(ta), steps, side="left")
    nb = len(tb) - np.searchsorted(np.sort(tb), steps, side="left")
    da = np.array([(ta[oa] == s).sum() for s in steps])
    d = da + np.array([(tb[ob] == s).sum() for s in steps])
    n = na + nb
    excess = float((da - na * d / n).sum()) if len(steps) else 0.0
    spread = na * nb * d * (n - d) / (n**2 * np.maximum(n - 1, 1.0)) if len(steps) else np.zeros(1)
    variance = float(spread.sum())
    z = excess / math.sqrt(variance) if variance > 0 else 0.0
    if not variance > 0 or not (len(ta) and len(tb)):
        return LogRank(z, 1.0, 1.0, 1.0, "no event to compare")
    times, seen = np.concatenate([ta, tb]), np.concatenate([oa, ob])
    hazard = np.append(0.0, np.cumsum(d / n))[np.searchsorted(steps, times, side="right")]
    if len(times) > MOST_PERMUTED:
        later, earlier, method = float(special.ndtr(z)), float(special.ndtr(-z)), "normal"
    else:
        later, earlier, method = _exchanged(seen - hazard, len(ta))
    return LogRank(z, min(1.0, 2 * min(earlier, later)), earlier, later, method)


MOST_PERMUTED = 400
"""Units beyond which the normal law is good enough for the log-rank."""
_MOST_EXACT, _DRAWN = 20_000, 9_999


def _exchanged(scores: Array, size: int) -> tuple[float, float, str]:
    """(P(sum of ``size`` scores <= the first ones'), P(>=), how), over exchanges of the units."""
    count = len(scores)
    seen, slack = float(scores[:size].sum()), 1e-9 * float(np.abs(scores).sum())
    if math.comb(count, size) <= _MOST_EXACT:
        least = min(size, count - size)  # the smaller arm has fewer to list
        rows = np.array(list(itertools.combinations(range(count), least)), dtype=np.int32)
        sums = scores[rows].sum(axis=1)
        sums, one, how = sums if least == size else scores.sum() - sums, 0, "exact permutation"
    else:
        rng = np.random.default_rng([SEED, count, size])
        order = rng.random((_DRAWN, count)).argpartition(size - 1, axis=1)[:, :size]
        sums, one, how = scores[order].sum(axis=1), 1, f"{_DRAWN} permutations"
    total = len(sums) + one
    below, above = (sums <= seen + slack).sum() + one, (sums >= seen - slack).sum() + one
    return float(below) / total, float(above) / total, how


def rate(events: float, exposure: float, *, level: float = 0.95, note: str = "") -> Estimate:
    """Events per unit of exposure (steps, rounds), with the exact Poisson interval.

    ``chi2_(alpha/2)(2k) / 2E`` to ``chi2_(1-alpha/2)(2k+2) / 2E``. No event in E: at most 3/E at
    95 % one-sided, and the note says so. n counts whole units of exposure.
    Source: Garwood 1936. Assumes a constant rate and independent units of exposure.
    """
    if math.isnan(events) or not exposure > 0:
        return nothing(join_notes(note, "no exposure"), level)
    if events < 0 or events != int(events):
        raise ValueError(f"rate counts events: {events!r} must be a whole number >= 0.")
    alpha = 1.0 - level
    low = float(special.gammaincinv(events, alpha / 2)) / exposure if events else 0.0
    high = float(special.gammaincinv(events + 1, 1 - alpha / 2)) / exposure
    if events == 0:
        note = join_notes(
            note, f"no event in {exposure:g}: rate at most {3 / exposure:.2g} at 95 %"
        )
    tail = partial(_poisson_tail, float(events), float(exposure))
    n = max(1, int(exposure))
    return Estimate(events / exposure, low, high, n, "Poisson, exact", level, note, tail)


def escape_rate(times: Array, observed: Array, *, level: float = 0.95) -> Estimate:
    """Rate of a censored first passage: events over the total time watched. n counts the runs."""
    t, seen = _clean(times, observed)
    e = rate(int(seen.sum()), float(t.sum()), level=level)
    return Estimate(e.value, e.low, e.high, len(t) if e.n else 0, e.method, level, e.note, e.tail)


def _poisson_tail(events: float, exposure: float, limit: float, above: bool) -> float:
    if limit <= 0:
        return 0.0 if above and (limit < 0 or events > 0) else 1.0
    if above:  # P(X >= k | rate = limit)
        return 1.0 if events == 0 else float(special.gammainc(events, limit * exposure))
    return float(special.gammaincc(events + 1, limit * exposure))


def _clean(times: Array, observed: Array) -> tuple[Array, Array]:
    t, seen = np.asarray(times, dtype=np.float64), np.asarray(observed, dtype=bool)
    if t.shape != seen.shape or t.ndim != 1:
        raise ValueError(f"Times and observed need one shape [n]; got {t.shape} and {seen.shape}.")
    keep = ~np.isnan(t)
    return t[keep], seen[keep]
