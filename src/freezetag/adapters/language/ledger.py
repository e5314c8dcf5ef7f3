"""Every call that was made: what it answered, so that none is made twice, and what it cost.

One SQLite file for all processes of an exam, and for later ones. An answer is kept under a hash of
everything that shaped it. A call is written down before it is sent: one without an end was in
flight when its process ended, and what it cost is unknown, not zero.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freezetag.core.errors import UserError

ANSWERED, REFUSED, UNKNOWN, CACHED = "answered", "refused", "unknown", "cached"
MILLION = 1_000_000
MOST_THOUGHT = 4000
"""Letters of what a model thought that are kept."""
_WAIT = 60.0  # seconds for a lock that another process holds
_TABLES = """
create table if not exists answers (
  key text primary key, place text not null, text text not null, note text not null,
  prompt integer, completion integer, served text not null, thought text not null);
create table if not exists calls (
  id integer primary key, run text not null, key text not null, begun real not null,
  seconds real, state text not null, prompt integer, completion integer, usd real not null);
create index if not exists calls_of_run on calls (run, state);
"""
# Named by its tables: another version's file is another file.
FILE = f"calls-{hashlib.sha256(_TABLES.encode()).hexdigest()[:8]}.db"


class Spent(Exception):
    """The budget has no room for another call; the text says which one, and how much it was."""


class Unanswered(Exception):
    """No answer after all tries; the text says why. Others may be answered still."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint answered. `note` says what was odd about it, `served` is the model that it
    says answered, as a hash: some servers give a path of their own; `thought` is what it thought
    before, where the server tells it apart. Tokens are None where the
    endpoint does not count them."""

    text: str
    note: str = ""
    prompt: int | None = None
    completion: int | None = None
    served: str = ""
    thought: str = ""


@dataclass(frozen=True)
class Budget:
    """What a run may cost at most: calls that were not refused, and dollars. Prices are dollars a
    million tokens, None where nobody said."""

    calls: int | None = None
    usd: float | None = None
    usd_in: float | None = None
    usd_out: float | None = None

    def price(self, prompt: int | None, completion: int | None, most: tuple[int, int]) -> float:
        """Dollars; where tokens were not counted, `most` bounds them."""
        given = (
            most[0] if prompt is None else prompt,
            most[1] if completion is None else completion,
        )
        return (given[0] * (self.usd_in or 0) + given[1] * (self.usd_out or 0)) / MILLION


class Ledger:
    """The file of one folder; None keeps it in memory, for this process alone. Raises `UserError`
    for a file that is damaged, or a folder that cannot be written."""

    def __init__(self, folder: Path | None, run: str, budget: Budget) -> None:
        self.run, self.budget = run, budget
        place = ":memory:"
        try:
            if folder is not None:
                place = str(folder / FILE)
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(place, timeout=_WAIT, isolation_level=None)
            self._db.execute("pragma journal_mode = wal")
            self._db.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            # It says what was paid, so it is not thrown away in silence.
            raise UserError(
                f"the calls of earlier exams in {place} cannot be used: {error}. Move the file "
                "away, or name another folder with FREEZETAG_CACHE."
            ) from None

    def close(self) -> None:
        self._db.close()

    def knows(self, place: str) -> bool:
        """Whether anything is kept that was answered at this address."""
        row = self._db.execute("select 1 from answers where place = ? limit 1", (place,)).fetchone()
        return row is not None

    def known(self, key: str) -> Answer | None:
        """The answer to a call that was made before; it is counted as one that cost nothing."""
        row = self._db.execute(
            "select text, note, prompt, completion, served, thought from answers where key = ?",
            (key,),
        ).fetchone()
        if row is None:
            return None
        self._db.execute(
            "insert into calls (run, key, begun, seconds, state, usd) values (?, ?, ?, 0, ?, 0)",
            (self.run, key, time.time(), CACHED),
        )
        return Answer(*row)

    def begin(self, key: str, most: tuple[int, int]) -> int:
        """The number of a call that is about to be sent; `most` tokens it may take and give.

        Raises `Spent`. Two processes cannot both take the last call of a budget.
        """
        usd = self.budget.price(None, None, most)
        with self._alone():
            calls, spent = self._db.execute(
                "select count(*), coalesce(sum(usd), 0) from calls "
                "where run = ? and state in (?, ?)",
                (self.run, ANSWERED, UNKNOWN),
            ).fetchone()
            if self.budget.calls is not None and calls >= self.budget.calls:
                raise Spent(f"the budget of {self.budget.calls} calls is spent")
            if self.budget.usd is not None and spent + usd > self.budget.usd:
                raise Spent(
                    f"of the budget of ${self.budget.usd:g}, ${spent:.4f} are spent, and another "
                    f"call may cost ${usd:.4f}"
                )
            made = self._db.execute(
                "insert into calls (run, key, begun, state, usd) values (?, ?, ?, ?, ?)",
                (self.run, key, time.time(), UNKNOWN, usd),
            )
        assert made.lastrowid is not None
        return made.lastrowid

    def answered(
        self,
        call: int,
        key: str,
        answer: Answer,
        seconds: float,
        most: tuple[int, int],
        place: str = "",
    ) -> None:
        """A call came to its end at this address; what it answered is kept."""
        usd = self.budget.price(answer.prompt, answer.completion, most)
        with self._alone():
            self._db.execute(
                "update calls set state = ?, seconds = ?, prompt = ?, completion = ?, usd = ? "
                "where id = ?",
                (ANSWERED, seconds, answer.prompt, answer.completion, usd, call),
            )
            self._db.execute(
                "insert or replace into answers values (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key,
                    place,
                    answer.text,
                    answer.note,
                    answer.prompt,
                    answer.completion,
                    answer.served,
                    answer.thought,
                ),
            )

    def refused(self, call: int, seconds: float) -> None:
        """The endpoint turned a call down: it made nothing, and costs nothing."""
        self._db.execute(
            "update calls set state = ?, seconds = ?, usd = 0 where id = ?",
            (REFUSED, seconds, call),
        )

    def lost(self, call: int, seconds: float) -> None:
        """Nobody knows what became of a call: it timed out, or its answer could not be read."""
        self._db.execute("update calls set seconds = ? where id = ?", (seconds, call))

    def account(self) -> dict[str, Any]:
        """What this run has cost so far; see `docs/how-to/language-models.md`."""
        rows = self._db.execute(
            "select state, count(*), coalesce(sum(prompt), 0), coalesce(sum(completion), 0), "
            "sum(prompt is null), coalesce(sum(seconds), 0), coalesce(sum(usd), 0) from calls "
            "where run = ? group by state",
            (self.run,),
        ).fetchall()
        by_state = {row[0]: row[1:] for row in rows}
        none = (0, 0, 0, 0, 0.0, 0.0)
        answered, unknown = by_state.get(ANSWERED, none), by_state.get(UNKNOWN, none)
        served = self._db.execute(
            "select count(distinct answers.served) from calls join answers using (key) "
            "where calls.run = ? and answers.served != ''",
            (self.run,),
        ).fetchone()
        priced = self.budget.usd_in is not None and self.budget.usd_out is not None
        return {
            "calls": answered[0],
            "calls from the cache": by_state.get(CACHED, none)[0],
            "calls refused": by_state.get(REFUSED, none)[0],
            "calls unknown": unknown[0],
            "tokens in": answered[1],
            "tokens out": answered[2],
            "calls without a count of tokens": answered[3],
            "seconds waited": round(sum(row[4] for row in by_state.values()), 1),
            "usd": round(answered[5] + unknown[5], 6) if priced else None,
            "models that answered": served[0],
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A transaction that no other process can come between."""
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")


def key_of(*parts: Any) -> str:
    """A hash of everything that shapes an answer."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
