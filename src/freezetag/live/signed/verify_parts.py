"""A long ledger in SQLite, verified by several processes, each a part of its records.

The parts only say that all is well. Whatever is wrong, odd or not alike sends the whole ledger
through `verify.verify_file`, whose report it is: so nothing passes here that would not pass there,
and `verify.py` stays the one file that suffices.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Any

from freezetag.live.signed import verify as one
from freezetag.live.signed.judge import Judge
from freezetag.live.signed.verify import Report, verify_file

PART = 1 << 15
"""Records that a process takes at a time."""
CHUNK = 1 << 10
"""Records of which a part gives one root, where no checkpoint ends among them."""
FEW = 2 * PART
"""Records up to which one process is as fast."""
_Event = tuple[int, bytes]


def verify_on(
    cores: int,
    path: str | Path,
    *,
    authority: str,
    public: bytes,
    checkpoint: str | None = None,
    people: dict[str, bytes] | None = None,
    quorum: int = 2,
) -> Report:
    """As `verify.verify_file`, on so many cores; 0: on all that this process may use."""
    if not cores:
        mine = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if mine else os.cpu_count() or 1
    rule: dict[str, Any] = {"authority": authority, "public": public, "people": people}
    rule |= {"checkpoint": checkpoint, "quorum": quorum}
    try:
        report = _good(cores, Path(path), **rule) if cores > 1 else None
    except (OSError, sqlite3.Error, ValueError, ArithmeticError, BrokenProcessPool):
        report = None
    return report or verify_file(path, **rule)


def _good(
    cores: int,
    path: Path,
    authority: str,
    public: bytes,
    checkpoint: str | None,
    people: dict[str, bytes] | None,
    quorum: int,
) -> Report | None:
    """The report on a ledger in which nothing is wrong; None for any other."""
    if path.is_dir():
        return None
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\x00":
            return None
    _, notes = one._open(path)
    with closing(_reading(path)) as base:
        (size, first, last) = base.execute("SELECT count(*), min(i), max(i) FROM ledger").fetchone()
    if size < FEW or (first, last) != (0, size - 1):
        return None
    own = [one._open_note(note, authority, public) for note in notes]
    kept = one._open_note(checkpoint, authority, public) if checkpoint else None
    known = [each for each in (*own, kept) if each is not None]
    solo = sum(each[2] for each in known)
    if (
        None in own
        or bool(checkpoint) is (kept is None)
        or (solo and people is not None and quorum > 1)
    ):
        return None
    roots: dict[int, set[bytes]] = {}
    for end, root, _ in known:
        roots.setdefault(end, set()).add(root)
    if max((each[0] for each in own if each), default=-1) != size or max(roots) > size:
        return None
    judge = one._judge(authority, people, quorum)
    stops = one._Stops(authority, quorum, judge)
    stack: list[bytes] = []
    at = 0
    for part in _parts(cores, path, size, sorted(roots)):
        if part is None:
            return None
        pieces, events = part
        for index, leaf in events:
            if one._wrong(leaf, index, stops, {}):
                return None
        for width, digests in pieces:
            at = _grown(stack, at, width, digests, roots)
            if at < 0:
                return None
    taken_up = judge is not None and judge.taken_up  # of a line that went on, one reader tells
    if at != size or any(roots.values()) or taken_up:
        return None
    return Report([], size, one._fold(stack).hex(), len(known), size, solo)


def _grown(
    stack: list[bytes], at: int, width: int, digests: list[bytes], roots: dict[int, set[bytes]]
) -> int:
    """How many leaves there are with these; -1 if a checkpoint says otherwise. Those that were
    reached are taken out of `roots`."""
    if at in roots and roots.pop(at) != {one._fold(stack)}:
        return -1
    if len(digests) == 1:  # the root of a whole chunk, or one leaf
        digest, position = digests[0], at // width
        while position & 1:
            digest = hashlib.sha256(b"\x01" + stack.pop() + digest).digest()
            position >>= 1
        stack.append(digest)
    else:
        one._extend(stack, at, digests)
    at += width
    if at in roots and roots.pop(at) != {one._fold(stack)}:
        return -1
    return at


def _parts(cores: int, path: Path, size: int, marks: list[int]) -> Iterator[Any]:
    """What each part gives, in order; ends after the first that is not good."""
    # A thread of ours could hold a lock that a forked process would wait for.
    way = (
        "fork"
        if threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods()
        else "spawn"
    )
    with ProcessPoolExecutor(cores, multiprocessing.get_context(way)) as pool:
        waiting = [
            pool.submit(_part, path, start, end, [mark for mark in marks if start <= mark <= end])
            for start in range(0, size, PART)
            for end in [min(start + PART, size)]
        ]
        for each in waiting:
            part = each.result()
            yield part
            if part is None:
                pool.shutdown(wait=False, cancel_futures=True)
                return


def _part(
    path: Path, start: int, end: int, marks: list[int]
) -> tuple[list[tuple[int, list[bytes]]], list[_Event]] | None:
    """In a process of its own. The roots of its chunks, split where a checkpoint ends, and the
    records that mean something, which are judged in order elsewhere; None if anything is wrong."""
    sha = hashlib.sha256
    told: list[Any] = []

    def hear(body: Any) -> list[str]:
        told.append(body)
        return []

    listener = one._Stops("", 0, Judge("", {}, 0))
    listener.kinds = dict.fromkeys(listener.kinds, hear)
    layouts: dict[bytes, Any] = {}
    fits: Any = one._NEVER
    events: list[_Event] = []
    pieces: list[tuple[int, list[bytes]]] = []
    with closing(_reading(path)) as base:
        query = "SELECT i, record FROM ledger WHERE i >= ? AND i < ? ORDER BY i"
        for first in range(start, end, CHUNK):
            rows = base.execute(query, (first, min(first + CHUNK, end))).fetchall()
            if [i for i, _ in rows] != list(range(first, min(first + CHUNK, end))):
                return None
            leaves = [leaf if isinstance(leaf, bytes) else str(leaf).encode() for _, leaf in rows]
            for index, leaf in enumerate(leaves, first):
                match = fits(leaf)
                if match is None and (layout := layouts.get(leaf[leaf.rfind(b'"kind":') :])):
                    fits = layout.fullmatch
                    match = fits(leaf)
                if match is not None and int(match[1]) == index:
                    continue
                told.clear()
                if one._wrong(leaf, index, listener, layouts) or listener.unknown:
                    return None
                if told:
                    events.append((index, leaf))
            digests = [sha(b"\x00" + leaf).digest() for leaf in leaves]
            cuts = [first, *(m for m in marks if first < m < first + len(leaves))]
            for cut, to in zip(cuts, [*cuts[1:], first + len(leaves)], strict=True):
                piece, stack = digests[cut - first : to - first], list[bytes]()
                if to - cut == CHUNK:
                    one._extend(stack, 0, piece)
                    piece = stack
                pieces.append((to - cut, piece))
    return pieces, events


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
