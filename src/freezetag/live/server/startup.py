"""Starting from a ledger: the state and the tail first, the whole chain behind it.

The tail is good if the newest checkpoint is signed by our key and covers exactly the records that
are there. Whoever could change both holds the key; the gates' checkpoints are there for that case.
The state is good if its seal fits and its records have the hashes that the checkpoint covers; else
every record is read before anything is granted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from freezetag.live.authority.home import Home
from freezetag.live.authority.postgres_store import PostgresStore
from freezetag.live.authority.sqlite_store import Connect, SqliteStore, lost
from freezetag.live.authority.state_seal import Seal, fits
from freezetag.live.authority.store import Sign, StateRows, Store, StoreError
from freezetag.live.signed.merkle import (
    LedgerError,
    Tree,
    leaf_hash,
    node_hash,
    open_note,
    read_record,
)

PAUSE_EVERY, PAUSE = 256, 0.002
RECENT = 100
Record = tuple[str, dict[str, Any], int]


@dataclass
class Restored:
    """What a start found: the records of the state (kind, body, at), tree, checkpoint.

    `doubt` says why nothing may be granted; "" if the tail is good. Only where the state is
    `sealed` may anything be granted before all records are verified.
    """

    records: list[Record]
    tree: Tree
    note: str
    doubt: str
    recent: list[dict[str, Any]]
    sealed: bool = False


def opened(
    home: Home,
    sign: Sign,
    connect: Connect,
    seal: Seal | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Store:
    """The ledger of the folder; one that is gone or unreadable is shut, so that nothing is granted.

    Presses are taken all the same, as with a disk that is full. A database is reached later, by
    `come_up`.
    """
    settings = home.settings
    if settings.store:
        return PostgresStore(
            settings.store,
            authority=settings.name,
            public=home.public,
            node=settings.node,
            lease=settings.node_lease,
            sign=sign,
            clock=clock,
            seal=seal,
        )
    why = lost(home.ledger)
    if not why:
        try:
            return SqliteStore(home.ledger, sign, connect, seal=seal)
        except StoreError as error:
            why = str(error)
    todo = (
        "A press works, but is not durable: it is kept in second.jsonl. End the server, put back "
        "the newest copy of ledger.db, and serve again; without one, serve a new folder and enrol "
        "the agents there."
    )
    return SqliteStore(home.ledger, sign, connect, shut=f"{why} {todo}")


def restore(home: Home, store: Store) -> Restored:
    """Reads the state and checks the tail. Never raises for what the ledger contains."""
    tree = Tree()
    records: list[Record] = []
    recent: list[dict[str, Any]] = []
    note, sealed = "", False
    try:
        hashes = b"".join(store.leaf_hashes())
        tree = Tree.of_hashes(hashes)
        sealed = _sealed(home, store)
        for i, leaf in store.state():
            # The checkpoint covers the hashes, so what does not fit its hash is what was changed.
            sealed = sealed and leaf_hash(leaf) == hashes[32 * i : 32 * i + 32]
            fields = read_record(leaf)
            records.append((fields["kind"], fields["body"], fields["at"]))
        last = store.records(max(0, store.head.size - RECENT))
        recent = [read_record(leaf) for _, leaf in last]
        size, note = store.note()
        doubt = _tail(home, store, tree, size, note)
    except (StoreError, LedgerError) as error:
        doubt = f"the ledger cannot be read: {error}"
    store.vouched, store.doubted = sealed and not doubt, bool(doubt)
    return Restored(records, tree, note, doubt, recent, sealed)


def _sealed(home: Home, store: Store) -> bool:
    if not store.head.size:
        return store.vouched
    rows, signature = store.sealed()
    return fits(home.public, store.head.size, store.head.root, rows, signature)


def _tail(home: Home, store: Store, tree: Tree, size: int, note: str) -> str:
    if store.head.size == size == 0:
        return ""
    if size != store.head.size or not note:
        return (
            f"the newest checkpoint covers {size} records, and {store.head.size} are there: the "
            "ledger was changed, cut back or replaced."
        )
    checkpoint = open_note(note, home.settings.name, home.public)
    if not checkpoint.root == store.head.root == tree.root():
        return f"the {size} records do not give the root of their checkpoint: changed."
    return ""


def verify_behind(home: Home, store: Store, stopped: Callable[[], bool]) -> str:
    """Hashes every record again and derives the state again; what is wrong, or "".

    Works on one snapshot of the file, in small steps, so that leases are served meanwhile.
    """
    if store.shut:
        return ""  # which is told already
    stack: list[bytes] = []
    given = StateRows()
    i = 0
    with store.snapshot() as seen:
        size, note = seen.newest
        for i, leaf in seen.records:
            digest, position = leaf_hash(leaf), i
            while position & 1:
                digest = node_hash(stack.pop(), digest)
                position >>= 1
            stack.append(digest)
            fields = read_record(leaf)
            if fields["i"] != i:
                return f"record {i} carries the number {fields['i']}."
            given.take(fields["kind"], fields["body"], i)
            if i % PAUSE_EVERY == 0:
                if stopped():
                    return ""
                time.sleep(PAUSE)
        kept = {row[0]: row for row in seen.rows() or ()}
    if not stack:
        return "" if size == 0 else f"the checkpoint covers {size} records, and none is there."
    root = stack[-1]
    for left in reversed(stack[:-1]):
        root = node_hash(left, root)
    if size != i + 1 or open_note(note, home.settings.name, home.public).root != root:
        return f"the {i + 1} records do not give the root of the checkpoint over {size}: changed."
    if kept != given.rows:
        return "the state that was kept is not the state that the records give: changed."
    return ""
