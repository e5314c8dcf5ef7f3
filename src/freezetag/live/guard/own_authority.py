"""An authority in one folder and one process, for one agent and one person: what `guard` holds.

The folder is an authority's home like any other (`server.home`), only `solo`: its ledger passes
`freezetag verify`, and `freezetag serve` can take it over. Every run is a start of its own by the
person who runs it; a press, also one by a limit, has to be cleared first.

Caveat: the person's key lies in the folder. Whoever may read it can clear a press; so it says
`solo`, and an agent of the same user is stopped by it at tier 0 only.
"""

from __future__ import annotations

import base64
import contextlib
import getpass
import json
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, final

from freezetag.core.errors import RunError, UserError
from freezetag.live.authority.authority import Authority, ResetError
from freezetag.live.authority.facts import Record
from freezetag.live.authority.home import Home, HomeError, Settings, lock_folder, require_empty
from freezetag.live.authority.sqlite_store import SqliteStore, lost
from freezetag.live.authority.store import Sign, StoreError
from freezetag.live.gate.clock import boot_clock
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.latch import LatchFile
from freezetag.live.signed.keys import Person, generate, public_of
from freezetag.live.signed.merkle import Checkpoint, Tree, open_note, read_record, record, sign_note
from freezetag.live.signed.presses import Press

NAME = "own"
LATCH, LOCK = "latch.json", "lock"
BESIDE = (LOCK, LATCH, LATCH.replace(".json", ".reserve"))
"""What may lie in a new folder: a gate that had to write down a stop after somebody took its folder
away has left a latch."""
SOON = (0.01, 0.05, 0.2)
"""Seconds between looks at who holds a lock."""
KEY = "person.key"
"""Of the same form as `freezetag enrol --person` writes."""


@final
class OwnAuthority:
    """Opens (or makes) the folder, verifies its ledger, and answers one gate.

    Not thread-safe: open and `start` first, then `answer` from the host's thread alone. Raises
    `UserError` for a folder that another guard uses, that is a server's, or whose ledger does not
    verify.
    """

    def __init__(self, folder: str | Path, agent: str, *, length: float = 5.0) -> None:
        self.folder, self.agent, self.length = Path(folder), agent, length
        # Before anything is made in it: of two that find it empty at once, one goes on.
        self._lock = _locked(self.folder)
        try:
            self.home = _home(self.folder, length)
        except UserError:
            self._lock.close()
            raise
        self._clock = boot_clock()
        self._authority = Authority(
            self.home.settings.name,
            secret=self.home.secret,
            roster=self.home.roster,
            clock=self._clock,
            wall=_milliseconds,
            length=length,
        )
        try:
            self._store = _ledger(self.home, self._sign)
        except StoreError:
            self._lock.close()
            raise
        self._authority.head = self._head
        self._take_up()

    @property
    def latch(self) -> LatchFile:
        return LatchFile(self.folder / LATCH)

    @property
    def presses(self) -> tuple[Press, ...]:
        """The presses that stand, the gate's own included."""
        return self._authority.facts.presses.standing(self.home.roster)

    def enrolment(self) -> Enrolment:
        """What the gate holds of this authority."""
        key = self._authority.key_for(self.agent)
        return Enrolment(self.home.settings.name, key, self.home.roster, self.length)

    def start(
        self,
        limits: Mapping[str, float],
        patience: float = 0.0,
        on_stop: str = "rest_is_safe",
    ) -> None:
        """Enrols the agent with these limits and starts it: a new epoch.

        Raises `ResetError` while a press stands, and after a crash until the lease that the crash
        left behind has surely ended (waits for that up to `patience` seconds).
        """
        self._store_all(self._authority.enrol(self.agent, on_stop=on_stop, limits=limits))
        end = time.monotonic() + patience
        while True:
            try:
                self._store_all(self._authority.start(self.agent, _user()))
                return
            except ResetError:
                if self.presses or time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def answer(self, text: str) -> str | None:
        """The reply to a frame of the gate, once what it changes is durable."""
        reply, records = self._authority.on_frame(text)
        self._store_all(records)
        return reply

    def reset(self) -> tuple[Press, ...]:
        """Clears what stands, signed by the folder's one person; starts nothing. What it cleared.

        Presses that only the gate's latch remembers, since the guard was killed before it could
        tell, are entered first. Raises `ResetError` where the folder's key does not suffice.
        """
        for press in self._in_the_latch():
            self._store_all(self._authority.press(press))
        standing = self.presses
        if standing:
            private = base64.b64decode(json.loads((self.folder / KEY).read_bytes())["private"])
            drafted = self._authority.draft()
            clearance = drafted.signed(private, public_of(private))
            self._store_all(self._authority.clear(clearance))
        if self.presses:
            raise ResetError(
                f"nothing is cleared: that takes {self.home.roster.quorum} of the people of "
                f"{self.folder}, and the key in it is not enough. See `freezetag reset`."
            )
        return standing

    def close(self, gate: Gate | None = None, head: str = "") -> None:
        """Anchors the gate's journal in the ledger, and lets the folder go."""
        agent = self._authority.facts.agents.get(self.agent)
        try:
            if gate is not None and agent is not None:  # or it was never started
                body = {"b": gate.b, "gate": self.agent, "last": gate.last, "spent": {}}
                self._store_all([("anchor", body | {"head": head})])
                if agent.started:
                    self._hold("the run has ended")
        finally:
            self._store.close()
            with contextlib.suppress(OSError):
                self._lock.truncate(0)
            self._lock.close()

    def _hold(self, why: str) -> None:
        self._store_all([("held", {"agent": self.agent, "why": why})])

    def _store_all(self, records: Sequence[Record]) -> None:
        """Durable first, then applied; an error leaves memory stopped and the ledger as it was."""
        for kind, body in records:
            at = _milliseconds()
            leaf = record(self._store.head.size, kind, body, at)
            try:
                self._store.insert([leaf], [(kind, body)])
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"{self.home.ledger} cannot be written: {error}.") from None
            self._authority.apply(kind, body, at)

    def _take_up(self) -> None:
        """Reads the ledger back; unlocks if the signed checkpoint covers exactly what is there."""
        size, note = self._store.note()
        tree = Tree()
        for _, leaf in self._store.records():
            tree.append(leaf)
            fields = read_record(leaf)
            self._authority.apply(fields["kind"], fields["body"], fields["at"])
        if tree.size:
            signed = open_note(note, self.home.settings.name, self.home.public)
            if (signed.size, signed.root) != (tree.size, tree.root()):
                raise UserError(
                    f"{self.home.ledger} does not fit its checkpoint: {tree.size} records, {size} "
                    "signed. Nothing is started. See `freezetag verify`."
                )
        self._authority.unlock()
        left = self._authority.facts.agents.get(self.agent)
        if left is not None and left.started:
            # Or a gate that reports its crash would be re-armed for the run that is over.
            self._hold("the last run ended without closing")

    def _in_the_latch(self) -> list[Press]:
        memory = self.latch.load() or {}
        known = self._authority.facts.presses.presses
        states = [link["state"]["presses"] for link in memory.get("links", {}).values()]
        told = [Press.from_json(item) for presses in states for item in presses]
        return [press for press in told if press not in known]

    def _head(self) -> dict[str, Any]:
        return {"root": self._store.head.root.hex(), "size": self._store.head.size}

    def _sign(self, size: int, root: bytes) -> str:
        settings, roster = self.home.settings, self.home.roster
        return sign_note(Checkpoint(settings.name, size, root, roster.solo), self.home.signing)


