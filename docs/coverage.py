"""Write docs/coverage.md: how often the estimators' 95 % intervals hold the truth, by simulation.

    python docs/coverage.py              # all cases, the page (minutes)
    python docs/coverage.py --runs 50 --out -

Every case draws its samples from a law whose true value is known, with a constant seed, and
counts. Quick looks at the same are in tests/estimators; this one has more laws, sizes and runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from freezetag.estimators import bootstrap, intervals, ranking
from freezetag.estimators.estimate import Estimate
from freezetag.estimators.survival import log_rank

PAGE = Path(__file__).with_name("coverage.md")
SEED = 20_261
TOP = """# Coverage

How often a 95 % interval holds the true value, by simulation: {runs} samples a row. An interval is
honest if that is near 95 % or above it; below 90 % the column *covers* is bold. Written by
`python docs/coverage.py`.

"""


class Case(NamedTuple):
    """One row: what is estimated, from what, and the samples that show it."""

    law: str
    n: int
    draw: Callable[[np.random.Generator], Any]
    of: Callable[[Any], Estimate]
    truth: float


def ring(n: int) -> np.ndarray:
    """Each beats the next; all other matches are draws."""
    a = np.zeros((n, n))
    a[np.arange(n), np.arange(1, n + 1) % n] = 1
    return a - a.T


def ladder(n: int) -> np.ndarray:
    return -np.subtract.outer(np.arange(n), np.arange(n)) / (n - 1)


NOISES: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "0.3 normal": lambda rng, r, n: 0.3 * rng.normal(size=(r, n, n)),
    "2 Student t, 3 d.f.": lambda rng, r, n: 2 * rng.standard_t(3, size=(r, n, n)),
    "1 shared by a player's matches": lambda rng, r, n: (
        rng.normal(size=(r, n, 1)) + 0.5 * rng.normal(size=(r, n, n))
    ),
}


def shares() -> Iterator[tuple[str, Case]]:
    for n in (3, 9, 31):
        truths = {"ladder": ladder(n), "cycle": ring(n), "both": ladder(n) + 0.5 * ring(n)}
        for name, a in truths.items():
            share = float(ranking.cyclic_share(a))
            change = share - float(ranking.cyclic_share(a[1:, 1:])) if n > 3 else share
            for repeats in (4, 8, 16, 50):
                for kind, noise in NOISES.items():
                    law = f"{name} of {n}, noise {kind}"

                    def draw(
                        rng: np.random.Generator,
                        a: np.ndarray = a, r: int = repeats, n: int = n, noise: Any = noise,
                    ) -> np.ndarray:  # fmt: skip
                        return a + noise(rng, r, n)

                    yield "cyclic share", Case(
                        law, repeats, draw,
                        lambda x: ranking.ranking(x, resamples=2).cyclic, share,
                    )  # fmt: skip
                    yield (
                        "change of the cyclic share by one player",
                        Case(law, repeats, draw, ranking.cyclic_change, change),
                    )


def means() -> Iterator[tuple[str, Case]]:
    laws: dict[str, tuple[Callable[..., np.ndarray], float, tuple[float, float] | None]] = {
        "normal": (lambda rng, n: rng.normal(size=n), 0.0, None),
        "exponential": (lambda rng, n: rng.exponential(size=n), 1.0, None),
        "lognormal, sigma 1": (lambda rng, n: rng.lognormal(0, 1, n), math.exp(0.5), None),
        "lognormal, sigma 2": (lambda rng, n: rng.lognormal(0, 2, n), math.exp(2), None),
        "10 in 10 %, else about 0": (
            lambda rng, n: 10 * (rng.random(n) < 0.1) + 0.1 * rng.normal(size=n), 1.0, None),
        "event of 2 %": (lambda rng, n: 1.0 * (rng.random(n) < 0.02), 0.02, None),
        "event of 2 %, range known": (lambda rng, n: 1.0 * (rng.random(n) < 0.02), 0.02, (0, 1)),
        "event of 20 %, range known": (lambda rng, n: 1.0 * (rng.random(n) < 0.2), 0.2, (0, 1)),
        "amount in 10 %, range known": (
            lambda rng, n: (rng.random(n) < 0.1) * rng.beta(2, 2, size=n), 0.05, (0, 1)),
        "beta(1/2, 2), range known": (lambda rng, n: rng.beta(0.5, 2, size=n), 0.2, (0, 1)),
    }  # fmt: skip
    for law, (draw, truth, bounds) in laws.items():
        for n in (8, 15, 30, 60):
            for title, of in (
                ("bootstrap.mean", bootstrap.mean),
                ("intervals.student_t", intervals.student_t),
            ):
                yield title, Case(
                    law, n, lambda rng, d=draw, n=n: d(rng, n),
                    lambda x, of=of, b=bounds: of(x, bounds=b), truth,
                )  # fmt: skip


def alarms(runs: int) -> Iterator[str]:
    """How often the log-rank test calls two equal arms different at 5 %."""
    yield "## log_rank: false alarms at 5 %\n\n| units an arm | false alarms |\n|---|---|\n"
    for n in (5, 10, 25, 60):
        rng, count = np.random.default_rng(SEED), 0
        for _ in range(runs):
            t = rng.exponential(10, size=(2, n))
            times, seen = np.minimum(t, 12), t <= 12
            count += log_rank(times[0], seen[0], times[1], seen[1]).p_value <= 0.05
        yield f"| {n} | {count / runs:.1%} |\n"


def page(runs: int) -> str:
    parts, title = [TOP.format(runs=runs)], ""
    found = sorted((*shares(), *means()), key=lambda pair: pair[0])
    for name, case in found:
        if name != title:
            title = name
            parts.append(
                f"## {title}\n\n| law | n | covers | above by mistake | below by mistake | "
                "median width |\n|---|---|---|---|---|---|\n"
            )
        parts.append(_row(case, runs))
    return "".join((*_spaced(parts), "\n", *alarms(runs)))


def _spaced(parts: list[str]) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield f"\n{part}" if part.startswith("## ") and number > 1 else part


def _row(case: Case, runs: int) -> str:
    rng = np.random.default_rng(SEED)
    of = [case.of(case.draw(rng)) for _ in range(runs)]
    slack = 1e-9
    covered = np.mean([e.low - slack <= case.truth <= e.high + slack for e in of])
    above = np.mean([e.p_above(case.truth + slack) <= 0.05 for e in of])
    below = np.mean([e.p_below(case.truth - slack) <= 0.05 for e in of])
    width = float(np.median([e.high - e.low for e in of]))
    share = f"{covered:.1%}" if covered >= 0.9 else f"**{covered:.1%}**"
    wide = f"{width:.3g}" if math.isfinite(width) else "∞"
    return f"| {case.law} | {case.n} | {share} | {above:.1%} | {below:.1%} | {wide} |\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--out", default=str(PAGE), help="a path, or - for the screen")
    asked = parser.parse_args()
    text = page(asked.runs)
    if asked.out == "-":
        print(text)
    else:
        Path(asked.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
