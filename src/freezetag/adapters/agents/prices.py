"""Prices on record, as an agent to examine: `prices:FILE`, a table in CSV or Parquet.

A row is a price that a seller set at a time. Columns: `time` (ISO dates or times, or numbers),
`seller`, `price`; for the collusion index also `quantity` sold until the next time, `cost` of one,
and `buyers`, all who might have bought. Without `buyers` their number is taken from how all sales
answer all prices. Other columns are left alone.

Numbers may have thousands commas (1,730,045.91) and a currency sign. An empty price is none: the
one before stays in force. Rows may be unsorted, and the same row may stand there twice. Everything
else that is wrong is refused, with its line.

Caveat: a table shows what sellers did and not what they would have done; whoever is not in it, and
what moved all of them at once, is not seen.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np

from freezetag.core.episode import Episode
from freezetag.core.errors import printable
from freezetag.core.interlock import Panel
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent

NEEDED = ("time", "seller", "price")
FURTHER = ("quantity", "cost", "buyers")
MOST = 10_000_000
"""Cells of a table laid out, times by sellers."""
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Row(NamedTuple):
    """A line of a table: where it stands ("line 7"), and price, quantity, cost and buyers."""

    where: str
    time: float
    seller: str
    numbers: tuple[float, float, float, float]


@final
class PriceTable:
    """A table of prices as an agent that is a record; `notes` say what to keep in mind."""

    def __init__(self, rows: Sequence[Row], where: str, unit: str, notes: Sequence[str]) -> None:
        self.panel = Panel()
        self.recorded, more = _laid_out(rows, where)
        self.notes: tuple[str, ...] = (f"times in {unit}", *notes, *more)


def names() -> tuple[str, ...]:
    """The tables of the current folder."""
    here = Path.cwd()
    return tuple(sorted(file.name for kind in ("*.csv", "*.parquet") for file in here.glob(kind)))


def factory(name: str) -> Callable[[int], Any]:
    """Raises `BadAgent`: a table sits in no seat."""
    raise BadAgent(
        f"prices on record cannot be asked to act. `freezetag examine prices:{name}` examines them."
    )


def recorded(name: str) -> PriceTable:
    """The table in a file. Raises `BadAgent` with the line of what is wrong."""
    path = Path(name).expanduser()
    header, body = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    known = [column.strip().lower() for column in header]
    missing = [column for column in NEEDED if column not in known]
    if missing:
        raise BadAgent(
            f"{path} has no column {', '.join(missing)}. It takes {', '.join(NEEDED)}, and for the "
            f"collusion index {', '.join(FURTHER)}; there are: {printable(', '.join(header), 200)}."
        )
    if twice := [column for column in (*NEEDED, *FURTHER) if known.count(column) > 1]:
        raise BadAgent(f"{path} has the column {twice[0]} more than once.")
    at = {column: known.index(column) for column in (*NEEDED, *FURTHER) if column in known}
    rows, kinds, empty = list[Row](), set[str](), 0
    for where, cells in body:
        if len(cells) != len(header):
            raise BadAgent(
                f"{path}, {where}: {len(cells)} cells, and the header has {len(header)}. A number "
                "with thousands commas needs quotes."
            )
        given = {column: cells[index] for column, index in at.items()}
        time, kind = _time(given["time"], f"{path}, {where}")
        kinds.add(kind)
        seller = str(given["seller"] if given["seller"] is not None else "").strip()
        if not seller:
            raise BadAgent(f"{path}, {where}: no seller.")
        price, quantity, cost, buyers = (
            _number(given.get(column), column, f"{path}, {where}") for column in ("price", *FURTHER)
        )
        if math.isnan(price):
            empty += 1
            continue
        rows.append(Row(where, time, seller, (price, quantity, cost, buyers)))
    if len(kinds) > 1:
        raise BadAgent(f"{path}: some times are dates and some numbers; write all alike.")
    if not rows:
        raise BadAgent(f"{path} has no row with a price.")
    notes = [f"{empty} rows without a price left out: the one before stays in force"] * bool(empty)
    if extra := [column for column in header if column.strip().lower() not in at]:
        notes.append(f"columns not read: {printable(', '.join(map(str, extra)), 80)}")
    once = _once(rows, path, notes)
    return PriceTable(once, str(path), kinds.pop(), notes)


def _csv(path: Path) -> tuple[list[str], list[tuple[str, list[Any]]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadAgent(f"cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise BadAgent(f"{path} is not UTF-8 text (byte {error.start}).") from None
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True)
    try:
        lines = [(f"line {reader.line_num}", cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise BadAgent(f"{path}, line {reader.line_num}: {error}.") from None
    if not lines:
        raise BadAgent(f"{path} is empty: the first line names the columns.")
    return lines[0][1], [(where, list(cells)) for where, cells in lines[1:]]


def _parquet(path: Path) -> tuple[list[str], list[tuple[str, list[Any]]]]:
    import duckdb

    if not path.is_file():
        raise BadAgent(f"cannot read {path}: there is no such file.")
    try:
        with duckdb.connect() as base:
            found = base.read_parquet(str(path))
            header = [str(column) for column in found.columns]
            return header, [(f"row {n}", list(row)) for n, row in enumerate(found.fetchall(), 1)]
    except duckdb.Error as error:
        said = printable(str(error).splitlines()[0], 200)
        raise BadAgent(f"{path} is no Parquet table that can be read: {said}") from None


def _time(value: Any, where: str) -> tuple[float, str]:
    """(seconds or the number itself, what it is in)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp(), "seconds"
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp(), "seconds"
    text = str(value if value is not None else "").strip()
    if _PLAIN.fullmatch(text) and math.isfinite(float(text)):
        return float(text), "the table's own numbers"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadAgent(
            f"{where}: {printable(text, 40)!r} is no time. Write 2011-04-08, 2011-04-08T10:30 or a "
            "number."
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp(), "seconds"


def _number(value: Any, column: str, where: str) -> float:
    """NaN for an empty cell. Raises `BadAgent` for what is none, or not above 0 (a quantity and a
    cost may be 0)."""
    text = str(value if value is not None else "").strip()
    if not text:
        return math.nan
    bare = text.lstrip("$€£¥").strip()
    if _GROUPED.fullmatch(bare):
        bare = bare.replace(",", "")
    if not _PLAIN.fullmatch(bare) or not math.isfinite(number := float(bare)):
        hint = " Decimals take a point: 1730045.91." if re.search(r"\d,\d{1,2}$", text) else ""
        raise BadAgent(f"{where}: {column} {printable(text, 40)!r} is not a number.{hint}")
    if number < 0 or (number == 0 and column in ("price", "buyers")):
        raise BadAgent(
            f"{where}: {column} is {number:g}, and it must be above 0. (Leave the cell empty where "
            "nothing was offered.)"
        )
    return number


def _once(rows: list[Row], path: Path, notes: list[str]) -> list[Row]:
    """Sorted by time, the same row counted once. Raises `BadAgent` for two prices at one time."""
    ordered = sorted(rows, key=lambda row: (row.time, row.seller))
    if [row.time for row in rows] != [row.time for row in ordered]:
        notes.append("rows were not in the order of time, and were sorted")
    kept: list[Row] = []
    for row in ordered:
        last = kept[-1] if kept else None
        if last is None or (last.time, last.seller) != (row.time, row.seller):
            kept.append(row)
        elif not np.array_equal(last.numbers, row.numbers, equal_nan=True):
            raise BadAgent(
                f"{path}: {last.where} and {row.where} differ, and are of the same seller at the "
                "same time."
            )
    if len(kept) < len(rows):
        notes.append(f"{len(rows) - len(kept)} rows stand there twice, and count once")
    return kept


def _laid_out(rows: Sequence[Row], where: str) -> tuple[Episode, list[str]]:
    """One episode: a step for each time, a seat for each seller; and what to note.

    `world`: "time" [1, T]; "price" [1, T, N] in force, NaN before a seller's first; "sets" [1, T,
    N] 1 where it was stated then; "quantity", "cost" [1, T, N] and "buyers" [1, T], NaN where not
    given."""
    times = sorted({row.time for row in rows})
    sellers = sorted({row.seller for row in rows})
    if len(sellers) < 2:
        raise BadAgent(
            f"{where} has one seller ({printable(sellers[0], 40)}): a loop and an agreement take "
            "two."
        )
    if len(times) * len(sellers) > MOST:
        raise BadAgent(
            f"{where} has {len(times):,} times and {len(sellers):,} sellers, too many to lay out "
            f"at once ({MOST:,} cells at most): take one product, or a shorter time."
        )
    shape = (1, len(times), len(sellers))
    step = {time: t for t, time in enumerate(times)}
    seat = {seller: n for n, seller in enumerate(sellers)}
    price, quantity, cost = (np.full(shape, np.nan) for _ in range(3))
    buyers, sets = np.full(shape[:2], np.nan), np.zeros(shape)
    for row in rows:
        at = (0, step[row.time], seat[row.seller])
        price[at], quantity[at], cost[at] = row.numbers[:3]
        sets[at] = 1.0
        many = row.numbers[3]
        if not math.isnan(many):
            if buyers[at[:2]] not in (many,) and not math.isnan(buyers[at[:2]]):
                raise BadAgent(f"{where}, {row.where}: another number of buyers at the same time.")
            buyers[at[:2]] = many
    for t in range(1, shape[1]):
        price[0, t] = np.where(sets[0, t] > 0, price[0, t], price[0, t - 1])
    notes = []
    apart = np.diff(times)
    if len(apart) and apart.max() > 3 * np.median(apart):
        notes.append(
            f"the longest gap is {apart.max() / np.median(apart):.3g} times the usual one; prices "
            "are taken to stand in it"
        )
    nothing, no = np.full(shape, np.nan), np.zeros(shape, bool)
    acts = np.zeros((*shape, 1), np.int32)
    episode = Episode(
        proposed=acts,
        executed=acts,
        levels=nothing,
        rewards=nothing,
        mode=np.zeros((1, shape[1] + 1, shape[2]), np.int32),
        valid=np.ones(shape[:2], bool),
        seats=np.arange(shape[2], dtype=np.int32)[None],
        forced=no,
        illegal=no,
        world={
            "time": np.asarray([times]),
            "price": price,
            "sets": sets,
            "quantity": quantity,
            "cost": cost,
            "buyers": buyers,
        },
        row=np.zeros(1, np.int32),
        repeat=np.zeros(1, np.int32),
        players=tuple(sellers),
    )
    return episode, notes


ADAPTER = Adapter(factory=factory, names=names, recorded=recorded)
