"""The card as Markdown with a metadata head, for a repository or a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from freezetag.core import ReportCard, Section
from freezetag.report import toml, words
from freezetag.report.schema import results_hash

SHORT = 64_000
"""Bytes that a CI service lets a summary have; a longer card is cut at a section."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|<>~&@$]|(?<=www)\.|:(?=//))")


def write_markdown(card: ReportCard, longest: int = SHORT) -> str:
    """The card as Markdown of at most `longest` bytes, ending with a newline."""
    parts = [
        _head(card),
        _table(card),
        *(_section(section) for section in card.shown),
    ]
    tail = _again(card)
    text = parts[0]
    for part in parts[1:]:
        if len((text + part + tail).encode()) > longest - 100:
            text += "\n*Cut here for length: the whole card is in card.html and card.json.*\n"
            break
        text += part
    if len((text + tail).encode()) <= longest:
        text += tail
    return text


def escape(text: object) -> str:
    """Text as it is, with nothing in it that Markdown or HTML acts on."""
    return _SPECIAL.sub(r"\\\1", words.plain(text)).replace("\\<", "&lt;").replace("\\>", "&gt;")


def _head(card: ReportCard) -> str:
    """A metadata block (YAML; JSON strings are YAML strings) and the verdict."""
    quoted = {
        "agent": words.plain(card.agent),
        "verdict": card.verdict,
        "partial": card.partial,
        "interlocks": [words.plain(name) for name in card.interlocks],
        "results": results_hash(card),
        "date": words.plain(card.run.get("date", "")),
        "versions": {words.plain(k): words.plain(v) for k, v in card.versions.items()},
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=True)}" for key, value in quoted.items()]
    verdict = f"**{card.verdict} {words.SIGNS[card.verdict]}** {escape(words.sentence(card))}"
    warnings = "".join(f"- {escape(text)}\n" for text in card.warnings)
    return (
        "---\n" + "\n".join(lines) + "\n---\n\n"
        f"# {escape(card.agent)}\n\n{verdict}\n" + (f"\n{warnings}" if warnings else "")
    )


def _table(card: ReportCard) -> str:
    arms = words.arms(card)
    heads = ("theme", "check", "verdict", *arms, "change or value (95 %)", "n", "limits")
    lines = [f"\n| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for section in card.shown:
        row = section.headline
        name = f"{words.title(section.probe)} in {words.where(section)}"
        verdict = f"{section.verdict} {words.SIGNS[section.verdict]}"
        cells = ["–"] * (len(heads) - 3) if row is None else [
            *words.in_arms(row, arms),
            words.interval(row.of, words.is_change(row)),
            words.count(row.of.n),
            words.limit(row),
        ]  # fmt: skip
        row_of = (words.theme(section.theme), name, verdict, *cells)
        lines.append("| " + " | ".join(escape(cell) for cell in row_of) + " |")
    missing = (f"- {escape(what)}: {escape(reason)}" for what, reason in words.missing(card))
    return "\n".join([*lines, "", *missing]).rstrip("\n") + "\n"


def _section(section: Section) -> str:
    return "\n".join(_lines(section)) + "\n"


def _lines(section: Section) -> Iterator[str]:
    title = f"{words.title(section.probe)} in {words.where(section)}: {section.verdict}"
    yield f"\n## {escape(title)}\n"
    yield f"{escape(section.asks)}\n"
    if reason := words.undecided(section) or section.reason:
        yield f"{escape(reason)}\n"
    for row in section.measurements:
        verdict = words.verdict(section, row)
        yield f"- **{escape(row.name)}**: {escape(words.measured(row))} ({verdict})"
        if verdict in ("fail", "warn") and row.advice:
            yield f"  - What can be done: {escape(row.advice)}"
    for figure in section.figures:
        yield f"- {escape(figure.finding)}"
    yield f"\nCaveat: {escape(section.caveat)} Source: {escape(section.source)}"


def _again(card: ReportCard) -> str:
    """The spec in a fence that nothing inside it can close."""
    text = toml.dumps(card.spec)
    ticks = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"\n## To do it again\n\n{fence}toml\n{text}{fence}\n"
