"""`python -m tests.live.tampering --runs 10000`: random tamperings, a table of those found by kind.

Two files with the same ledger, the server's own SQLite and the exported text, are changed in every
way below and verified. A change that leaves records and checkpoints as they were is none, and is
drawn again. `witness` is a checkpoint kept elsewhere, as every gate keeps one: without it a ledger
cut back to an older checkpoint, all newer ones removed, is a good older ledger. So `cut back` and
`older copy` are judged with a witness alone; all others are found with and without.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.live.worlds import PEOPLE, press, signed

from freezetag.live.authority.sqlite_store import SqliteStore
from freezetag.live.signed.merkle import Checkpoint, record, sign_note
from freezetag.live.signed.presses import draft
from freezetag.live.signed.verify import verify_file

PRIVATE, PUBLIC = PEOPLE["eve"]
STEPS = (7, 6, 9, 12, 6)
"""Records in each transaction."""
Change = Callable[[random.Random, Path], None]


def build(folder: Path) -> None:
    """`ledger.db` as a server writes it, `ledger.txt` as it is exported, and the last `witness`."""
    store = SqliteStore(folder / "ledger.db", lambda n, root: sign_note(_head(n, root), PRIVATE))
    notes = []
    for number, step in enumerate(STEPS):
        bodies = _bodies(number, step)
        first = store.head.size
        leaves = [record(first + i, *body, 1000 + i) for i, body in enumerate(bodies)]
        notes.append(store.insert(leaves, bodies))
        if number == 1:
            store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
            shutil.copy(folder / "ledger.db", folder / "older.db")
    store.close()
    with contextlib.closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as db:
        # A server keeps one checkpoint in 1,024 records; here there are several in few.
        for note in notes[2:-1]:
            db.execute("INSERT INTO checkpoint VALUES(?,?)", (int(note.split("\n")[1]), note))
        db.execute("PRAGMA journal_mode=DELETE")
    records, kept = content(folder / "ledger.db")
    lines = [f"#{line}\n".encode() for note in kept for line in note.splitlines()]
    (folder / "ledger.txt").write_bytes(b"".join([*(leaf + b"\n" for leaf in records), *lines]))
    (folder / "witness").write_text(notes[-1], encoding="utf-8")


def _head(size: int, root: bytes) -> Checkpoint:
    return Checkpoint("own", size, root)


def _bodies(number: int, count: int) -> list[tuple[str, dict[str, Any]]]:
    text = draft("own", {f"{number:032x}": {}}, {"root": "", "size": 0}, f"n{number}")
    made: list[tuple[str, dict[str, Any]]] = [
        ("press", press(number).to_json()),
        ("clear", signed(text, "ann", "bob").to_json()),
        ("start", {"agent": "a", "epoch": number + 1, "who": "ann"}),
        ("open", {"agent": "a", "b": f"{number:032x}", "epoch": number, "spent": {}}),
    ]
    made += [("anchor", {"gate": f"g{n}", "b": "0" * 32, "last": n}) for n in range(count - 4)]
    return made


def content(path: Path) -> tuple[list[bytes], list[str]]:
    """What the SQLite file says: records in order, checkpoints in order."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT record FROM ledger ORDER BY i")
        records = [r if isinstance(r, bytes) else str(r).encode() for (r,) in rows]
        return records, [n for (n,) in db.execute("SELECT note FROM checkpoint ORDER BY size")]


# Of any file.


def bit_flip(dice: random.Random, path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(data)


def truncated(dice: random.Random, path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: dice.randrange(len(data))])


# Of the text: lines are records, then notes.


def lines(change: Callable[[random.Random, list[bytes]], None]) -> Change:
    def changed(dice: random.Random, path: Path) -> None:
        found = path.read_bytes().splitlines(keepends=True)
        change(dice, found)
        path.write_bytes(b"".join(found))

    return changed


def edit_line(dice: random.Random, found: list[bytes]) -> None:
    at = dice.randrange(len(found))
    line = bytearray(found[at])
    line[dice.randrange(len(line))] = dice.randrange(256)
    found[at] = bytes(line)


def delete_line(dice: random.Random, found: list[bytes]) -> None:
    del found[dice.randrange(len(found))]


def insert_line(dice: random.Random, found: list[bytes]) -> None:
    at = dice.randrange(len(found))
    found.insert(at, record(at, "anchor", {"gate": "g", "n": dice.randrange(1000)}, 1) + b"\n")


