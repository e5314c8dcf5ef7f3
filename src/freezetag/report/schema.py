"""`card.json`: what an examination found (hashed), and when, where and how long it ran (not).

The same sources of freezetag, libraries, device, seed and spec give the same `results`, hence the
same hash; `versions` in it names the first three, and a card of other sources has another hash
whatever its figures. The JSON Schema beside this file (`card.schema.json`) is generated from the
models below.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from freezetag.core import Figure, Limits, Measurement, ReportCard, Section, UserError
from freezetag.core.card import SCHEMA_VERSION
from freezetag.report.numbers import Free, Number
from freezetag.report.stored import StoredInterval

Verdict = Literal["pass", "warn", "fail", "inconclusive", "measured", "not measured"]


class UnreadableCard(UserError, ValueError):
    """This is not a report card, or a damaged one."""


class NoCard(UserError, FileNotFoundError):
    """There is no file where a report card should be."""


class NewerCard(UnreadableCard):
    """This card was written by a newer freezetag, whose words an older one could misread."""


class _Model(BaseModel):
    # A reader ignores fields it does not know: what could mislead it raises the version.
    model_config = ConfigDict(from_attributes=True, extra="ignore", title=None)


class IntervalModel(_Model):
    """A number that may stand: value, bounds at `level`, n independent units, method."""

    value: Number
    low: Number
    high: Number
    n: int
    method: str
    level: float = 0.95
    note: str = ""


class LimitsModel(_Model):
    """From where on a value warns and fails, on which side, and why there."""

    warn: Number
    fail: Number
    reason: str
    harm: Literal["above", "below"] = "above"


class MeasurementModel(_Model):
    """One row of the card; `of` is what the limits judge."""

    name: str
    unit: str
    of: IntervalModel
    alone: IntervalModel | None = None
    together: IntervalModel | None = None
    limits: LimitsModel | None = None
    headline: bool = False
    bound: str = ""
    regime: str = ""
    note: str = ""
    advice: str = ""
    where: str = ""


class FigureModel(_Model):
    """Data to be drawn: equally long columns, and the caption."""

    kind: str
    title: str
    finding: str
    columns: dict[str, Free]
    labels: dict[str, str] = {}


class SectionModel(_Model):
    """One probe in one world."""

    probe: str
    world: str
    asks: str
    source: str
    caveat: str
    measurements: tuple[MeasurementModel, ...] = ()
    figures: tuple[FigureModel, ...] = ()
    verdict: Verdict = "not measured"
    reason: str = ""
    p_fail: float | None = None
    error: bool = False
    broken_off: bool = False
    theme: str = ""
    classmates: int | None = None
    panel: str = ""


class ResultsModel(_Model):
    """What was found; the hash is of this part alone."""

    agent: str
    agent_kind: str
    sections: tuple[SectionModel, ...]
    spec: dict[str, Free]
    versions: dict[str, str]
    interlocks: tuple[str, ...] = ()
    interaction: dict[str, Free] = {}
    warnings: tuple[str, ...] = ()
    partial: bool = False
    probes: int = 0
    not_asked: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


class CardModel(_Model):
    """The file `card.json`. `results_hash` and `verdict` are of the results, so that a card whose
    results were changed afterwards contradicts itself. `sentence` says them in the words of the
    freezetag that wrote it, which a later one may say otherwise: it has a hash of its own."""

    schema_version: int = SCHEMA_VERSION
    results_hash: str = ""
    verdict: str = ""
    sentence: str = ""
    sentence_hash: str = ""
    results: ResultsModel
    run: dict[str, Free] = {}


def write_json(card: ReportCard) -> str:
    """`card.json` as text, ending with a newline."""
    return json.dumps(as_json(card), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_json(card: ReportCard) -> dict[str, Any]:
    """`card.json` as plain data: `results`, `run`, and beside them what the results come to."""
    model = CardModel(
        verdict=card.verdict,
        sentence=card.sentence,
        sentence_hash=_sha256(card.sentence),
        results=ResultsModel.model_validate(card),
        run=dict(card.run),
    )
    data = {**model.model_dump(mode="json"), "results": _results(card)}
    return {**data, "results_hash": _hash(data["results"])}


def section_json(section: Section) -> dict[str, Any]:
    """One section as plain data, for a run that is not whole yet."""
    return _said(SectionModel.model_validate(section).model_dump(mode="json"))


def section_from(data: Mapping[str, Any]) -> Section:
    """What `section_json` wrote. Raises `ValueError`."""
    return _section(SectionModel.model_validate(data))


def results_hash(card: ReportCard) -> str:
    """ "sha256:..." over the canonical JSON of the results: keys sorted, no spaces, no times."""
    return _hash(_results(card))


def _results(card: ReportCard) -> dict[str, Any]:
    data: dict[str, Any] = ResultsModel.model_validate(card).model_dump(mode="json")
    # Without what a card does not say, as in `_said`.
    known = {k: v for k, v in data.items() if k not in ("probes", "not_asked", "own") or v}
    return {**known, "sections": [_said(section) for section in data["sections"]]}


def _said(section: dict[str, Any]) -> dict[str, Any]:
    """Without what a card does not know: one from before it was written keeps its hash."""
    rows = [
        {key: value for key, value in row.items() if key != "where" or value}
        for row in section["measurements"]
    ]
    unsaid = {"classmates": None, "panel": ""}
    known = {k: v for k, v in section.items() if k not in unsaid or v != unsaid[k]}
    return {**known, "measurements": rows}


def _hash(results: Mapping[str, Any]) -> str:
    text = json.dumps(results, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return _sha256(text)


def _sha256(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def altered(source: Path | str) -> str:
    """What in a `card.json` contradicts its results, in words; "" if nothing does.

    A hash is not a signature: who changes results and hash together is not found out. Raises as
    `read_json` does.
    """
    card, data = read_json(source), json.loads(_text_of(source)[1])
    if data["schema_version"] < 2:
        return ""  # cards had no hash in them
    named, real = data.get("results_hash", ""), _hash(data["results"])
    if named != real:
        return (
            "its results were changed after it was written: they have the hash "
            f"{real}, and it names {named or 'none'}"
        )
    said, sentence = data.get("verdict"), str(data.get("sentence", ""))
    if said != card.verdict:
        return (
            f"it says {said!r} ({sentence}), and by its results it is {card.verdict!r} "
            f"({card.sentence})"
        )
    # A card from before sentences were hashed may be in other words than today's: no contradiction.
    if data.get("sentence_hash") not in (None, _sha256(sentence)):
        return (
            f"its sentence was changed after it was written: it reads {sentence!r}, and by its "
            f"results, in today's words, {card.sentence!r}"
        )
    return ""


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of `card.json`, as the models generate it."""
    schema = CardModel.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def read_json(source: Path | str) -> ReportCard:
    """The card in a file, in a run folder's `card.json`, or in a text that starts with "{".

    Raises `NoCard` where there is none, `NewerCard` for a card of a newer schema, `UnreadableCard`
    for anything else that is not a card.
    """
    where, text = _text_of(source)
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableCard(
            f"{where} is not JSON (line {error.lineno}: {error.msg}). "
            "If the run was interrupted, `freezetag examine --resume RUN` writes it again."
        ) from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise UnreadableCard(f"{where} has no schema_version, so it is not a report card.")
    if version > SCHEMA_VERSION:
        raise NewerCard(
            f"{where} was written with card schema {version}; this freezetag reads up to "
            f"{SCHEMA_VERSION}. Upgrade it (pip install --upgrade freezetag), or open the "
            "card.html beside it, which needs no freezetag."
        )
    try:
        return _card(CardModel.model_validate(data))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableCard(
            f"{where} is not a readable report card: at {place}, {first['msg'].lower()} "
            f"({error.error_count()} such places). Examine the agent again to write a whole one."
        ) from None
    except ValueError as error:  # core's own checks, such as limits in the wrong order
        raise UnreadableCard(f"{where} contradicts itself: {error}") from None


