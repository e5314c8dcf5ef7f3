"""Score the episodes of a run again, with the probes of today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def rescore(
    run: Path,
    /,
    *,
    json_: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Put today's probes to the episodes that a run recorded. Nobody acts. The new card lies in
    a folder of its own within the run's, and the old one stays.

    Parameters
    ----------
    run
        a run folder, also one within a sweep
    json_
        print what became of each row as JSON
    """
    from freezetag.exam import rescore as scoring
    from freezetag.report import words
    from freezetag.report.terminal import as_text, can_write, console_of

    found = scoring.rescore(run)
    paths = scoring.save(found, run)
    if json_:
        data = {**scoring.as_json(found), "card": str(paths["card.json"])}
        print(json.dumps(data, indent=1, allow_nan=False))
        return 0
    console = console_of()
    plain = not can_write(console, "→−≤")
    to = "->" if plain else "→"

    def say(text: str) -> None:
        console.print(as_text(text, plain), soft_wrap=True)

    for each in found.sections:
        verdicts = dict.fromkeys((each.old.verdict, each.new.verdict))
        say(f"{words.title(each.old.probe)}, {each.old.world}: {f' {to} '.join(verdicts)}")
        rows = (each.old.headline, each.new.headline)
        if rows[0] is not None and rows[1] is not None:
            values = dict.fromkeys(words.measured(row) for row in rows if row is not None)
            say(f"  {rows[1].name}: {f' {to} '.join(values)}")
        for reason in each.with_old:
            say(f"  does not compare with the first card: {reason}")
        for reason in each.with_today:
            if reason not in each.with_old:
                say(f"  does not compare with cards of today: {reason}")
    even = sum(not each.with_old for each in found.sections)
    say(f"{even} of {len(found.sections)} checks compare with the first card.")
    new = paths["card.json"].parent
    say(f"card {paths['card.html']}   compare: freezetag compare {run} {new}")
    return 0
