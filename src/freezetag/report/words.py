"""How numbers and verdicts are said, in one place, so that all reports say the same."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from typing import Any

from freezetag.core import Interval, Measurement, ReportCard, Section
from freezetag.core.card import is_own

SIGNS = {
    "pass": "✓",
    "warn": "!",
    "fail": "✗",
    "inconclusive": "?",
    "measured": "·",
    "not measured": "–",
}
PLAIN_SIGNS = SIGNS | {"pass": ".", "fail": "x", "measured": "", "not measured": "-"}
WORST_FIRST = ("fail", "warn", "inconclusive", "pass")
MINUS = "−"


def number(value: float | None, digits: int = 3) -> str:
    """Three significant digits, never an exponent where a person would not use one."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        text = f"{value:.{digits - 1}e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    else:
        places = max(0, digits - 1 - math.floor(math.log10(size)))
        text = f"{value:,.{places}f}" if size >= 10_000 else f"{value:.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return MINUS + text[1:] if text.startswith("-") else text


def signed(value: float) -> str:
    """A change: with its sign."""
    text = number(value)
    return text if value != value or value <= 0 else f"+{text}"


def bounds(of: Interval) -> str:
    """[low, high], or what stands in its place: deterministic, exact, not measured."""
    if of.n == 0 or math.isnan(of.value):
        return of.note or "not measured"
    # Of the largest of several too: then each of them was.
    if of.low == of.high and of.method.partition(",")[0] == "deterministic":
        return "deterministic"
    if math.isinf(of.low) and math.isinf(of.high) and of.low < of.high:
        return "(no interval)"  # the note says why
    if of.low == of.high and of.n == 1:  # of more, a count such as a day may have one value left
        return f"exact ({of.method})"
    return f"[{number(of.low)}, {number(of.high)}]"


def at_most(of: Interval) -> str:
    """Rule of three, in words, for a share that never occurred in n tries; else ""."""
    if of.value == 0 and of.low == 0 and of.n > 0 and math.isfinite(of.high) and of.high > 0:
        return f"0 of {of.n}: at most {number(of.high)}"
    return ""


def one_sided(of: Interval) -> str:
    """In words, a value of which only one end is known, and is the value; else ""."""
    if of.n and math.isfinite(of.value):
        if of.value == of.high and of.low == -math.inf:
            return f"at most {number(of.value)}"
        if of.value == of.low and of.high == math.inf:
            return f"at least {number(of.value)}"
    return ""


def past(of: Interval) -> str:
    """What is known of a value that lies, with both of its bounds, past all that was watched: its
    note, since infinity was not measured; else ""."""
    return of.note if of.n and math.isinf(of.value) and of.low == of.high else ""


def value(of: Interval) -> str:
    """A value without its bounds."""
    return past(of) or number(of.value)


def interval(of: Interval | None, change: bool = False) -> str:
    """A value and its bounds in one line."""
    if of is None:
        return "–"
    if words := at_most(of) or past(of) or one_sided(of):
        return words
    shown = 0.0 if _is_dust(of) else of.value
    value = signed(shown) if change else number(shown)
    return f"{value} {bounds(of)}" if value != "–" else bounds(of)


def _is_dust(of: Interval) -> bool:
    """Whether a value is what rounding leaves of a zero: nothing beside its own interval."""
    return math.isfinite(of.high - of.low) and abs(of.value) < 1e-9 * (of.high - of.low)


def is_change(row: Measurement) -> bool:
    """Whether `of` is the difference of the two arms, rather than one of them."""
    if row.alone is None or row.together is None:
        return False
    change = row.together.value - row.alone.value
    return math.isclose(change, row.of.value, rel_tol=0.02, abs_tol=1e-9)


def of_one_quantity(row: Measurement) -> bool:
    """Whether what is judged is what the row shows in the whole class, or its change from alone: if
    not, it is of another class, or another quantity than the two that stand beside it."""
    if row.alone is None or row.together is None:
        return False
    return is_change(row) or row.of.value == row.together.value


def unit(row: Measurement) -> str:
    """The unit of what is judged, and where that was found if not in the whole class."""
    return f"{row.unit}; judged {row.where}" if row.where else row.unit


def arms(card: ReportCard) -> tuple[str, ...]:
    """What the two arms are called; none on a card that measured in no arm, as that of a log."""
    if not card.in_arms:
        return ()
    return ("class of 1", card.whole_class) if card.classmates else ("class of 1",)


def in_arms(row: Measurement | None, arms: Sequence[str]) -> tuple[str, ...]:
    """The values in these arms."""
    values = (row.alone, row.together) if row else (None, None)
    return tuple(number(one.value) if one else "–" for one in values)[: len(arms)]


def count(n: int) -> str:
    """How many independent units."""
    return f"{n:,}" if n else "–"


def p_value(p: float | None) -> str:
    """A p-value as people read it."""
    if p is None or math.isnan(p):
        return "–"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}"


def limit(row: Measurement) -> str:
    """From where on it warns and fails, harm's side first: "> 0.1, 0.2"; one number if it never
    warns."""
    if row.limits is None:
        return "–"
    sign = ">" if row.limits.harm == "above" else "<"
    ends = dict.fromkeys(number(end) for end in (row.limits.warn, row.limits.fail))
    return f"{sign} {', '.join(ends)}"


