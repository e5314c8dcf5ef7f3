"""A run of freezetag as a log: each probe reads the arms that it would ask for, and nobody acts.

So the same exam from its record gives the same figures, and a probe that came later is measured as
far as the run holds its arms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from freezetag import catalogue
from freezetag.core import Finding, Panel, Probe, Record, Setting
from freezetag.core.log import ReadsLogs
from freezetag.core.probe import label
from freezetag.exam import records as stored
from freezetag.exam.run import LOG, ROUNDS, read_log
from freezetag.exam.spec import Spec
from freezetag.sim.identity import version

SPEC = "spec.toml"
NEWER = "freezetag's sources are not those that examined it: its probes may find something else"


class MissingArms(Exception):
    """Arms that today's probe asks for, and that the run did not record; the text names them."""


@dataclass(frozen=True)
class RecordedExam:
    """The records of a run as an agent to examine, by (probe, world)."""

    kept: Mapping[tuple[str, str], stored.Stored]
    classmates: int = 0
    panel: Panel = field(default_factory=Panel)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path) -> RecordedExam | None:
        """What a run folder or its `records.zip` holds; None for what is neither. Raises
        `BadRecords`."""
        found = stored.Records.of(path)
        if found is None:
            return None
        kept, file = dict(found), found.file
        notes = ["read from the episodes of a run; nobody acted for it"]
        if any(one.sources.get(stored.PACKAGE) != version() for one in kept.values()):
            notes.append(NEWER)
        if not (spec := file.with_name(SPEC)).is_file():
            return cls(kept, notes=tuple(notes))
        asked = Spec.read(spec)
        number = asked.classmates if isinstance(asked.classmates, int) else 0
        return cls(kept, number, asked.panel(), tuple(notes))

    def settings(self, probe: str) -> list[Setting]:
        """What a probe was given, in each world in which the run has arms of it."""
        return [
            replace(one.setting, substrate=_world(one.setting))
            for (name, _), one in self.kept.items()
            if name == probe
        ]

    def scored(
        self, name: str, probe: Probe, setting: Setting
    ) -> tuple[Finding, dict[Any, Record]]:
        """As `Runner.probe`, with arms that are read. Raises `MissingArms`."""
        return scored(probe, setting, self.kept[name, setting.world.name])


def _world(setting: Setting) -> Any:
    return None if setting.world == stored.RECORD else catalogue.load(setting.world)


def scored(
    probe: Probe, setting: Setting, kept: stored.Stored
) -> tuple[Finding, dict[Any, Record]]:
    """What a probe finds in the records of a section, and those that it asked for. Raises
    `MissingArms`."""
    if isinstance(probe, ReadsLogs) and tuple(kept.labels.values()) == (LOG,):
        (log,) = kept.records.values()
        return read_log(probe, setting, log.episode)
    seen: dict[Any, Record] = {}
    for _ in range(ROUNDS):
        asked = probe.design(setting, seen)
        wanted = {key: arm for key, arm in asked.items() if key not in seen}
        if not wanted:
            return probe.measure(setting, seen), seen
        missing = []
        for key, arm in wanted.items():
            by_label = {label(other): record for other, record in seen.items()}
            record = kept.records.get(stored.name_of(arm, by_label))
            if record is None:
                missing.append(arm.label or label(key))
            else:
                seen[key] = replace(record, arm=arm)
        if missing:
            more = f" and {len(missing) - 4} more" if len(missing) > 4 else ""
            raise MissingArms(", ".join(missing[:4]) + more)
    raise RuntimeError(f"{type(probe).__name__} asked for arms in {ROUNDS} rounds, no end.")