def duplicate_line(dice: random.Random, found: list[bytes]) -> None:
    # A checkpoint twice is one checkpoint: whole notes are not repeated by one line.
    found.insert(dice.randrange(len(found)), dice.choice(found))


def swap_lines(dice: random.Random, found: list[bytes]) -> None:
    a, b = dice.sample(range(len(found)), 2)
    found[a], found[b] = found[b], found[a]


def swap_signatures(dice: random.Random, found: list[bytes]) -> None:
    stamps = [n for n, line in enumerate(found) if line.startswith("#— ".encode())]
    a, b = dice.sample(stamps, 2)
    found[a], found[b] = found[b], found[a]


def cut_back(dice: random.Random, found: list[bytes]) -> None:
    """To an older checkpoint, newer ones removed: good by itself."""
    first = next(n for n, line in enumerate(found) if line.startswith(b"#"))
    notes = b"".join(found[first:]).split(b"#freezetag/")[1:]
    kept = dice.randrange(1, len(notes))
    size = int(notes[kept - 1].split(b"\n")[1][1:])
    found[:] = [*found[:size], *(b"#freezetag/" + note for note in notes[:kept])]


# Of SQLite.


def sql(change: Callable[[random.Random, sqlite3.Connection, int], None]) -> Change:
    def changed(dice: random.Random, path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous=OFF")
            change(dice, db, db.execute("SELECT count(*) FROM ledger").fetchone()[0])

    return changed


def edit_field(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    at = dice.randrange(count)
    (leaf,) = db.execute("SELECT record FROM ledger WHERE i=?", (at,)).fetchone()
    fields = json.loads(leaf)
    name = dice.choice(sorted(fields["body"]))
    fields["body"][name] = dice.choice((0, "x", None, [], dice.randrange(1 << 30)))
    new = record(at, fields["kind"], fields["body"], fields["at"])
    db.execute("UPDATE ledger SET record=? WHERE i=?", (new, at))


def delete_row(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    db.execute("DELETE FROM ledger WHERE i=?", (dice.randrange(count),))


def delete_and_renumber(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    at = dice.randrange(count)
    db.execute("BEGIN")
    db.execute("DELETE FROM ledger WHERE i=?", (at,))
    rows = db.execute("SELECT i, record FROM ledger WHERE i>? ORDER BY i", (at,)).fetchall()
    for i, leaf in rows:
        fields = json.loads(leaf)
        new = record(i - 1, fields["kind"], fields["body"], fields["at"])
        db.execute("UPDATE ledger SET i=?, record=? WHERE i=?", (i - 1, new, i))
    db.execute("COMMIT")


def append_row(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    new = record(count, "start", {"agent": "a", "epoch": dice.randrange(99), "who": "eve"}, 1)
    db.execute("INSERT INTO ledger VALUES(?,?)", (count, new))


def duplicate_row(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    a, b = dice.sample(range(count), 2)
    db.execute("UPDATE ledger SET record=(SELECT record FROM ledger WHERE i=?) WHERE i=?", (a, b))


def swap_rows(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    a, b = dice.sample(range(count), 2)
    for old, new in ((a, -1), (b, a), (-1, b)):
        db.execute("UPDATE ledger SET i=? WHERE i=?", (new, old))


def lost_tail(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    db.execute("DELETE FROM ledger WHERE i>=?", (dice.randrange(count),))


def lost_note(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    """The newest checkpoint: what it covered is covered by none."""
    db.execute("DELETE FROM checkpoint WHERE size=?", (count,))


def other_key(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    """Rewritten whole, and signed: but not by the authority's key."""
    edit_field(dice, db, count)
    note = sign_note(_head(count, dice.randbytes(32)), PEOPLE["bob"][0])
    db.execute("UPDATE checkpoint SET note=? WHERE size=?", (note, count))


def other_note(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    """A checkpoint under the size of another."""
    rows = db.execute("SELECT size, note FROM checkpoint").fetchall()
    (a, _), (_, note) = dice.sample(rows, 2)
    db.execute("UPDATE checkpoint SET note=? WHERE size=?", (note, a))


def other_signature(dice: random.Random, db: sqlite3.Connection, count: int) -> None:
    """A clearance with the signatures of another, as by who writes the file but has no key."""
    rows = db.execute("SELECT i, record FROM ledger").fetchall()
    clears = [(i, json.loads(leaf)) for i, leaf in rows if b'"kind":"clear"' in leaf]
    (i, mine), (_, other) = dice.sample(clears, 2)
    body = {**mine["body"], "signatures": other["body"]["signatures"]}
    db.execute("UPDATE ledger SET record=? WHERE i=?", (record(i, "clear", body, mine["at"]), i))


def older_copy(dice: random.Random, path: Path) -> None:
    shutil.copy(path.with_name("older.db"), path)


KINDS: dict[str, tuple[str, Change]] = {
    "bit flip, text": ("ledger.txt", bit_flip),
    "truncated, text": ("ledger.txt", truncated),
    "line edited": ("ledger.txt", lines(edit_line)),
    "line deleted": ("ledger.txt", lines(delete_line)),
    "line inserted": ("ledger.txt", lines(insert_line)),
    "line duplicated": ("ledger.txt", lines(duplicate_line)),
    "lines swapped": ("ledger.txt", lines(swap_lines)),
    "signatures swapped": ("ledger.txt", lines(swap_signatures)),
    "cut back": ("ledger.txt", lines(cut_back)),
    "bit flip, SQLite": ("ledger.db", bit_flip),
    "truncated, SQLite": ("ledger.db", truncated),
    "field edited": ("ledger.db", sql(edit_field)),
    "row deleted": ("ledger.db", sql(delete_row)),
    "row deleted, renumbered": ("ledger.db", sql(delete_and_renumber)),
    "row appended": ("ledger.db", sql(append_row)),
    "row duplicated": ("ledger.db", sql(duplicate_row)),
    "rows swapped": ("ledger.db", sql(swap_rows)),
    "tail lost": ("ledger.db", sql(lost_tail)),
    "newest checkpoint lost": ("ledger.db", sql(lost_note)),
    "signed by another key": ("ledger.db", sql(other_key)),
    "checkpoint replaced": ("ledger.db", sql(other_note)),
    "clearance's signatures swapped": ("ledger.db", sql(other_signature)),
    "older copy": ("ledger.db", older_copy),
}
NEEDS_WITNESS = ("cut back", "older copy")


def is_changed(path: Path, whole: Path) -> bool:
    if path.suffix == ".txt":
        return path.read_bytes() != whole.read_bytes()
    try:
        return content(path) != content(whole)
    except (sqlite3.Error, UnicodeError):
        return True  # unreadable


def tamper(folder: Path, kind: str, dice: random.Random) -> Path:
    """A tampered copy in `folder/tampered`."""
    name, change = KINDS[kind]
    copy = folder / "tampered" / name
    copy.parent.mkdir(exist_ok=True)
    if not copy.with_name("older.db").exists():
        shutil.copy(folder / "older.db", copy.with_name("older.db"))
    while True:
        for leftover in copy.parent.glob(f"{name}*"):
            leftover.unlink()
        shutil.copy(folder / name, copy)
        change(dice, copy)
        if is_changed(copy, folder / name):
            return copy


def found(path: Path, witness: str | None) -> bool:
    return not verify_file(path, authority="own", public=PUBLIC, checkpoint=witness).ok


def run(runs: int, seed: int) -> dict[str, Counter[str]]:
    """By kind: `runs`, `found` with a witness, `alone` without. Never raises for a tampering."""
    counts = {kind: Counter[str]() for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        folder, dice = Path(name), random.Random(seed)
        build(folder)
        witness = (folder / "witness").read_text(encoding="utf-8")
        for whole in ("ledger.db", "ledger.txt"):
            if found(folder / whole, witness) or found(folder / whole, None):
                raise AssertionError(f"{whole} does not verify untouched")
        for number in range(runs):
            kind = list(KINDS)[number % len(KINDS)]
            path = tamper(folder, kind, dice)
            counts[kind]["runs"] += 1
            counts[kind]["found"] += found(path, witness)
            counts[kind]["alone"] += found(path, None)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.live.tampering")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts = run(options.runs, options.seed)
    print(f"{'tampering':<32}{'runs':>8}{'found':>8}{'found without witness':>24}")
    for kind, count in counts.items():
        print(f"{kind:<32}{count['runs']:>8}{count['found']:>8}{count['alone']:>24}")
    total = sum(counts.values(), Counter())
    print(f"{'all':<32}{total['runs']:>8}{total['found']:>8}{total['alone']:>24}")
    return int(total["found"] < total["runs"])


if __name__ == "__main__":
    sys.exit(main())
