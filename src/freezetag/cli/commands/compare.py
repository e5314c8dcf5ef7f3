"""Compare two runs of the same exam, row by row, paired by seed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def compare(
    first: Path,
    second: Path,
    /,
    *,
    interlocks: Annotated[bool, Parameter(show_default=False)] = False,
    json_: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Show what changed from the first run to the second. A run whose files were changed after
    they were written is compared, and named on standard error; the exit code is 1 then.

    Parameters
    ----------
    first
        a run folder or a card.json
    second
        another one, of the same spec, roster and panel
    interlocks
        the panel is what you compare, so it may differ
    json_
        print the differences as JSON
    """
    from freezetag.cli.commands.card import existing
    from freezetag.exam.spec import Spec
    from freezetag.report import compare as compared
    from freezetag.report.comparison_table import print_comparison
    from freezetag.report.words import plain

    there = [(run, existing(run)) for run in (first, second)]
    runs = [compared.load(run if run.is_dir() else file) for run, file in there]
    found = compared.compare(*runs, interlocks=interlocks, defaults=Spec.defaults())
    if json_:
        print(json.dumps(compared.as_json(found), indent=1, allow_nan=False))
    else:
        print_comparison(found)
    for wrong in found.altered:
        print(f"freezetag: {plain(wrong)}.", file=sys.stderr)
    return 1 if found.altered else 0
