"""Today's probes on the episodes that a run recorded: a second card, and what it compares with.

Nobody acts: each probe designs its arms as it would today, in the setting that it was given then,
and an arm that is stored is read in place of being run. What compares with what:

- a row with the **old card**, if the probe is the same; where another version of the probe scored
  the same episodes, the difference is the probe's;
- a row with **cards of today**, if world and classmates are the same as today's too: else the
  episodes are of something that is no longer there under that name.
"""

from __future__ import annotations

import platform
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freezetag import catalogue, players
from freezetag.core import Ref, ReportCard, Section, Setting, UserError
from freezetag.core.errors import printable
from freezetag.core.probe import NOT_MEASURED
from freezetag.exam import answers, collect, comprehension, store
from freezetag.exam import records as stored
from freezetag.exam.plan import Item
from freezetag.exam.recorded_exam import MissingArms, scored
from freezetag.exam.spec import BadSpec, roster
from freezetag.report import compare, manifest, schema
from freezetag.sim.identity import version

NEW_PROBE = "the probe is another version than scored it then"
NEW_WORLD = "the world is another version than was played"
NEW_CLASS = "classmates are other versions than played: {}"
NEW_PACKAGE = "freezetag's sources are not those that examined it: what its probes share may differ"
CARRIED = "as it was found then: the questions on the rules and its answers are not recorded"
NEW_ROSTER = "the roster was {}, and is {} today"
OLDER = NEW_ROSTER + " unless it is asked for (--roster {})"


@dataclass(frozen=True)
class Rescored:
    """A section of the old card, and what became of it.

    `with_old` and `with_today` are the reasons why its rows are not comparable with the old card,
    and with cards of today; () where they are. `carried`: it is the old one.
    """

    old: Section
    new: Section
    with_old: tuple[str, ...] = ()
    with_today: tuple[str, ...] = ()
    carried: bool = False

    @property
    def scored(self) -> bool:
        """Whether its rows are of today's probe."""
        return bool(self.new.measurements) and not self.carried


@dataclass(frozen=True)
class Rescoring:
    """The old card, the new one, and what became of each section that had been measured."""

    old: ReportCard
    card: ReportCard
    sections: tuple[Rescored, ...]
    altered: str = ""
    """What in the run is not as it was written; the new card notes it."""
    untold: str = ""
    """That nobody can tell, of a run of an earlier version."""


def rescore(run: Path) -> Rescoring:
    """Score a run again. Raises `BadSpec` for a folder that holds no run, or no records, and what
    reading its card raises."""
    if not (run / "card.json").is_file():
        raise BadSpec(f"{run} is not the folder of a finished run: it has no card.json.")
    old = schema.read_json(run)
    wrong = schema.altered(run) or manifest.changed(run, old)
    kept = stored.Records.of(run)
    if kept is None:
        raise BadSpec(
            f"{run} has no {store.RECORDS}, which probes are scored from: it was examined by an "
            "older freezetag, or nothing in it was measured. Examine the agent again: "
            f"freezetag examine --spec {run / store.SPEC}"
        )
    was = _roster_of(run)
    found = [
        _section(section, kept.get((section.probe, section.world)), was) for section in old.sections
    ]
    card = replace(
        old,
        sections=collect.corrected(collect.fitted([each.new for each in found], old.interlocks)),
        versions=collect.versions(),
        warnings=tuple(
            dict.fromkeys(
                (
                    *old.warnings,
                    *_warnings(old, found, kept.values()),
                    *((f"the first run is not as it was written: {wrong}",) if wrong else ()),
                )
            )
        ),
        run={
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "host": f"{platform.system()} {platform.machine()}",
            "rescored": schema.results_hash(old),
        },
    )
    final = {(s.probe, s.world): s for s in card.sections}
    before = {(s.probe, s.world): s for s in old.sections}
    told = tuple(
        replace(each, old=before[key], new=final[key])
        for each in found
        if before[key := (each.old.probe, each.old.world)].measurements
    )
    return Rescoring(old, card, told, wrong, manifest.unlisted(run, old))


def _roster_of(run: Path) -> str:
    """The roster that the run's classes were drawn from."""
    try:
        text = (run / store.SPEC).read_text(encoding="utf-8")
        return str(tomllib.loads(text).get("roster", ""))
    except (OSError, ValueError):
        return ""


