"""Webhooks: notices POSTed to addresses of the operator's, from a queue that a restart takes up.

A notice is one JSON object, signed as Standard Webhooks has it (headers `webhook-id`, `-timestamp`,
`-signature`: HMAC-SHA256 over `ID.TIMESTAMP.BODY` with the secret of the folder). It is sent until
somebody answers with 2xx, at first after a second, then at longer and longer intervals; so it may
come twice, and its id tells. Each address has a thread of its own, and none of them holds anything
that a press needs.

An answer that leads elsewhere (3xx) is a failure and is not followed; of any answer at most 64 KiB
are read, and all of it has five seconds.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import random
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

from freezetag.live.gate.address import connect

WITHIN = 5.0
"""Seconds for one delivery, all of it."""
LARGEST_ANSWER = 64 * 1024
FIRST, LONGEST = 1.0, 3600.0
"""Seconds until the second try, and between two at most."""
MOST = 10_000
"""Notices that wait for one address; then the oldest are given up, which is an alarm."""
PREFIX = "whsec_"
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS waiting(n INTEGER PRIMARY KEY, id TEXT NOT NULL,
    url TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL, due REAL NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS told(name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


@dataclass
class Letter:
    """One notice to one address. `due` is Unix time; `n` its number in the queue."""

    n: int
    id: str
    url: str
    body: str
    tries: int = 0
    due: float = 0.0


@final
class Queue:
    """What waits, and what was told already. Memory leads, and the file follows: where it cannot
    be written, everything goes on but the memory of it, and `trouble` says why. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.trouble = ""
        self.told: dict[str, str] = {}
        self._path = path
        self._lock = threading.RLock()
        self._letters: dict[int, Letter] = {}
        self._number = 0
        self._unsaved: list[tuple[str, tuple[Any, ...]]] = []
        self._db: sqlite3.Connection | None = None
        with self._lock:
            try:
                db = self._open()
                for row in db.execute("SELECT n, id, url, body, tries, due FROM waiting"):
                    self._letters[row[0]] = Letter(*row)
                self._number = max(self._letters, default=0)
                self.told = dict(db.execute("SELECT name, value FROM told"))
            except sqlite3.Error as error:
                self.trouble = f"{path} cannot be read: {error}"

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = sqlite3.connect(
                self._path, timeout=0.2, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            for statement in SCHEMA:
                self._db.execute(statement)
            self._path.chmod(0o600)
        return self._db

    def put(self, letters: Sequence[tuple[str, str, str]], told: Mapping[str, str]) -> list[str]:
        """Adds (id, url, body), and what is told with them, in one transaction; what was given up
        for want of room, in words."""
        with self._lock:
            changes: list[tuple[str, tuple[Any, ...]]] = []
            for id, url, body in letters:
                self._number += 1
                letter = Letter(self._number, id, url, body)
                self._letters[letter.n] = letter
                changes.append(self._kept(letter))
            for name, value in told.items():
                self.told[name] = value
                changes.append(("INSERT OR REPLACE INTO told VALUES (?, ?)", (name, value)))
            lost = []
            for url in {url for _, url, _ in letters}:
                of_it = [each for each in self._letters.values() if each.url == url]
                for old in of_it[: max(0, len(of_it) - MOST)]:
                    changes.append(self._gone(old))
                    lost.append(f"a notice to {url} was given up: {MOST} wait already")
            self._write(changes)
            return lost

    def next(self, url: str, now: float) -> Letter | float:
        """The oldest that is due, or for how many seconds none is."""
        with self._lock:
            waiting = [each for each in self._letters.values() if each.url == url]
            # A wall clock that was set back makes nothing wait longer than the longest wait.
            rest = {each.n: min(each.due - now, 1.3 * LONGEST) for each in waiting}
            due = [each for each in waiting if rest[each.n] <= 0]
            return due[0] if due else min(rest.values(), default=LONGEST)

    def done(self, letter: Letter) -> None:
        with self._lock:
            self._write([self._gone(letter)])

    def later(self, letter: Letter, due: float) -> None:
        with self._lock:
            letter.tries, letter.due = letter.tries + 1, due
            if letter.n in self._letters:
                self._write([self._kept(letter)])

    def waiting(self) -> dict[str, int]:
        """How many wait, by address."""
        with self._lock:
            found: dict[str, int] = {}
            for each in self._letters.values():
                found[each.url] = found.get(each.url, 0) + 1
            return found

    def close(self) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._write([])
            if self._db is not None:
                self._db.close()

    def _kept(self, letter: Letter) -> tuple[str, tuple[Any, ...]]:
        values = (letter.n, letter.id, letter.url, letter.body, letter.tries, letter.due)
        return "INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?, ?)", values

    def _gone(self, letter: Letter) -> tuple[str, tuple[Any, ...]]:
        self._letters.pop(letter.n, None)
        return "DELETE FROM waiting WHERE n = ?", (letter.n,)

    def _write(self, changes: list[tuple[str, tuple[Any, ...]]]) -> None:
        """With what could not be written before, in the same order."""
        self._unsaved += changes
        if not self._unsaved:
            return
        try:
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            try:
                for statement, values in self._unsaved:
                    db.execute(statement, values)
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise
            self._unsaved, self.trouble = [], ""
        except (sqlite3.Error, OSError) as error:
            self.trouble = f"{self._path} cannot be written: {error}"
            del self._unsaved[: -2 * MOST]


@final
class Webhooks:
    """Sends what is in the queue, from a thread for each of `urls`, until `close`."""

    def __init__(
        self,
        urls: Sequence[str],
        secret: str,
        queue: Queue,
        *,
        first: float = FIRST,
        within: float = WITHIN,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.urls, self.queue = tuple(dict.fromkeys(urls)), queue
        self.failures: dict[str, str] = {}
        """By address: what went wrong at the last try; none where that went well."""
        self.delivered = self.failed = 0
        self._secret, self._first, self._within, self._now = secret, first, within, now
        self._ended = threading.Event()
        self._news = {url: threading.Event() for url in self.urls}
        self._threads = [
            threading.Thread(target=self._run, args=(url,), name="webhook", daemon=True)
            for url in self.urls
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, notices: Sequence[Mapping[str, Any]], told: Mapping[str, str]) -> list[str]:
        """Hands notices over for every address; what was given up, in words."""
        texts = [(str(each["id"]), json.dumps(each, ensure_ascii=False)) for each in notices]
        lost = self.queue.put([(id, url, body) for id, body in texts for url in self.urls], told)
        for news in self._news.values():
            news.set()
        return lost

    def close(self) -> None:
        """Ends; what waits is sent after the next start, and what is under way perhaps twice."""
        self._ended.set()
        for news in self._news.values():
            news.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(0.2)

    def _run(self, url: str) -> None:
        news = self._news[url]
        while not self._ended.is_set():
            news.clear()
            letter = self.queue.next(url, self._now())
            if not isinstance(letter, Letter):
                news.wait(min(letter, 60.0))
                continue
            try:
                why = post(url, letter.id, letter.body, self._secret, self._within, self._now())
            except Exception as error:  # a fault of ours must not end the thread
                why = f"{type(error).__name__}: {error}"
            if not why:
                self.delivered += 1
                self.failures.pop(url, None)
                self.queue.done(letter)
                continue
            self.failed += 1
            self.failures[url] = why
            wait = min(self._first * 2.0**letter.tries, LONGEST) * random.uniform(0.8, 1.2)
            self.queue.later(letter, self._now() + wait)


def post(url: str, id: str, body: str, secret: str, within: float, now: float) -> str:
    """One delivery: "" if it was taken, else why not. Raises nothing that a peer can cause."""
    parts = urlsplit(url)
    at = str(int(now))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "freezetag",
        "webhook-id": id,
        "webhook-timestamp": at,
        "webhook-signature": signature(secret, id, at, body.encode()),
    }
    connection = connect(url, within)
    late = threading.Event()

    def cut() -> None:  # a byte now and then would keep a mere timeout of the socket away
        late.set()
        if (made := connection.sock) is not None:
            with contextlib.suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(within, cut)
    timer.daemon = True
    timer.start()
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path, body.encode(), headers)
        answer = connection.getresponse()
        answer.read(LARGEST_ANSWER)
        status, where = answer.status, answer.headers.get("Location", "")
    except (OSError, http.client.HTTPException, ValueError) as error:
        if late.is_set() or isinstance(error, TimeoutError):  # the socket's own may come first
            return f"no answer within {within:g} s"
        return str(error) or type(error).__name__
    finally:
        timer.cancel()
        connection.close()
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answers {status} ({where:.200}), which is not followed: name the new address"
    return f"answers {status}"


def signature(secret: str, id: str, timestamp: str, body: bytes) -> str:
    """The header `webhook-signature`: what a receiver computes again from what it got.

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek",
    ...           "1614265330", b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
