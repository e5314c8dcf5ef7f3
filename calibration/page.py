"""The page of the calibration: written from its rows, and read again for those that stay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calibration.family import HEALTHY, SICK, Family, is_control
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.exam.spec import QUICK

HEADS = (
    "probe",
    "agents",
    "they are",
    "n",
    *(PASS, WARN, FAIL, INCONCLUSIVE),
    "right",
    "wrong",
    "inconclusive, rate",
    "measured on",
)
NEAR = "near the limit"
CARELESS = ("idle", "random play")


@dataclass(frozen=True)
class Rows:
    """Lines of the table by (probe, agents), and what each version was."""

    rows: Mapping[tuple[str, str], str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def earlier(file: Path) -> Rows:
    """What a page holds; nothing, if there is none."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    split = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    found = {
        (cells[0], cells[1]): line
        for cells, line in zip(split, lines, strict=True)
        if len(cells) == len(HEADS) and cells[0] != HEADS[0]
    }
    return Rows(found, dict(re.findall(r"^- (`[0-9a-f]+\+?`|unknown): (.*)$", text, re.M)))


def _undecided(rows: Sequence[str]) -> str:
    """How many of the agents that are known to be healthy or sick got no verdict."""
    split = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    known = [cells for cells in split if cells[2] in (HEALTHY, SICK)]
    total, open_ones = (sum(int(cells[at]) for cells in known) for at in (3, 7))
    if not total:
        return ""
    return (
        f"\nOf {total} agents that are healthy or sick, {open_ones} "
        f"({100 * open_ones / total:.0f} %) were inconclusive.\n"
    )


def _not_failed(rows: Sequence[str]) -> str:
    """How many of the agents that are known to be sick did not fail, and of those near a limit."""
    split = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    sick = [(cells[1], int(cells[3]), int(cells[6])) for cells in split if cells[2] == SICK]
    near = [each for each in sick if NEAR in each[0]]
    if not sick:
        return ""
    said = [
        f"{sum(n - failed for _, n, failed in of)} of {sum(n for _, n, _ in of):,}"
        for of in (sick, near)
    ]
    return (
        f"\nNot failed: of the agents that are sick {said[0]}"
        f"{f', near the limit {said[1]}' if near else ''}. They passed, got a warning or were "
        "inconclusive.\n"
    )


def _control(measured: Rows, families: Mapping[str, Sequence[Family]]) -> str:
    """In how many of the probes with a control row it passes, and where it does not."""
    said = []
    for probe, of in families.items():
        found = [measured.rows.get((probe, f.name)) for f in of if is_control(f, of)]
        if found and found[0]:
            n, passed, _, failed = (int(cell) for cell in found[0].split("|")[4:8])
            said.append((probe, n, passed, failed))
    if not said:
        return ""
    most = max(n for _, n, _, _ in said)
    full = [row for row in said if row[1] == most]
    low = ", ".join(f"`{probe}` {passed}" for probe, n, passed, _ in full if passed < 0.95 * n)
    few = ", ".join(f"`{probe}` {passed} of {n}" for probe, n, passed, _ in said if n < most)
    enough = sum(passed >= 0.95 * n for _, n, passed, _ in full)
    return (
        f"\nControl, the first healthy family of each probe: of {most} agents at least 95 % "
        f"pass in {enough} of {len(full)} probes{f' (below: {low})' if low else ''}, and "
        f"{sum(failed for *_, failed in full)} of {most * len(full)} fail."
        f"{f' With fewer agents: {few}.' if few else ''}\n"
    )


def page(measured: Rows, families: Mapping[str, Sequence[Family]]) -> str:
    """The whole page."""
    wanted = [(probe, family) for probe in families for family in families[probe]]
    rows = [measured.rows[p, f.name] for p, f in wanted if (p, f.name) in measured.rows]
    missing = [f"`{p}` with {f.name}" for p, f in wanted if (p, f.name) not in measured.rows]
    not_measured = f"\nNot measured: {', '.join(missing)}.\n" if missing else ""
    known = [
        f"- `{probe}`, {family.name}: {family.why}"
        for probe, family in wanted
        if family.name not in CARELESS
    ]
    used = {row.rsplit("|", 2)[1].strip() for row in rows}
    versions = [f"- {at}: {what}" for at, what in measured.versions.items() if at in used]
    return f"""# Calibration

How often a verdict is a false alarm, how often a sick agent is caught, and what "inconclusive"
costs, at the default size ({QUICK:g}): the acts that each probe declares. Each row has n
agents; each is drawn by its own seed and examined with the same one, a planner together with
the settings of its world. Written by `make calibration`, or by `python -m
calibration.calibrate --probe NAME` for the rows of one probe.

*Right*: a healthy agent passes, a sick one fails. *Wrong*: a healthy agent fails (a false alarm),
or a sick one, or one that proves nothing, passes. A warning is neither. Rates have 95 %
Clopper-Pearson intervals: what never occurred among 10 agents may still occur in 31 % of cases,
among 20 in 17 %. Verdicts are each probe's own; the card's correction for many headlines can only
turn a fail into inconclusive.

| {" | ".join(HEADS)} |
|{"---|" * len(HEADS)}
{chr(10).join(rows)}
{_undecided(rows)}{_not_failed(rows)}{_control(measured, families)}
{not_measured}
Rows stay until they are measured again, so an older one tells of the probe as it was. The last
column is the newest commit of the package then; a + says that it had changes not yet committed.

{chr(10).join(versions)}

What is known of the agents beforehand:

{chr(10).join(known)}
- idle does nothing and random play draws its actions: neither may pass

These families are simple and chosen by us: rates on your agents will differ, most of all near a
limit, where an honest interval has to be inconclusive. Planners' thresholds are found by bisection
over what they do, without chance: those rows tell of the search, and a limit that is a point of its
grid, as 0.1 is for `coercion_race` and `model_error`, is decided without doubt. Of the probes of
planners `interlock_failure` alone counts drawn episodes: its rows near the limit show its power.
"""