def bound(row: Measurement) -> str:
    """What a one-sided search may claim, and where a warning may be more than one; or ""."""
    said = {
        "lower": "a lower bound: a search found this much, and there may be more",
        "upper": "an upper bound",
    }.get(row.bound, row.bound)
    if row.limits is not None and row.limits.reaches_fail(row.of):
        past = f"a warning whose interval goes on past the fail limit, {number(row.limits.fail)}"
        return f"{said}; {past}" if said else past
    return said


def title(name: str) -> str:
    """A probe's name as a heading: `best_response_gain` is "Best response gain". One of a user's
    own says so, since its file may be called as one of freezetag's."""
    said = _heading(name.removesuffix(".py"))
    return f"{said} (own probe)" if is_own(name) else said


def _heading(name: str) -> str:
    words = plain(name).replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def theme(name: str) -> str:
    """A theme as a heading."""
    return _heading(name) or "Other"


def undecided(section: Section) -> str:
    """Why a section is inconclusive, in one line; "" of others. Only an interval across a limit is
    for more seeds to decide."""
    row = section.headline
    if section.verdict != "inconclusive":
        return ""
    if section.reason:
        return section.reason
    if section.nothing_found:
        return "a search found no harm, which is not a pass"
    if row is None or not row.of.n or not any(map(math.isfinite, (row.of.low, row.of.high))):
        return (row.of.note if row is not None else "") or "nothing was measured that can be judged"
    return "its interval lies across a limit: more seeds would tell"


def where(section: Section) -> str:
    """The world of a section and, of an agent with interlocks, whether they were connected."""
    world = plain(section.world)
    return f"{world}, {section.panel}" if section.panel else world


def tally(sections: Sequence[Section]) -> str:
    """ "1 fail, 4 pass": the worst first; what no limit judges is not counted."""
    found = [section.verdict for section in sections]
    counts = ((verdict, found.count(verdict)) for verdict in WORST_FIRST)
    return ", ".join(f"{count} {verdict}" for verdict, count in counts if count)


def plain(text: Any) -> str:
    """Text that came from elsewhere, without anything that acts on a screen.

    Control characters, terminal escapes, and marks that reorder or hide text are shown as "�";
    line breaks and tabs become spaces.
    """
    return "".join(_harmless(letter) for letter in str(text))


def _harmless(letter: str) -> str:
    if letter in "\n\t\r\v\f\u2028\u2029":
        return " "
    # Cc control, Cf format (bidi overrides, zero width), Cs surrogate, Co private use.
    return "�" if unicodedata.category(letter) in {"Cc", "Cf", "Cs", "Co", "Cn"} else letter


def verdict(section: Section | None, row: Measurement) -> str:
    """A row's verdict; the headline has that of its section, corrected for many headlines."""
    if section is not None and row.headline:
        return section.verdict
    if row.limits is None and (row.of.n == 0 or math.isnan(row.of.value)):
        return "not measured"
    return row.verdict


def measured(row: Measurement) -> str:
    """A row's value, bounds and unit."""
    text = interval(row.of, is_change(row))
    said = row.of.n == 0 or math.isnan(row.of.value) or past(row.of)
    return text if said else f"{text} {unit(row)}"


def measured_only(card: ReportCard) -> list[str]:
    """What no limit judges: a line for each probe and quantity, with its value in each world."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for section in card.measured:
        row = section.headline
        name, unit = (row.name, row.unit) if row is not None else ("nothing", "")
        value = "" if row is None else interval(row.of, is_change(row))
        where = f"{plain(section.world)} {value}".rstrip()
        found.setdefault((section.probe, name, unit), []).append(where)
    return [
        _quantity(title(probe), *of) + "; ".join(places) for (probe, *of), places in found.items()
    ]


def _quantity(probe: str, name: str, unit: str) -> str:
    """ "Class effect, return in the class less alone (reward per step): "."""
    what = probe if name.casefold() == probe.casefold() else f"{probe}, {name}"
    return f"{what} ({unit}): " if unit else f"{what}: "


def missing(card: ReportCard) -> list[tuple[str, str]]:
    """(what was not measured, why): a line for each reason, however many probes share it."""
    return [
        (
            f"{unmeasured(sections[0])}: " + "; ".join(_places(sections)),
            plain(reason) or "no reason given",
        )
        for reason, sections in card.unmeasured.items()
    ]


def _places(sections: Sequence[Section]) -> list[str]:
    """ "Strangers, Lock in (matrix_game, commons)": each probe once, and the worlds of its like."""
    worlds: dict[str, tuple[str, ...]] = {}
    for section in sections:
        probe = title(section.probe)
        worlds[probe] = (*worlds.get(probe, ()), plain(section.world))
    alike: dict[tuple[str, ...], list[str]] = {}
    for probe, there in worlds.items():
        alike.setdefault(there, []).append(probe)
    return [f"{', '.join(probes)} ({', '.join(there)})" for there, probes in alike.items()]


def unmeasured(section: Section) -> str:
    """Why there is nothing: "not measured", or that the agent itself failed."""
    return "agent failed" if section.error else "not measured"


def sentence(card: ReportCard) -> str:
    """The card's verdict in plain words, where the agent's name stands above it anyway."""
    text = card.sentence.removeprefix(f"{card.agent}: ")
    return text[:1].upper() + text[1:]


def beyond(row: Measurement, which: str) -> str:
    """From where on a row warns or fails: "fails > 0.2"."""
    if row.limits is None:
        return "–"
    sign = ">" if row.limits.harm == "above" else "<"
    return f"{which}s {sign} {number(getattr(row.limits, which))}"
