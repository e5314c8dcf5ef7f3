"""Show a card, or write it as Markdown, JUnit XML or JSON."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal


def card(
    run: Path,
    /,
    *,
    format: Literal["table", "markdown", "junit", "json"] = "table",
    into_inspect: Path | None = None,
) -> int:
    """Show the card of a run, and whether the files of its folder are those that were written. A
    card that was changed is shown, with what contradicts its results on standard error, and the
    exit code is 1; as it is where another file was changed.

    Parameters
    ----------
    run
        a run folder (runs/latest) or a card.json
    format
        table (all rows), markdown, junit (for a CI's test tab) or json
    into_inspect
        write the verdicts as scores into a copy of the Inspect log that was examined, by this name
    """
    from freezetag.report import junit, manifest, markdown, schema, terminal
    from freezetag.report.words import plain

    file = existing(run)
    found = schema.read_json(file)
    if into_inspect is not None:
        from freezetag.report.inspect_scores import into_inspect as write

        print(f"log with verdicts {plain(write(found, into_inspect))}", file=sys.stderr)
    if format == "table":
        terminal.print_card(found, every=True)
    elif format == "markdown":
        print(markdown.write_markdown(found), end="")
    elif format == "junit":
        print(junit.write_junit(found), end="")
    else:
        print(schema.write_json(found), end="")
    if wrong := schema.altered(file):
        print(
            f"freezetag: {plain(file)} is not as it was written: {plain(wrong)}.", file=sys.stderr
        )
        return 1
    folder, given = file.parent, run if run.is_dir() else file
    if wrong := manifest.changed(given, found):
        print(
            f"freezetag: the run in {plain(folder)} is not as it was written: {plain(wrong)}.",
            file=sys.stderr,
        )
        return 1
    if listed := manifest.digest(folder):
        print(f"files as written: {manifest.FILE} {listed}", file=sys.stderr)
    elif untold := manifest.unlisted(given, found):
        print(plain(untold), file=sys.stderr)
    return 0


def existing(run: Path) -> Path:
    """The card.json that a run folder or a path means. Raises `UserError`."""
    from freezetag.core.errors import UserError

    file = run / "card.json" if run.is_dir() else run
    if not file.exists() and (run / "spec.toml").exists():
        raise UserError(
            f"the run in {run} ended before its card was written. "
            f"Go on with: freezetag examine --resume {run}"
        )
    if not file.exists():
        raise UserError(f"there is no card at {run}. `freezetag examine AGENT` writes one.")
    return file