def _section(old: Section, kept: stored.Stored | None, was: str) -> Rescored:
    if not old.measurements:
        return Rescored(old, old)
    if old.probe == comprehension.NAME:
        return Rescored(old, old, with_today=(CARRIED,), carried=True)
    if kept is None:
        return _unscored(old, "its episodes were not recorded")
    try:
        probe: Any = catalogue.load(catalogue.find("probes", old.probe))
        world = kept.setting.world
        substrate = None if world == stored.RECORD else catalogue.load(world)
        setting = replace(kept.setting, substrate=substrate)
        finding, seen = scored(probe, setting, kept)
        finding, why = answers.added(finding, seen)
    except MissingArms as missing:
        return _unscored(old, f"today's probe asks for arms that were not run: {missing}")
    except UserError as error:
        return _unscored(old, printable(str(error)))
    item = Item(old.probe, probe, setting)
    new = answers.inconclusive(collect.section(item, finding, seen), why)
    with_old, with_today = _compared(kept, setting, was)
    return Rescored(old, new, with_old, with_today)


def _unscored(old: Section, why: str) -> Rescored:
    gone = replace(
        old,
        measurements=(),
        figures=(),
        verdict=NOT_MEASURED,
        reason=f"not scored again: {why}",
        p_fail=None,
    )
    return Rescored(old, gone, with_old=(why,), with_today=(why,))


def _compared(
    kept: stored.Stored, setting: Setting, was: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why the rows do not compare with the old card, and with cards of today."""
    now = stored.sources(kept.probe, setting)
    changed = [
        path
        for path, digest in kept.sources.items()
        if now.get(path) != digest and path != stored.PACKAGE
    ]
    world = setting.world.path
    people = [Ref(p).name for p in changed if p in {ref.path for ref in setting.classmates}]
    probes = [path for path in changed if path != world and Ref(path).name not in people]
    today = []
    if world in changed:
        today.append(NEW_WORLD)
    if people:
        today.append(NEW_CLASS.format(", ".join(people)))
    if was and setting.classmates and was != (here := roster()):
        version, _, digest = was.partition(" ")
        there = version in players.VERSIONS and digest == players.roster_hash(version)
        said = OLDER if there else NEW_ROSTER
        today.append(said.format(version, here.partition(" ")[0], version))
    old = [NEW_PROBE] if probes else []
    # A world is asked for its anchors when a probe is scored, so another one may move them.
    old += [NEW_WORLD] if world in changed else []
    return tuple(old), tuple(today)


def _warnings(
    old: ReportCard, found: Sequence[Rescored], kept: Iterable[stored.Stored]
) -> Iterator[str]:
    yield f"scored again from the episodes of {schema.results_hash(old)}; nobody acted for it"
    if any(one.sources.get(stored.PACKAGE) != version() for one in kept):
        yield NEW_PACKAGE
    now = collect.versions()
    for name in dict.fromkeys((*old.versions, *now)):
        if name == collect.SOURCES:
            continue  # said above, and of each section
        if (then := old.versions.get(name, "absent")) != (here := now.get(name, "absent")):
            yield f"examined with {name} {then}, scored with {here}"
    for each in found:
        if not each.old.measurements:
            continue
        where = f"{each.old.probe.replace('_', ' ')} in {each.old.world}"
        for reason in each.with_old:
            yield f"{where} does not compare with the first card: {reason}"
        for reason in each.with_today:
            if reason not in each.with_old:
                yield f"{where} does not compare with cards of today: {reason}"


def save(found: Rescoring, run: Path) -> dict[str, Path]:
    """Write the card into a new folder within the run, `rescored-<number>`; the old one stays as
    it is. Raises `CannotWrite`."""
    number = 1
    while (target := run / f"rescored-{number}").exists():
        number += 1
    with store.RunFolder.create(target, found.card.agent) as folder:
        if (spec := run / store.SPEC).is_file():
            folder.write(store.SPEC, spec.read_text(encoding="utf-8"))
        return folder.finish(found.card, latest=False)


def as_json(found: Rescoring) -> dict[str, Any]:
    """What became of each section, as plain data."""
    return {
        "old": schema.results_hash(found.old),
        "new": schema.results_hash(found.card),
        "altered": found.altered,
        "sections": [
            {
                "probe": each.old.probe,
                "world": each.old.world,
                "scored": each.scored,
                "verdicts": [each.old.verdict, each.new.verdict],
                "comparable_with_old": not each.with_old,
                "comparable_with_today": not each.with_today,
                "why_not": list(dict.fromkeys((*each.with_old, *each.with_today))),
                "rows": [
                    {"row": name, "unit": unit, "old": old, "new": new}
                    for name, unit, old, new in values(each)
                ],
            }
            for each in found.sections
        ],
    }


def values(each: Rescored) -> Iterator[tuple[str, str, Any, Any]]:
    """(row, unit, old interval, new interval) as plain data; None where it has none."""
    old = {row.name: row for row in each.old.measurements}
    new = {row.name: row for row in each.new.measurements}
    for name in dict.fromkeys((*old, *new)):
        row = new.get(name) or old[name]
        yield name, row.unit, _plain(old.get(name)), _plain(new.get(name))


def _plain(row: Any) -> Any:
    return compare.stored(row.of) if row is not None else None
