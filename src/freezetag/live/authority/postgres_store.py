"""The ledger in PostgreSQL, which several nodes of one authority write in one order.

Each transaction takes the lock of the one row of `head` first, reads what others wrote, and adds
its records after those, with the checkpoint, the state and a NOTIFY: so there is one chain, whoever
writes. A look is a transaction too, which writes the node's beat. Its commit waits for the
synchronous standby, so that an answer says three things: this database is still the one that its
standby follows, all that was durable when it was asked is in the answer, and all that is in the
answer is durable.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from freezetag.live.authority.postgres_database import Database, Nothing
from freezetag.live.authority.postgres_tables import (
    AFTER,
    ALONE,
    AT_ONE_MOMENT,
    BEHIND,
    FAILOVER,
    FROM,
    HEAD,
    IDENTITY,
    LOCK,
    LOOK,
    MOST,
    NOTES,
    PAGE,
    READ_WITHIN,
    ROWS,
    SCHEMA,
    SHORTER,
    STATE,
    UNREACHED,
    UNSIGNED,
    VERSION,
    WRITE,
)
from freezetag.live.authority.state_seal import MODULUS, Row, Seal, message, total
from freezetag.live.authority.store import (
    CHUNK,
    Body,
    Head,
    News,
    Sign,
    Snapshot,
    StateRows,
    StoreError,
    Told,
    grown,
    split,
)
from freezetag.live.signed.frames import RHO
from freezetag.live.signed.merkle import Checkpoint, LedgerError, leaf_hash, open_note, read_record


@dataclass(frozen=True)
class _Base:
    """What a start reads, at one moment."""

    hashes: bytes
    state: list[tuple[int, bytes]]
    seal: bytes


@final
class PostgresStore:
    """One node's connection to the ledger of its authority. Raises `StoreError`, and nothing else.

    `clock` is the node's own, for what was asked when. `lease` is the node lease in seconds: each
    operation has half of it, and a look comes at least each fourth part. `tells` gives what the
    others are told with a look, `addresses` where gates reach this node.
    """

    def __init__(
        self,
        url: str,
        *,
        authority: str,
        public: bytes,
        node: str,
        lease: float,
        sign: Sign,
        clock: Callable[[], float] = time.monotonic,
        seal: Seal | None = None,
    ) -> None:
        self.head = Head()
        self.shut = UNREACHED
        self.vouched = self.doubted = False
        self.period: float | None = lease / 4
        self.tells: Callable[[], str] = lambda: ""
        self.addresses: tuple[str, ...] = ()
        self._authority, self._public, self._node = authority, public, node
        self._lease, self._deadline = lease, lease / 2
        self._db = Database(url, authority, public, node, self._deadline)
        self._sign, self._clock, self._seal = sign, clock, seal
        self._incarnation = secrets.token_hex(8)
        self._rows, self._total = StateRows(), 0
        self._base: _Base | None = None
        self._note: tuple[int, str] = 0, ""
        self._news: News | None = None
        self._beats: dict[str, int] = {}
        self._time: tuple[float, float] | None = None  # our clock, and how far the database's is
        self._timed: Any = None  # on which connection

    def woken(self, wake: Callable[[], object]) -> None:
        """Calls `wake`, in another thread, when another node wrote."""
        self._db.wake = wake

    # Start and end.

    @classmethod
    def create(cls, url: str, authority: str, public: bytes, within: float = 10.0) -> None:
        """Makes the tables of an authority. Raises `StoreError` where somebody's are there."""
        store = cls.to_read(url, authority, public, within)
        try:
            store._db.call(store._create(), within)
        finally:
            store.close()

    @classmethod
    def check(cls, url: str, authority: str, public: bytes, within: float = 10.0) -> None:
        """Raises `StoreError` where the database does not hold the ledger of this authority."""
        store = cls.to_read(url, authority, public, within)
        try:
            store._db.call(store._db.connected(), within)
        finally:
            store.close()

    @classmethod
    def to_read(
        cls, url: str, authority: str, public: bytes, within: float = 10.0
    ) -> PostgresStore:
        """For whoever writes nothing: `snapshot` alone may be used."""
        return cls(url, authority=authority, public=public, node="", lease=within, sign=_unsigned)

    def come_up(self) -> bool:
        """Connects and reads what a start needs; `shut` says why not."""
        if not self.shut:
            return True
        try:
            self._db.call(self._read(), READ_WITHIN)
        except StoreError as error:
            self.shut = str(error)
            return False
        self.shut = ""
        return True

    def serve(self) -> None:
        self._base = None

    def close(self) -> None:
        self._db.close(self._end)

    def now(self) -> float:
        """Unix seconds by the database's clock, so that no two nodes differ; ours before that."""
        return time.time() if self._time is None else self._clock() + self._time[1]

    # Writing, in the one writer thread.

    def look(self) -> News:
        self._usable()
        return self._absorbed(self._db.call(self._looked(self.tells()), self._deadline))

    def begin(self) -> News:
        self._usable()
        self._news = None
        news = self._checked(self._db.call(self._begun(self.tells()), self._deadline))
        self._news = news
        return news

    def insert(self, leaves: Sequence[bytes], records: Sequence[tuple[str, Body]]) -> str:
        news, self._news = self._news, None
        if news is None:
            raise StoreError("no transaction is under way")
        base, _ = grown(self.head, news.leaves)
        new, chunks = grown(base, leaves)
        changed = self._rows.after([*_read(news.leaves), *records], self.head.size)
        summed = self._summed(changed)
        note = news.note
        if leaves:
            note = news.note if self.doubted else self._sign(new.size, new.root)
            seal = None
            if self.vouched and not self.doubted and self._seal is not None:
                seal = self._seal(message(new.size, new.root, summed))
            pressed = any(_of_failover(kind, body) for kind, body in records)
            came = [row for row in changed.values() if row is not None]
            arguments = (
                list(range(base.size, new.size)),
                list(leaves),
                [name for name, row in changed.items() if row is None],
                [row[0] for row in came],
                [row[1] for row in came],
                [row[2] for row in came],
                [n for n, _ in chunks],
                [hashes for _, hashes in chunks],
                not self.doubted,
                new.size // CHUNK * CHUNK,
                new.size,
                note,
                b"".join(new.peaks),
                seal,
                self._db.timeline if pressed else None,
                self._node,
            )
            self._db.call(self._written(arguments), self._deadline)
        else:
            self._db.call(self._ended(), self._deadline)
        self._take(changed, summed)
        self.head, self._note = new, (new.size, note)
        return note

    def settle(self, leaves: Sequence[bytes]) -> News:
        """What is there, once we have the lock: whatever was under way has ended then."""
        self._usable()
        self._news = None
        news = self._db.call(self._begun(self.tells()), self._deadline)
        self._db.call(self._ended(), self._deadline)
        return self._absorbed(news)

    def _usable(self) -> None:
        if self.shut or self._base is not None:
            raise StoreError(self.shut or "the ledger is being read")

    def _checked(self, news: News) -> News:
        """With a doubt, if the records are not those that a node of ours signed for."""
        if not news.leaves and news.note in ("", self._note[1]):
            return news
        head, _ = grown(self.head, news.leaves)
        try:
            self._rows.after(_read(news.leaves), news.first)
            signed = open_note(news.note, self._authority, self._public) if news.note else None
        except LedgerError:
            signed = Checkpoint(self._authority, -1, b"")
        except (LookupError, TypeError) as error:
            raise StoreError(f"{UNSIGNED}: {error!r}") from None
        if signed is None or (signed.size, signed.root) == (head.size, head.root):
            return news
        self.doubted = True
        return replace(news, doubt=news.doubt or UNSIGNED)

    def _absorbed(self, news: News) -> News:
        """The news are part of what we know."""
        news = self._checked(news)
        if news.leaves:
            changed = self._rows.after(_read(news.leaves), news.first)
            self._take(changed, self._summed(changed))
            self.head, _ = grown(self.head, news.leaves)
        if news.note:
            self._note = self.head.size, news.note
        return news

    def _summed(self, changed: dict[str, Row | None]) -> int:
        known = self._rows.rows
        gone = [known[name] for name in changed if name in known]
        came = [row for row in changed.values() if row is not None]
        return (total(came, self._total) - total(gone)) % MODULUS

    def _take(self, changed: dict[str, Row | None], summed: int) -> None:
        self._rows.change(changed)
        self._total = summed

    # Reading, from any thread.

    def leaf_hashes(self) -> Iterator[bytes]:
        yield from split(self._opening().hashes)

    def state(self) -> Iterator[tuple[int, bytes]]:
        yield from self._opening().state

    def sealed(self) -> tuple[list[Row], bytes]:
        return list(self._rows.rows.values()), self._opening().seal

    def note(self) -> tuple[int, str]:
        return self._note

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        stop = self.head.size if stop is None else stop
        with self._reading() as conn:
            while start < stop:
                rows = self._db.call(
                    conn.fetch(FROM, start, min(stop, start + PAGE)), READ_WITHIN, conn
                )
                yield from ((row["i"], row["record"]) for row in rows)
                start += PAGE

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        with self._reading() as conn:
            self._db.call(conn.execute(AT_ONE_MOMENT), READ_WITHIN, conn)
            size, note, _, seal = self._db.call(conn.fetchrow(HEAD), READ_WITHIN, conn)
            kept = self._db.call(conn.fetch(NOTES), READ_WITHIN, conn)
            notes = {row["size"]: row["note"] for row in kept}
            if note:
                notes[size] = note

            def records() -> Iterator[tuple[int, bytes]]:
                start = 0
                while rows := self._db.call(conn.fetch(AFTER, start, PAGE), READ_WITHIN, conn):
                    yield from ((row["i"], row["record"]) for row in rows)
                    start = rows[-1]["i"] + 1

            def rows() -> list[Row]:
                return [tuple(row) for row in self._db.call(conn.fetch(ROWS), READ_WITHIN, conn)]

            yield Snapshot(tuple(sorted(notes.items())), records(), rows, seal)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        """A connection of its own to this authority's ledger."""
        conn = self._db.call(self._db.apart(), READ_WITHIN, Nothing)
        try:
            yield conn
        finally:
            self._db.call(_gone(conn), self._deadline, conn)

    def _opening(self) -> _Base:
        if self._base is None:
            raise StoreError(self.shut or "what a start reads was read already")
        return self._base

    # In the loop's thread.

    async def _create(self) -> None:
        conn = self._db.conn = await self._db.connect(self._deadline)
        found, where = await conn.fetchrow(IDENTITY), self._db.where
        if found["replica"] or found["fsync"] != "on":
            what = "is a read-only replica" if found["replica"] else "runs with fsync off"
            raise StoreError(f"{where} {what}: no authority can be begun there.")
        async with conn.transaction():
            await conn.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
            if await conn.fetchval("SELECT to_regnamespace('freezetag') IS NOT NULL"):
                raise StoreError(
                    f"{where} holds an authority already, and nothing is overwritten. Name another "
                    "database, or make a node of that authority: --join FOLDER."
                )
            await conn.execute(SCHEMA)
            await conn.execute(
                "INSERT INTO freezetag.meta VALUES (true, $1, $2, $3, $4, $5, $6)",
                VERSION,
                self._authority,
                self._public,
                found["system"],
                int(found["timeline"], 16),
                found["synchronous"],
            )

    async def _read(self) -> None:
        conn = await self._db.connected()
        await self._take_name(conn)
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            size, note, peaks, seal = await conn.fetchrow(HEAD)
            count, last = await conn.fetchrow("SELECT count(*), max(i) FROM freezetag.ledger")
            rows = [tuple(row) for row in await conn.fetch(ROWS)]
            hashes, expected = bytearray(), 0
            for n, chunk in await conn.fetch("SELECT n, hashes FROM freezetag.leaves ORDER BY n"):
                if n != expected or len(chunk) != 32 * CHUNK or (n + 1) * CHUNK > count:
                    break
                hashes += chunk
                expected += 1
            at = expected * CHUNK
            while at < count:
                for row in await conn.fetch(FROM, at, at + PAGE):
                    hashes += leaf_hash(row["record"])
                at += PAGE
            state = [tuple(row) for row in await conn.fetch(STATE)]
        if count and last != count - 1:
            raise StoreError(
                f"{self._db.where} lacks records: {count} are there, the last is numbered "
                f"{last}. See what is missing with `freezetag verify`, and restore it."
            )
        self._rows = StateRows()
        self._rows.change({row[0]: row for row in rows})
        self._total = total(rows)
        tail = split(bytes(hashes[32 * (count // CHUNK * CHUNK) :]))
        self.head, self._note = Head(count, split(peaks), tail), (size if note else 0, note)
        self._base = _Base(bytes(hashes), state, seal)
        self.vouched, self.doubted = not count and not rows, False

    async def _take_name(self, conn: Any) -> None:
        """This node's row. Raises `StoreError` while another server beats under the name."""
        query = "SELECT incarnation, beat, lease, ended FROM freezetag.nodes WHERE name = $1"
        row = await conn.fetchrow(query, self._node)
        if row is not None and not row["ended"] and row["incarnation"] != self._incarnation:
            end = self._clock() + row["lease"]
            while self._clock() < end:
                await asyncio.sleep(row["lease"] / 10)
                if await conn.fetchrow(query, self._node) != row:
                    raise StoreError(
                        f"another server runs as the node {self._node} of this authority. Two of "
                        "one name would be taken for one: serve this folder with another --node."
                    )
        await conn.execute(
            "INSERT INTO freezetag.nodes VALUES ($1, $2, 0, $3, $4, false) ON CONFLICT (name) DO "
            "UPDATE SET incarnation = $2, beat = nodes.beat + 1, lease = $3, addresses = $4, "
            "ended = false",
            self._node,
            self._incarnation,
            self._lease,
            json.dumps(self.addresses),
        )

    async def _looked(self, tells: str) -> News:
        return await self._fetched(await self._db.connected(), tells, MOST)

    async def _begun(self, tells: str) -> News:
        conn = await self._db.connected()
        if conn.is_in_transaction():
            self._db.cut()
            conn = await self._db.connected()
        sent = self._clock()
        await conn.execute("BEGIN; SELECT size FROM freezetag.head FOR UPDATE")
        news = await self._fetched(conn, tells, 1 << 40)
        if news.first + len(news.leaves) < self.head.size or news.doubt == SHORTER:
            raise StoreError(SHORTER)
        return replace(news, sent=sent)

    async def _fetched(self, conn: Any, tells: str, most: int) -> News:
        first, sent = self.head.size, self._clock()
        self._db.warned = False
        row = await conn.fetchrow(
            LOOK,
            self._node,
            self._incarnation,
            first,
            self._lease,
            json.dumps(self.addresses),
            tells,
            most,
        )
        self._db.waited()
        if row is None:
            raise StoreError(f"{self._db.where} is not a ledger of ours any more: changed.")
        if row["beat"] is None:
            raise StoreError(f"another server took over as the node {self._node}: end one of them.")
        self._keep_time(conn, sent, row["clock"])
        doubt = failover = ""
        if row["timeline"] != self._db.timeline:
            doubt = (
                f"the database went from timeline {row['timeline']} to {self._db.timeline}: a "
                "standby was promoted, or a backup was played back"
            )
            failover = f"{FAILOVER}:{self._db.timeline}" if row["synchronous"] else ""
            doubt += "" if failover else ALONE
        elif row["synchronous"] and not row["standbys"]:
            doubt = (
                "the database no longer waits for a standby (synchronous_standby_names is empty), "
                "as it did when this ledger was begun: a press would be on one disk alone"
            )
        if row["size"] < first:
            doubt, failover = SHORTER, ""
        elif row["size"] > first + len(row["news"]):
            doubt = doubt or BEHIND
        nodes = tuple(self._other(json.loads(each)) for each in row["nodes"])
        note = row["note"] if row["size"] == first + len(row["news"]) else ""
        return News(
            first, tuple(row["news"]), note, sent, nodes, doubt, failover, row["synchronous"]
        )

    def _keep_time(self, conn: Any, sent: float, told: float) -> None:
        """The database read its clock after `sent`, so it is at most that far ahead of ours; of
        several looks the quickest tells best, and the two may drift apart."""
        apart = told - sent
        if self._time is not None and conn is self._timed:
            apart = min(apart, self._time[1] + RHO * (sent - self._time[0]))
        self._time, self._timed = (sent, apart), conn

    def _other(self, told: dict[str, Any]) -> Told:
        name, beat = told["node"], told["beat"]
        tells = "" if self._beats.get(name) == beat else told["tells"]
        self._beats[name] = beat
        addresses = tuple(map(str, json.loads(told["addresses"])))
        return Told(name, beat, told["lease"], addresses, tells)

    async def _written(self, arguments: tuple[Any, ...]) -> None:
        conn = self._db.conn
        if conn is None:
            raise StoreError("the database went away")
        await conn.execute(WRITE, *arguments)
        await self._ended()

    async def _ended(self) -> None:
        if self._db.conn is None:
            raise StoreError("the database went away")
        self._db.warned = False
        if await self._db.conn.execute("COMMIT") != "COMMIT":
            raise StoreError("the database took the transaction back")
        self._db.waited()

    async def _end(self) -> None:
        conn, self._db.conn = self._db.conn, None
        if conn is None or conn.is_closed():
            return
        try:
            if not conn.is_in_transaction() and self._node:
                await conn.execute(
                    "UPDATE freezetag.nodes SET ended = true WHERE name = $1 AND incarnation = $2",
                    self._node,
                    self._incarnation,
                )
        finally:
            conn.terminate()


def _of_failover(kind: str, body: Body) -> bool:
    return kind == "press" and str(body.get("who")).startswith(FAILOVER)


async def _gone(conn: Any) -> None:
    conn.terminate()


def _unsigned(size: int, root: bytes) -> str:
    return ""


def _read(leaves: Sequence[bytes]) -> list[tuple[str, Body]]:
    """Kind and body of each. Raises `StoreError`."""
    try:
        fields = [read_record(leaf) for leaf in leaves]
    except LedgerError as error:
        raise StoreError(f"{UNSIGNED}: {error}") from None
    return [(each["kind"], each["body"]) for each in fields]
