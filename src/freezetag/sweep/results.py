"""`results.parquet`: every row of every cell, in the order of the request, without times."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from freezetag.core import ReportCard
from freezetag.exam.parquet import CannotWrite
from freezetag.report import schema, words
from freezetag.sweep.cell import Outcome

FAILED = "no card"
"""The verdict of a cell without a card."""
COLUMNS = {
    "cell": "varchar",
    "agent": "varchar",
    "seed": "bigint",
    "world": "varchar",
    "probe": "varchar",
    "row": "varchar",
    "headline": "boolean",
    "verdict": "varchar",
    "value": "double",
    "low": "double",
    "high": "double",
    "n": "bigint",
    "unit": "varchar",
    "method": "varchar",
    "alone": "double",
    "together": "double",
    "warns": "double",
    "fails": "double",
    "harm": "varchar",
    "reason": "varchar",
    "results_hash": "varchar",
}
"""Null where a row has no such thing. `low` and `high` bound `value` at 95 %."""


def rows(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """What a cell found, a row for each measurement, for each section that was not measured, or
    for a cell without a card."""
    cell, card = outcome.cell, outcome.card
    base = {"cell": cell.id, "agent": cell.spec.agent, "seed": cell.spec.seed}
    if card is None:
        yield base | {"verdict": FAILED, "reason": outcome.reason}
        return
    base["results_hash"] = schema.results_hash(card)
    for found in _of_card(card):
        yield base | found


def _of_card(card: ReportCard) -> Iterator[dict[str, Any]]:
    for section in card.sections:
        where = {"world": section.world, "probe": section.probe}
        if not section.measurements:
            said = words.unmeasured(section)
            yield where | {"verdict": said, "reason": section.reason, "headline": True}
        for row in section.measurements:
            judged = row.limits
            yield where | {
                "row": row.name,
                "headline": row.headline,
                "verdict": words.verdict(section, row),
                "value": row.of.value,
                "low": row.of.low,
                "high": row.of.high,
                "n": row.of.n,
                "unit": row.unit,
                "method": row.of.method,
                "alone": row.alone.value if row.alone else None,
                "together": row.together.value if row.together else None,
                "warns": judged.warn if judged else None,
                "fails": judged.fail if judged else None,
                "harm": judged.harm if judged else None,
                "reason": section.reason if row.headline else "",
            }


def write_results(outcomes: Sequence[Outcome], target: Path) -> Path:
    """The store, whole or not at all: the same outcomes give the same bytes, with the same version
    of DuckDB. Raises `CannotWrite`."""
    import duckdb

    made = target.with_name(f".{target.name}-new")
    picked = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in COLUMNS.items())
    text = dict.fromkeys(COLUMNS, "varchar")
    try:
        with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as db:
            file = Path(scratch) / "rows.json"
            with file.open("w", encoding="utf-8") as out:
                for outcome in outcomes:
                    for row in rows(outcome):
                        out.write(json.dumps({k: _word(row.get(k)) for k in COLUMNS}) + "\n")
            db.execute("set threads = 1")  # so that rows stay in order, in one piece
            db.execute(
                f"copy (select {picked} from read_json(?, format='newline_delimited', "
                f"columns={text!r})) to '{str(made).replace(chr(39), chr(39) * 2)}' "
                "(format parquet, compression zstd)",
                [str(file)],
            )
        made.replace(target)
    except (OSError, duckdb.Error) as error:
        made.unlink(missing_ok=True)
        raise CannotWrite(f"cannot write {target}: {error}.") from None
    return target


def _word(value: Any) -> str | None:
    """A value as the text that DuckDB casts back to it, to the last bit."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(float(value))
    return str(value)
