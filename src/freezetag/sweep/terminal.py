"""The table of a sweep in a terminal, and as JSON."""

from __future__ import annotations

from typing import IO, Any

from rich.table import Table as Rich
from rich.text import Text

from freezetag.report import compare, schema, terminal, words
from freezetag.sweep.results import FAILED
from freezetag.sweep.sweep import Swept
from freezetag.sweep.table import Entry, Table


def print_table(table: Table, file: IO[str] | None = None, width: int | None = None) -> None:
    """A line for each agent: its cards by verdict, and the checks that came out worst."""
    console = terminal.console_of(file, width)
    ascii_only = not terminal.can_write(console, "✓✗−≤")
    shown = Rich(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    shown.add_column("agent", overflow="fold")
    shown.add_column("verdicts of its exams", no_wrap=True)
    shown.add_column("checks that failed or warned (seeds)", overflow="fold")
    for line in table.lines:
        verdicts = ", ".join(f"{count} {verdict}" for verdict, count in line.counts.items())
        style = terminal.STYLES.get("fail" if line.worst == FAILED else line.worst, "dim")
        bad = ", ".join(filter(None, map(_bad, line.entries)))
        reasons = dict.fromkeys(o.reason for o in line.outcomes if o.card is None)
        said = "; ".join([*filter(None, [bad]), *reasons])
        shown.add_row(
            terminal.as_text(line.agent, ascii_only),
            Text(verdicts, style=style),
            terminal.as_text(said, ascii_only),
        )
    console.print(shown)


def _bad(entry: Entry) -> str:
    counts = [
        f"{verdict}s {entry.counts[verdict]}"
        for verdict in ("fail", "warn")
        if verdict in entry.counts
    ]
    if "agent failed" in entry.counts:
        counts.insert(0, f"agent failed {entry.counts['agent failed']}")
    where = f"{words.title(entry.check.probe)} in {entry.check.world}"
    return f"{where}: {' '.join(counts)}" if counts else ""


def as_json(swept: Swept) -> dict[str, Any]:
    """The table as plain data."""
    table = swept.table
    return {
        "exams": swept.cells,
        "done": len(swept.outcomes),
        "partial": swept.partial,
        "agents": [
            {
                "agent": line.agent,
                "verdicts": line.counts,
                "worst": line.worst,
                "exams": [
                    {
                        "cell": outcome.cell.id,
                        "folder": f"cells/{outcome.cell.name}",
                        "seed": outcome.cell.spec.seed,
                        "verdict": outcome.card.verdict if outcome.card else FAILED,
                        "results_hash": schema.results_hash(outcome.card) if outcome.card else "",
                        "reason": outcome.reason,
                    }
                    for outcome in line.outcomes
                ],
                "checks": [_entry(entry) for entry in line.entries],
            }
            for line in table.lines
        ],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    median = None if entry.median is None else compare.stored(entry.median)
    return {
        "probe": entry.check.probe,
        "world": entry.check.world,
        "verdicts": entry.counts,
        "worst": entry.worst,
        "unit": entry.check.row.unit if entry.check.row else "",
        "median_seed": median,
        "values": list(entry.values),
    }
