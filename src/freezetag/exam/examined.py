"""A finished examination, as Python holds it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from freezetag.core import Record, ReportCard, Setting
from freezetag.exam import store
from freezetag.exam.spec import Spec
from freezetag.report import html, terminal


@dataclass(frozen=True)
class Examined:
    """A finished examination: the card, and the episodes it was read from.

    Printed it is a table; in a notebook it is the report. `records` are by "probe/world/arm"; of a
    resumed run, those of the sections that were measured now. `settings` are what their probes
    were given, by "probe/world".
    """

    card: ReportCard
    spec: Spec
    records: Mapping[str, Record] = field(default_factory=dict, repr=False)
    settings: Mapping[str, Setting] = field(default_factory=dict, repr=False)

    @property
    def verdict(self) -> str:
        """pass, warn, fail or inconclusive."""
        return self.card.verdict

    def __str__(self) -> str:
        text = io.StringIO()
        terminal.print_card(self.card, text, width=100)
        return text.getvalue()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return str(html.embed(self.card))

    def save(self, folder: str | Path) -> dict[str, Path]:
        """Write card.json, card.html, episodes.parquet and spec.toml to a new folder.

        Raises `exam.store.FolderTaken` or `CannotWrite`.
        """
        with store.RunFolder.create(Path(folder), self.card.agent) as run:
            spec = run.write(store.SPEC, self.spec.to_toml())
            for number, section in enumerate(self.card.sections):
                prefix = f"{section.probe}/{section.world}/"
                own = {name: r for name, r in self.records.items() if name.startswith(prefix)}
                setting = self.settings.get(prefix.rstrip("/"))
                run.keep(number, section, own, setting=setting)
            return {**run.finish(self.card), store.SPEC: spec}
