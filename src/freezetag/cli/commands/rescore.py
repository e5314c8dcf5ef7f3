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
    from freezetag.report.terminal import can_write, console_of

    found = scoring.rescore(run)
    paths = scoring.save(found, run)
    if json_:
        data = {**scoring.as_json(found), "card": str(paths["card.json"])}
        print(json.dumps(data, indent=1, allow_nan=False))
        return 0
    console = console_of()
    arrow = "→" if can_write(console, "→") else "->"
    for each in found.sections:
        same = [each.old.verdict, each.new.verdict]
        verdicts = same[0] if same[0] == same[1] else f"{same[0]} {arrow} {same[1]}"
        print(f"{words.title(each.old.probe)}, {words.plain(each.old.world)}: {verdicts}")
        before, after = each.old.headline, each.new.headline
        if before is not None and after is not None:
            old, new = words.measured(before), words.measured(after)
            print(f"  {words.plain(after.name)}: {old if old == new else f'{old} {arrow} {new}'}")
        for reason in each.with_old:
            print(f"  does not compare with the first card: {words.plain(reason)}")
        for reason in each.with_today:
            if reason not in each.with_old:
                print(f"  does not compare with cards of today: {words.plain(reason)}")
    even = sum(not each.with_old for each in found.sections)
    print(f"{even} of {len(found.sections)} checks compare with the first card.")
    print(
        f"card {paths['card.html']}   compare: freezetag compare {run} {paths['card.json'].parent}"
    )
    return 0
