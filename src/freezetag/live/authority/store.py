"""What keeps a ledger: the Protocol of its two implementations, and what both derive from records.

`SqliteStore` is a file of one server; `PostgresStore` is a database that several nodes of one
authority write in one order. Beside the records both keep the signed checkpoint of the newest size
and what a start reads: the rows of the state, the leaf hashes, and the seal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from freezetag.core.errors import RunError
from freezetag.live.authority.state_seal import Row
from freezetag.live.signed.merkle import EMPTY, leaf_hash, node_hash
from freezetag.live.signed.record import State
from freezetag.live.signed.records import state_of

CHUNK = 1024
"""Leaf hashes in a row of `leaves`, and records between checkpoints that are kept."""
Body = Mapping[str, Any]
Sign = Callable[[int, bytes], str]
"""The note for so many records under this root."""


class StoreError(RunError):
    """The ledger cannot be read or written; the text says why."""


@dataclass(frozen=True)
class Head:
    """Where the ledger stands: its size, the roots of its full subtrees, the unfinished chunk."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()
    open_chunk: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY
        digest = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            digest = node_hash(left, digest)
        return digest


@dataclass(frozen=True)
class Told:
    """What another node of the authority says of itself, at its beat `beat`.

    `lease`: seconds of its node lease. `addresses`: where its gates' listener is. `tells`: JSON of
    what it heard (`freezetag.live.server.nodes`); "" where nothing is new since the last look.
    """

    node: str
    beat: int
    lease: float
    addresses: tuple[str, ...]
    tells: str = ""


@dataclass(frozen=True)
class News:
    """The records from `first` on that we had not: by other nodes, or ours of unknown fate.

    `sent`: when it was asked for, on the store's clock. All that was durable before is in it.
    `doubt`: why nothing may be granted by what this shows; "" if it may. `failover`: in whose
    name the fleet is pressed, where the database is another one than before; "" if it is not.
    `synchronous`: whether what is durable is on a standby, too.
    """

    first: int
    leaves: tuple[bytes, ...] = ()
    note: str = ""
    sent: float = float("-inf")
    nodes: tuple[Told, ...] = ()
    doubt: str = ""
    failover: str = ""
    synchronous: bool = True

    @property
    def end(self) -> int:
        return self.first + len(self.leaves)


@dataclass(frozen=True)
class Snapshot:
    """One moment of a ledger: its checkpoints, its records in order, and the rows of its state."""

    notes: tuple[tuple[int, str], ...]
    records: Iterator[tuple[int, bytes]]
    rows: Callable[[], list[Row]]
    seal: bytes = b""

    @property
    def newest(self) -> tuple[int, str]:
        return self.notes[-1] if self.notes else (0, "")


class Store(Protocol):
    """A ledger that is kept. Written by one thread; the methods that read may be called from any.

    `shut` says why it cannot be used ("": it can); then nothing is read or written. `period`:
    seconds between two looks at what other nodes wrote; None where nobody else writes. The state is
    sealed once it is `vouched` for: that it is what the records give. While it is `doubted` that
    the records are ours, records are added and no checkpoint is signed.
    """

    head: Head
    shut: str
    vouched: bool
    doubted: bool
    period: float | None

    def come_up(self) -> bool:
        """Tries to open what is shut; whether it can be read now. `serve` lets records in."""

    def serve(self) -> None:
        """What `come_up` read is taken in: records may be written."""

    def close(self) -> None: ...

    def now(self) -> float:
        """Unix seconds, by the one clock that all who write here go by."""

    def look(self) -> News:
        """What others wrote. Raises `StoreError` or `OSError`."""

    def begin(self) -> News:
        """Begins a transaction that only we write in; what others wrote before it."""

    def insert(self, leaves: Sequence[bytes], records: Sequence[tuple[str, Body]]) -> str:
        """Ends the transaction: the leaves, numbered after the news of `begin`, with all that is
        derived from them. Gives the new note once all of it, the news too, is durable."""

    def settle(self, leaves: Sequence[bytes]) -> News:
        """After an `insert` that failed: what is there and durable now, with our leaves or without
        them. Raises where that cannot be known yet."""

    def leaf_hashes(self) -> Iterator[bytes]:
        """The leaf hash of every record."""

    def state(self) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the records that make up the state, in order."""

    def sealed(self) -> tuple[list[Row], bytes]:
        """The rows of the state, and the signature that vouches for them; b"" if none does."""

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Index and bytes of the records from `start`, before `stop`."""

    def note(self) -> tuple[int, str]:
        """Size and text of the newest checkpoint; (0, "") if there is none."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """All of it at one moment. Raises `StoreError`."""


def standing(kind: str, body: Body, i: int) -> State:
    """(name, life, over): under which name record `i` belongs to the state ("": it does not), of
    which agent's present incarnations it is a part, and whose earlier ones it ends. The table of
    kinds says so; only names are forgotten, so that an old renewal played again can hold an agent.
    """
    return state_of(kind, body, i)


class StateRows:
    """The rows of `state`, as the records give them one after the other."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._lives: dict[str, set[str]] = {}

    def take(self, kind: str, body: Body, i: int) -> None:
        name, life, over = standing(kind, body, i)
        for ended in self._lives.pop(over, ()) if over else ():
            self.rows.pop(ended, None)
        if name:
            self.rows[name] = (name, i, life)
        if life:
            self._lives.setdefault(life, set()).add(name)

    def after(self, records: Iterable[tuple[str, Body]], first: int) -> dict[str, Row | None]:
        """What records from `first` on would change: name -> row, None where it goes."""
        changed: dict[str, Row | None] = {}
        lives: dict[str, set[str]] = {}
        for i, (kind, body) in enumerate(records, first):
            name, life, over = standing(kind, body, i)
            if over:
                gone = lives.get(over, self._lives.get(over, set()))
                changed.update(dict.fromkeys(gone))
                lives[over] = set()
            if name:
                changed[name] = (name, i, life)
            if life:
                lives.setdefault(life, set(self._lives.get(life, ()))).add(name)
        return changed

    def change(self, changed: Mapping[str, Row | None]) -> tuple[list[Row], list[Row]]:
        """Takes such changes in; the rows that went and those that came."""
        gone, came = [], []
        for name, row in changed.items():
            before = self.rows.pop(name, None)
            if before is not None:
                gone.append(before)
                if before[2]:
                    self._lives[before[2]].discard(name)
            if row is not None:
                came.append(row)
                self.rows[name] = row
                if row[2]:
                    self._lives.setdefault(row[2], set()).add(name)
        return gone, came


def grown(head: Head, leaves: Sequence[bytes]) -> tuple[Head, list[tuple[int, bytes]]]:
    """The head after these leaves, and the chunks that they completed."""
    size, peaks, open_chunk = head.size, list(head.peaks), list(head.open_chunk)
    chunks = []
    for leaf in leaves:
        digest = leaf_hash(leaf)
        open_chunk.append(digest)
        position = size
        while position & 1:
            digest = node_hash(peaks.pop(), digest)
            position >>= 1
        peaks.append(digest)
        size += 1
        if len(open_chunk) == CHUNK:
            chunks.append((size // CHUNK - 1, b"".join(open_chunk)))
            open_chunk = []
    return Head(size, tuple(peaks), tuple(open_chunk)), chunks


def as_bytes(value: Any) -> bytes:
    """A record as it is hashed; one that somebody turned into text is still to be hashed."""
    return value if isinstance(value, bytes) else str(value).encode()


def split(hashes: bytes) -> tuple[bytes, ...]:
    return tuple(hashes[at : at + 32] for at in range(0, len(hashes), 32))
