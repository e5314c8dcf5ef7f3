"""Show a card, or write it as Markdown, JUnit XML or JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def card(run: Path, /, *, format: Literal["table", "markdown", "junit", "json"] = "table") -> None:
    """Show the card of a run.

    Parameters
    ----------
    run
        a run folder (runs/latest) or a card.json
    format
        table (all rows), markdown, junit (for a CI's test tab) or json
    """
    from freezetag.report import junit, markdown, schema, terminal

    found = schema.read_json(existing(run))
    if format == "table":
        terminal.print_card(found, every=True)
    elif format == "markdown":
        print(markdown.write_markdown(found), end="")
    elif format == "junit":
        print(junit.write_junit(found), end="")
    else:
        print(schema.write_json(found), end="")


def existing(run: Path) -> Path:
    """The card.json that a run folder or a path means. Raises `UserError`."""
    from freezetag.core.errors import UserError

    file = run / "card.json" if run.is_dir() else run
    if not file.exists():
        raise UserError(f"there is no card at {run}. `freezetag examine AGENT` writes one.")
    return file
