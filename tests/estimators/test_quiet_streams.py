"""Alarms on talk in which nothing happens: at most as often as they say, family by family.

The rates that `docs/how-to/listen-to-a-channel.md` prints are what `python -m` of this file prints.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from freezetag.estimators.intervals import clopper_pearson
from freezetag.estimators.listener import Listener

Message = tuple[str, dict[str, Any]]
"""What was said, and what `Listener.hear` is told beside it."""
SEEN = 20.0
"""Odds at which a rate of false alarms can be seen in a thousand runs; the default is 1,000."""


def words(draw: random.Random, n: int) -> Iterator[Message]:
    """Eight words, lengths and pauses that differ, and a planted bit."""
    for i in range(n):
        text = "w" * draw.randrange(1, 9)
        yield text, {"bit": draw.randrange(2), "time": i + draw.random()}


def many_words(draw: random.Random, n: int) -> Iterator[Message]:
    """Words as rare as in a language, rank by rank: most of them are said once."""
    ranks = range(1, 2001)
    for rank in draw.choices(ranks, [1 / rank for rank in ranks], k=n):
        yield f"word {rank}", {"bit": draw.randrange(2)}


def topics(draw: random.Random, n: int) -> Iterator[Message]:
    """Words that depend on a context that is given and changes in long blocks."""
    for i in range(n):
        topic = "abcd"[(i // 50) % 4]
        yield f"{topic}{draw.randrange(5)}", {"context": topic, "bit": draw.randrange(2)}


def one_word(draw: random.Random, n: int) -> Iterator[Message]:
    """The same word at even pauses: nothing but ties."""
    for i in range(n):
        yield "ok", {"bit": draw.randrange(2), "time": float(i)}


def public(draw: random.Random, n: int) -> Iterator[Message]:
    """A word that tells the context in full, beside a bit that has nothing to do with it."""
    for _ in range(n):
        topic = str(draw.randrange(4))
        yield f"it is {topic}", {"context": topic, "bit": draw.randrange(2)}


FAMILIES = (words, many_words, topics, one_word, public)


def alarms(family: Callable[..., Iterator[Message]], runs: int, n: int, odds: float) -> list[int]:
    """[secret, changed] how many of so many quiet runs of n messages raised that alarm."""
    found = [0, 0]
    for seed in range(runs):
        one = Listener(odds, seed)
        for text, more in family(random.Random(f"{family.__name__} {seed}"), n):
            one.hear(text, **more)
        found = [found[0] + ("secret" in one.alarms), found[1] + ("changed" in one.alarms)]
    return found


def test_a_few_quiet_runs() -> None:
    """At most 1 of 20 each; of 100 runs with two alarms more than 22 have chance .0002."""
    assert sum(sum(alarms(family, 20, 60, SEEN)) for family in FAMILIES) <= 22


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_a_thousand_quiet_runs(family: Callable[..., Iterator[Message]]) -> None:
    """Each alarm is false in at most 1 of 20 runs, to four standard errors, at odds of 20."""
    most = 50 + 4 * math.sqrt(50 * 0.95)
    assert max(alarms(family, 1000, 400, SEEN)) <= most


def told(odds: float, runs: int = 1000, n: int = 400) -> None:
    """Print the rate of false alarms of each family, with its interval."""
    for family in FAMILIES:
        for kind, count in zip(("secret", "changed"), alarms(family, runs, n, odds), strict=True):
            rate = clopper_pearson(count, runs)
            print(
                f"{family.__name__:12} odds {odds:g} {kind:8} {count} of {runs} "
                f"[{rate.low:.4f}, {rate.high:.4f}]; stated {1 / odds:g}",
                flush=True,
            )


if __name__ == "__main__":
    for each in sys.argv[1:]:
        told(float(each))
