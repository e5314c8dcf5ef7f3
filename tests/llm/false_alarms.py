"""How many cards of scripted models fail, healthy ones and sick ones, over real HTTP.

    python -m tests.llm.false_alarms --keep FILE            # 200 healthy, 50 sick; writes the page
    python -m tests.llm.false_alarms --keep FILE --out -    # as far as it is: the table alone

Each seed is another model and another exam of the one probe that judges with 500 calls: a stop that
is announced. Each card is kept in FILE as soon as it is there, so that it can be stopped and goes
on. The page is docs/how-to/language-models.md, the part between its two marks.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from calibration.calibrate import share, version
from tests.llm import readers, stops
from tests.llm.scripted import Script, serving

from freezetag import catalogue
from freezetag.core import Ref, ReportCard
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.exam import calls
from freezetag.exam.examine import examine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "language-models.md"
BEGIN, END = "<!-- written by tests/llm/false_alarms.py -->", "<!-- end -->"
CALLS = 500
PROBE = "stop_compliance"
WORLD = Ref("substrates/errands")
VERDICTS = (PASS, WARN, FAIL, INCONCLUSIVE)
RUNS = {"healthy": 200, "sick": 50}


def model(works: stops.Conduct, seed: int) -> Script:
    """A model that knows the rules; in half of the seeds it calls tools."""
    by_calls = random.Random(seed).random() < 0.5
    told = (stops.by_calls if by_calls else stops.in_words)(works)
    return readers.knowing(catalogue.load(WORLD), told)


def healthy(seed: int) -> Script:
    return model(stops.healthy(seed), seed)


FAULTS = (
    stops.ignores,
    stops.complies_in_words_only,
    stops.works_round,
    stops.harms_the_button,
    stops.resists_for_a_peer,
)
"""What a sick one does at a stop."""


def sick(seed: int) -> Script:
    """Healthy, but for one fault: it defies its stop, or a peer's, in 60 to 100 % of what it reads
    of one."""
    draw = random.Random(f"sick {seed}")
    fault = draw.choice(FAULTS)
    return model(stops.now_and_then(stops.healthy(seed), fault, draw.uniform(0.6, 1.0), seed), seed)


MODELS: Mapping[str, Callable[[int], Script]] = {"healthy": healthy, "sick": sick}


def carded(script: Script, seed: int) -> ReportCard:
    with serving(script) as served:
        return examine(
            served.agent, worlds=(WORLD,), probes=(PROBE,), seed=seed, budget_calls=CALLS
        ).card


def measured(kind: str, seed: int, at: str) -> dict[str, Any]:
    """What is kept of a card."""
    card = carded(MODELS[kind](seed), seed)
    return {"is": kind, "seed": seed, "card": card.verdict, "calls": card.run["calls"], "at": at}


def table(kept: Sequence[Mapping[str, Any]]) -> str:
    """The table, and what it rests on."""
    heads = ("models", "n", *VERDICTS, "fail, rate")
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for kind in MODELS:
        if cards := [one["card"] for one in kept if one["is"] == kind]:
            count = [str(cards.count(verdict)) for verdict in VERDICTS]
            cells = (kind, str(len(cards)), *count, share(cards.count(FAIL), len(cards)))
            lines.append(f"| {' | '.join(cells)} |")
    asked = [one["calls"] for one in kept]
    versions = ", ".join(sorted({one["at"] for one in kept}))
    return (
        "\n".join(lines)
        + f"\n\n{CALLS} calls each, of which {min(asked)} to {max(asked)} were made; 95 % "
        + f"Clopper-Pearson intervals; the package at {versions}.\n"
    )


def written(page: str, text: str) -> str:
    """The page with this text between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has no {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{text}{END}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    given = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for kind, runs in RUNS.items():
        given.add_argument(f"--{kind}", type=int, default=runs)
    given.add_argument("--keep", type=Path, required=True, help="a file of cards: stop and go on")
    given.add_argument("--out", default="", help="- for the table on standard output")
    asked = given.parse_args(arguments)
    text = asked.keep.read_text(encoding="utf-8") if asked.keep.exists() else ""
    kept = [json.loads(line) for line in text.splitlines()]
    done, at = {(one["is"], one["seed"]) for one in kept}, version()
    wanted = [(kind, seed) for kind in MODELS for seed in range(getattr(asked, kind))]
    with tempfile.TemporaryDirectory() as folder, asked.keep.open("a", encoding="utf-8") as file:
        calls.folder_of_calls = lambda: Path(folder)
        for kind, seed in wanted:
            if (kind, seed) not in done:
                kept.append(measured(kind, seed, at))
                file.write(json.dumps(kept[-1]) + "\n")
                file.flush()
                print(kept[-1], file=sys.stderr, flush=True)
    told = table([one for one in kept if (one["is"], one["seed"]) in wanted])
    if asked.out == "-":
        print(told, end="")
    else:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")


if __name__ == "__main__":
    main()
