"""What a run kept of single episodes: steps from `episodes.parquet`, events from its records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freezetag import catalogue
from freezetag.catalogue import source
from freezetag.core import Event, UserError
from freezetag.core.errors import printable
from freezetag.exam import records
from freezetag.sim.telling import KIND, RULES


@dataclass(frozen=True)
class Recorded:
    """The episodes of a run folder; a resumed run has a second file beside the first."""

    run: Path
    files: tuple[Path, ...]

    @classmethod
    def of(cls, run: Path) -> Recorded:
        """Raises `UserError` for a folder without episodes."""
        files = tuple(sorted(file for file in run.glob("episodes*.parquet") if file.is_file()))
        if not files:
            raise UserError(
                f"there are no episodes in {run}. `freezetag examine AGENT` records them."
            )
        return cls(run, files)

    def arms(self) -> list[tuple[str, int]]:
        """(arm, how many episodes of it were kept), by name."""
        found = self._query(
            "select arm, count(distinct episode) as n from recorded group by arm order by arm"
        )
        return [(row["arm"], row["n"]) for row in found]

    def steps(self, arm: str, episode: int) -> list[dict[str, Any]]:
        """The rows of an episode, of its last day, by step and seat. Raises `UserError` for one
        that was not kept."""
        rows = self._query(
            "select * from recorded where arm = $arm and episode = $episode "
            "and day = (select max(day) from recorded where arm = $arm) order by step, seat",
            {"arm": arm, "episode": episode},
        )
        if not rows:
            raise UserError(f"episode {episode} of {arm!r} was not kept. Take a smaller number.")
        # A log need not tell what an act earned, and DuckDB has no NaN that it does not take for
        # nothing.
        untold = dict.fromkeys(("level", "reward"), float("nan"))
        return [
            {**row, **{k: v for k, v in untold.items() if row.get(k, v) is None}} for row in rows
        ]

    def events(self, arm: str, episode: int) -> tuple[Event, ...]:
        """What was said and what went wrong in an episode, of its last day; () where the run kept
        no records. Raises `records.BadRecords`."""
        kept = records.Records.of(self.run)
        found = None if kept is None else kept.arm(arm)
        if found is None:
            return ()
        every = found[1].days[-1].events
        wording = {(each.b, each.n): each.text for each in every if each.kind == KIND}
        # Rules are on record once, with the first episode that is told in a wording.
        rules: dict[tuple[int, str], Event] = {}
        for each in every:
            if each.kind == RULES and (told := wording.get((each.b, each.n))) is not None:
                rules.setdefault((each.n, told), replace(each, b=episode))
        mine = [each for each in every if each.b == episode and each.kind != RULES]
        seats = {n: told for (b, n), told in wording.items() if b == episode}
        return (*(rules[key] for key in seats.items() if key in rules), *mine)

    def world(self, arm: str) -> Any | None:
        """The world of an arm, set as it was; None where the run kept no records, the record is
        a log's, or the world is from a file outside of this package, which nobody should run to
        look at a record."""
        kept = records.Records.of(self.run)
        found = None if kept is None else kept.arm(arm)
        ref = records.RECORD if found is None else found[0].setting.world
        ours = ref != records.RECORD and not source.is_outside(ref.path)
        return catalogue.load(ref) if ours else None

    def _query(self, sql: str, given: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        import duckdb

        try:
            with duckdb.connect() as db:
                files = [str(file) for file in self.files]
                recorded = db.read_parquet(files)  # noqa: F841 - in `sql`
                found = db.execute(sql, given or {})
                names: Sequence[str] = [column[0] for column in found.description]
                return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        except duckdb.Error as error:
            which = ", ".join(file.name for file in self.files)
            raise UserError(
                f"{which} in {self.run} cannot be read: "
                f"{printable(str(error), 120)} Examine the agent again to record them."
            ) from None
