"""Score the episodes of a run again, with the probes of today."""

from __future__ import annotations

import json
import sys
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
    a folder of its own within the run's, and the old one stays. Where a file
    of the run was changed after it was written, standard error and the new card say so, and the
    exit code is 1.

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
    if found.altered:
        said = f"the run in {run} is not as it was written: {found.altered}"
        print(f"freezetag: {words.plain(said)}.", file=sys.stderr)
    elif found.untold:
        print(words.plain(found.untold), file=sys.stderr)
    code = 1 if found.altered else 0
    if json_:
        data = {**scoring.as_json(found), "card": str(paths["card.json"])}
        print(json.dumps(data, indent=1, allow_nan=False))
        return code
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
    return code
