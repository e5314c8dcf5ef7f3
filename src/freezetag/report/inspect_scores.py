"""The verdicts of a card as scores of the Inspect log that it was read from, in a copy of it.

A score a check, beside those that the log has: metrics `value`, `low`, `high` and `n` of its
headline, and in its metadata the verdict, the unit and the caveat. Samples stay as they are, byte
for byte in an archive: a verdict is of the whole log, and of no single sample. Written without
inspect-ai.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freezetag.adapters.logs import inspect_eval
from freezetag.adapters.logs.reader import MOST_BYTES, Start, json_of, unpacked
from freezetag.core import ReportCard, Section, UserError
from freezetag.core.errors import printable
from freezetag.report import schema

SCORER = "freezetag"
_LOG = "log:"
_HEADER = "header.json"


def into_inspect(card: ReportCard, copy: Path) -> Path:
    """Write a copy of the log that a card was read from, with its verdicts, to a new file. Raises
    `UserError` for a card of something else, a log that is gone or did not finish, and a file that
    exists."""
    if not card.agent.startswith(_LOG):
        raise UserError(
            f"this card is of {printable(card.agent, 80)}, and no Inspect log: freezetag examine "
            "log:FILE.eval makes a card of one."
        )
    start = Start.of(Path(card.agent.removeprefix(_LOG)))
    if not inspect_eval.knows(start):
        raise UserError(f"{start.name} is not an Inspect log: verdicts go into such logs alone.")
    where = f"{start.name}, its header"
    try:
        if copy.exists():
            raise UserError(f"{copy} exists already and is not overwritten. Choose another name.")
        if start.members:
            if _HEADER not in start.members:
                raise UserError(f"{start.name} has no header: its evaluation did not finish.")
            with zipfile.ZipFile(start.path) as archive:
                header = json_of(unpacked(archive, _HEADER, MOST_BYTES, where), where)
            _archive(start.path, copy, json.dumps(_scored(header, card, where)))
        else:
            log = json_of(start.text(), start.name)
            copy.write_text(json.dumps(_scored(log, card, where), indent=2), encoding="utf-8")
    except OSError as error:
        with contextlib.suppress(OSError):
            copy.unlink()
        raise UserError(f"cannot write {copy}: {error.strerror or error}.") from None
    return copy


def _archive(original: Path, copy: Path, header: str) -> None:
    """The same archive with another header: all else is neither unpacked nor packed again."""
    shutil.copyfile(original, copy)
    with zipfile.ZipFile(copy, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.filelist[:] = [each for each in archive.filelist if each.filename != _HEADER]
        archive.NameToInfo.pop(_HEADER, None)
        archive.writestr(_HEADER, header)


def _scored(header: Any, card: ReportCard, where: str) -> dict[str, Any]:
    if not isinstance(header, dict):
        raise UserError(f"{where} is no object.")
    results = header.get("results")
    results = dict(results) if isinstance(results, dict) else {}
    old = results.get("scores")
    kept = [
        score
        for score in (old if isinstance(old, list) else [])
        if not (isinstance(score, dict) and score.get("scorer") == SCORER)
    ]
    ours = [_score(section, card) for section in card.sections if section.measurements]
    whole = {
        **_named(f"{SCORER}: {card.verdict}"),
        "metadata": {"verdict": card.verdict, "card": schema.results_hash(card)},
    }
    return {**header, "results": {**results, "scores": [*kept, whole, *ours]}}


def _score(section: Section, card: ReportCard) -> dict[str, Any]:
    row = section.headline or section.measurements[0]
    numbers = {"value": row.of.value, "low": row.of.low, "high": row.of.high, "n": row.of.n}
    told = {
        "verdict": section.verdict,
        "measured": row.name,
        "unit": row.unit,
        "method": row.of.method,
        "regime": row.regime,
        "note": row.note,
        "caveat": section.caveat,
        "reason": section.reason,
        "card": schema.results_hash(card),
    }
    return {
        **_named(f"{SCORER}: {section.probe.replace('_', ' ')}"),
        "metrics": {
            name: {"name": name, "value": value, "params": {}}
            for name, value in numbers.items()
            if math.isfinite(value)
        },
        "metadata": {name: text for name, text in told.items() if text},
    }


def _named(name: str) -> Mapping[str, Any]:
    return {"name": name, "scorer": SCORER, "params": {}, "metrics": {}}