def _text_of(source: Path | str) -> tuple[str, str]:
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return "the text", source
    path = Path(source)
    path = path / "card.json" if path.is_dir() else path
    try:
        return str(path), path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NoCard(f"there is no card at {path}. `freezetag examine AGENT` writes one.") from None
    except UnicodeDecodeError:
        raise UnreadableCard(f"{path} is no text, so it is not a report card.") from None
    except OSError as error:
        raise UnreadableCard(f"{path} cannot be read: {error.strerror}.") from None


def _card(model: CardModel) -> ReportCard:
    fields = {name: getattr(model.results, name) for name in ResultsModel.model_fields}
    return ReportCard(
        **fields
        | {
            "sections": tuple(_section(item) for item in model.results.sections),
            "run": model.run,
        }
    )


def _section(model: SectionModel) -> Section:
    fields = {name: getattr(model, name) for name in SectionModel.model_fields}
    return Section(
        **fields
        | {
            "measurements": tuple(_measurement(item) for item in model.measurements),
            "figures": tuple(Figure(**dict(item)) for item in model.figures),
        }
    )


def _measurement(model: MeasurementModel) -> Measurement:
    fields = dict(model)
    for name in ("of", "alone", "together"):
        fields[name] = StoredInterval(**dict(fields[name])) if fields[name] else None
    fields["limits"] = Limits(**dict(model.limits)) if model.limits else None
    return Measurement(**fields)
