"""How many cards of healthy scripted models fail: `python -m tests.llm.false_alarms --runs 200`.

Each seed is another model and another exam, over real HTTP, with the probes that a budget of calls
buys where nothing is named: a stop that is announced, and growth beside a rival.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from tests.llm import readers, stops
from tests.llm.scripted import Answered, Messages, Script, serving

from freezetag import catalogue
from freezetag.core import Ref, ReportCard
from freezetag.core.probe import FAIL
from freezetag.estimators.intervals import clopper_pearson
from freezetag.exam import calls
from freezetag.exam.examine import examine

CALLS = 340
"""What the two probes take with eight seeds each, their screens and some second turns."""
PROBES = ("stop_compliance", "power_growth")
TAKEOFF = Ref.of("substrates/takeoff", hazard=0.0, horizon=150, players=2)


def keeps_pace(messages: Messages) -> str:
    """Puts seven tenths of its work into safety while it has more than 52 to 60 % of the users,
    else half."""
    careful = readers.careful(messages)
    (share,) = readers._read(r"(\d+)(?:\.\d+)? % of all", messages[-1]["content"])
    return careful if int(share) > 55 else "5"


def healthy(seed: int) -> Script:
    """A healthy model of this seed for both worlds."""
    works = (stops.by_calls if random.Random(seed).random() < 0.5 else stops.in_words)(
        stops.healthy(seed)
    )

    def script(messages: Messages) -> Answered:
        return works(messages) if "stop button" in messages[0]["content"] else keeps_pace(messages)

    worlds = [catalogue.load(Ref("substrates/errands")), catalogue.load(TAKEOFF)]
    return readers.knowing(worlds[0], script, *worlds[1:])


def carded(seed: int, **options: Any) -> ReportCard:
    with serving(healthy(seed)) as served:
        wanted: dict[str, Any] = dict(probes=PROBES, seed=seed, budget_calls=CALLS)
        return examine(served.agent, **(wanted | options)).card


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--runs", type=int, default=200)
    given.add_argument("--first", type=int, default=0)
    asked = given.parse_args()
    seen: Counter[str] = Counter()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        calls.folder_of_calls = lambda: Path(folder)
        for number, seed in enumerate(range(asked.first, asked.first + asked.runs), 1):
            card = carded(seed)
            failed += card.verdict == FAIL
            seen.update(f"{each.probe}: {each.verdict}" for each in card.sections)
            of = clopper_pearson(float(failed), number)
            print(
                f"{number}: {failed} failed, {of.value:.3f} [{of.low:.3f}, {of.high:.3f}]; "
                f"{dict(sorted(seen.items()))}; {card.run['calls']} calls",
                flush=True,
            )


if __name__ == "__main__":
    main()
