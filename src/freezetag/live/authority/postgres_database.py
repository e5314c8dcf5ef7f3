"""One node's connection to a database: whose it is, and no wait without an end.

An operation that takes longer than its deadline ends with its connection. PostgreSQL is never asked
to cancel: a commit that is cancelled while it waits for its standby counts as done.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, final
from urllib.parse import unquote

from freezetag.live.authority.postgres_tables import (
    CHANNEL,
    IDENTITY,
    READ_WITHIN,
    SLACK,
    VERSION,
)
from freezetag.live.authority.store import StoreError

T = TypeVar("T")
_PASSWORD = re.compile(r"(://[^/@:]*):(.*)@|(password=)([^&\s]+)", re.IGNORECASE)


def masked(url: str) -> str:
    """The URL without its password."""
    return _PASSWORD.sub(lambda m: f"{m[1]}:***@" if m[1] else f"{m[3]}***", url)


def _secrets(url: str) -> set[str]:
    """What no message may hold, as it is written and as it is meant."""
    found = {m[2] or m[4] or "" for m in _PASSWORD.finditer(url)}
    return {each for text in found for each in (text, unquote(text)) if each}


def is_url(text: str) -> bool:
    """Whether this names a database, and not a file."""
    return text.startswith(("postgresql://", "postgres://"))


@final
class Wire:
    """A thread with a loop of its own, for callers that have none."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T], within: float) -> T:
        """What `work` gives; it is to end by itself. Raises `StoreError` if it does not."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(within)
        except TimeoutError:
            raise StoreError(f"the database did not answer within {within:g} s") from None

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(2)
        if not self._thread.is_alive():
            self._loop.close()


@final
class Database:
    """Raises `StoreError`, and nothing else. `wake` is called in another thread when another node
    wrote. `deadline`: seconds for one operation."""

    def __init__(self, url: str, authority: str, public: bytes, node: str, deadline: float) -> None:
        self.conn: Any = None
        self.where = masked(url)
        self.timeline = 0
        self.warned = False  # it said that a commit did not wait for its standby
        self.wake: Callable[[], object] = lambda: None
        self._url, self._authority, self._public = url, authority, public
        self._node, self._deadline = node, deadline
        self._wire: Wire | None = None
        self._making = threading.Lock()

    def close(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Ends; `end` is what is left to say."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with contextlib.suppress(StoreError):
                wire.call(self._guarded(end(), self._deadline, self.cut), 2 * self._deadline)
            wire.close()

    def call(self, work: Coroutine[Any, Any, T], within: float, conn: Any = None) -> T:
        """What `work` gives over `conn`, else over the connection to write with."""
        with self._making:
            if self._wire is None:
                self._wire = Wire()
            wire = self._wire
        end = self.cut if conn is None else conn.terminate
        return wire.call(self._guarded(work, within, end), within + SLACK)

    async def _guarded(
        self, work: Coroutine[Any, Any, T], within: float, end: Callable[[], None]
    ) -> T:
        """Ends the connection where `work` fails or is late: what became of it is not known."""
        late = False

        def cut() -> None:
            nonlocal late
            late = True
            end()

        timer = asyncio.get_running_loop().call_later(within, cut)
        try:
            return await work
        except StoreError:
            end()
            raise
        except Exception as error:  # asyncpg's own, and whatever a cut connection makes of it
            end()
            if late or isinstance(error, TimeoutError):
                raise StoreError(f"{self.where} did not answer within {within:g} s") from None
            raise StoreError(self._said(error)) from None
        finally:
            timer.cancel()

    def cut(self) -> None:
        conn, self.conn = self.conn, None
        if conn is not None:
            conn.terminate()

    def _said(self, error: BaseException) -> str:
        """What is wrong, with the database's address and without its password."""
        text = str(error) or type(error).__name__
        for secret in sorted(_secrets(self._url), key=len, reverse=True):
            text = text.replace(secret, "***")
        return f"{self.where}: {text}"

    async def connect(self, idle: float) -> Any:
        import asyncpg

        milliseconds = {"lock_timeout": self._deadline, "idle_in_transaction_session_timeout": idle}
        conn = await asyncpg.connect(
            self._url,
            timeout=self._deadline,
            server_settings={
                "application_name": f"freezetag {self._node}".strip(),
                "synchronous_commit": "on",
                "statement_timeout": "0",  # it would cancel a commit that waits for its standby
                "tcp_keepalives_idle": "5",
                "tcp_keepalives_interval": "2",
                "tcp_keepalives_count": "3",
                **{name: str(int(1000 * value)) for name, value in milliseconds.items()},
            },
        )
        conn.add_log_listener(self._warning)
        return conn

    def _notified(self, conn: Any, pid: int, channel: str, node: str) -> None:
        if node != self._node:
            self.wake()

    def _warning(self, conn: Any, told: Any) -> None:
        self.warned = self.warned or told.severity_en == "WARNING"

    async def connected(self) -> Any:
        """The connection to write with; a new one is asked first whose ledger it holds."""
        if self.conn is not None and not self.conn.is_closed():
            return self.conn
        conn = self.conn = await self.connect(self._deadline)
        self.timeline = int((await self.identified(conn))["timeline"], 16)
        await conn.add_listener(CHANNEL, self._notified)
        return conn

    async def apart(self) -> Any:
        conn = await self.connect(READ_WITHIN)
        try:
            await self.identified(conn)
        except BaseException:
            conn.terminate()
            raise
        return conn

    async def identified(self, conn: Any) -> Any:
        """Whose database it is. Raises `StoreError` for all that is not ours to write to."""
        found, where = await conn.fetchrow(IDENTITY), masked(self._url)
        if found["replica"]:
            raise StoreError(
                f"{where} is a read-only replica. Name the primary, or several hosts with "
                "?target_session_attrs=read-write."
            )
        if found["fsync"] != "on":
            raise StoreError(f"{where} runs with fsync off: what it stores is not on its disk.")
        if not found["there"]:
            raise StoreError(f"{where} holds no ledger of ours: it is gone, or never was there.")
        version = await conn.fetchval("SELECT version FROM freezetag.meta")
        if version != VERSION:
            raise StoreError(
                f"{where} has the schema version {version}, and this freezetag writes {VERSION}. "
                "Serve all nodes with the same release."
            )
        if found["added"]:
            raise StoreError(
                f"{where} holds triggers that no server of ours makes ({found['added']}), and "
                "nobody knows what they do to a record: take them away, and verify."
            )
        meta = await conn.fetchrow("SELECT authority, public, system FROM freezetag.meta")
        if (meta["authority"], meta["public"]) != (self._authority, self._public):
            raise StoreError(
                f"{where} holds the ledger of another authority, {meta['authority']}: its key is "
                "not this folder's. Name another database."
            )
        if meta["system"] != found["system"]:
            raise StoreError(
                f"{where} holds a copy: this ledger was begun in another PostgreSQL cluster. Two "
                "copies would be two authorities with one name, so nothing is written to this one."
            )
        return found

    def waited(self) -> None:
        if self.warned:
            raise StoreError("the database did not wait for its standby: somebody cancelled that")


class Nothing:
    """In place of a connection that does not stand yet: there is nothing to end."""

    @staticmethod
    def terminate() -> None: ...