def _ledger(home: Home, sign: Sign) -> SqliteStore:
    """Raises `StoreError` for one that is gone: what stood in it is not known, so nothing runs."""
    if why := lost(home.ledger):
        raise StoreError(
            f"{why} What was pressed is not known, so nothing is started. Put back a copy of "
            "it, or name another --state folder."
        )
    return SqliteStore(home.ledger, sign)


def _locked(folder: Path) -> IO[str]:
    """The folder's lock, with this guard's process id in it for whoever finds it taken."""
    if not any((folder / name).exists() for name in (LOCK, "authority.json")):
        require_empty(folder, BESIDE)  # and no lock is left in what is no guard's
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RunError(f"cannot make {folder}: {error.strerror}.") from None
    try:
        file = lock_folder(folder)
    except HomeError:
        if pid := _guard_at(folder / LOCK):
            raise UserError(
                f"a guard runs on {folder}, pid {pid}. To guard another command beside it, add an "
                f"option that gives this one a folder of its own: --state {_free(folder)}. To run "
                f"the same one again, wait for its end, or end it: kill {pid}"
            ) from None
        raise
    with contextlib.suppress(OSError):
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file


def _guard_at(lock: Path) -> int:
    """The process id of the guard that holds the lock; 0 if a server does."""
    for pause in (*SOON, 0.0):  # it takes the lock first, and then writes its number
        try:
            pid = int(lock.read_text(encoding="ascii"))
            os.kill(pid, 0)
        except PermissionError:
            return pid  # another user's, so it is there
        except (OSError, ValueError):
            time.sleep(pause)
        else:
            return pid
    return 0


def _free(folder: Path) -> Path:
    """A folder beside it that is not there."""
    n = 2
    while os.path.lexists(beside := folder.with_name(f"{folder.name}-{n}")):
        n += 1
    return beside


def _home(folder: Path, length: float) -> Home:
    if (folder / "authority.json").exists():
        home = Home.open(folder)
        if not (folder / KEY).exists():
            raise UserError(
                f"{folder} is a server's folder and no guard's: its people reset it, with "
                f"`freezetag reset --home {folder}`. A guard takes another --state folder."
            )
        return home
    private, public = generate()
    person = Person(_user(), public)
    settings = Settings(name=NAME, length=length)
    home = Home.create(folder, settings, [person], solo=True, beside=BESIDE)
    pair = {"private": private, "key": public}
    spelled = {name: base64.b64encode(key).decode() for name, key in pair.items()}
    file = folder / KEY
    file.touch(mode=0o600)
    file.write_text(json.dumps({"name": person.name, **spelled}) + "\n", encoding="utf-8")
    return home


def _user() -> str:
    """Who runs this; a number where the host knows no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return f"uid {os.getuid()}"


def _milliseconds() -> int:
    return int(time.time() * 1000)
