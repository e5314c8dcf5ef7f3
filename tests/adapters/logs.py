"""Journals of real gates, and ledgers, for the tests of what is read from them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from tests.live.worlds import pair

from freezetag.core import Panel, PowerLimit
from freezetag.core.gate import Refused
from freezetag.core.journal import GENESIS, Journal, read


def journal(stop: str = "power") -> list[bytes]:
    """A gate's journal: ten actions of 0.1 s each 0.1 s, one in flight when `stop` comes after
    0.1 s, two refused, and the last end 0.5 s after the stop, its outcome unknown."""
    lines: list[bytes] = []
    power = [1.0]
    clock, _, gate, _ = pair(
        panel=Panel((PowerLimit(3.0),)),
        meters={"power": lambda: power[0]},
        journal=Journal(lines.append),
        category=2,
    )
    for number in range(10):
        clock.advance(0.1)
        action = gate.begin("pay" if number % 2 else "read")
        clock.advance(0.1)
        gate.end(action)
    action = gate.begin("slow")
    clock.advance(0.1)
    if stop == "power":
        power[0] = 4.0
        gate.tick()
    elif stop == "expired":
        clock.advance(5.0)
        gate.tick()
    elif stop == "press":
        gate.press("by hand")
    for _ in range(2 if stop else 0):
        with contextlib.suppress(Refused):
            gate.begin("pay")
    clock.advance(0.5)
    gate.end(action, "unknown")
    return lines


def entries(lines: list[bytes]) -> list[dict[str, Any]]:
    return list(read(lines))


def chained(changed: list[dict[str, Any]]) -> list[bytes]:
    """Entries as a journal whose chain is whole: what somebody with the file could write."""
    lines, link = [], GENESIS
    for entry in changed:
        line = json.dumps({**entry, "prev": link}, separators=(",", ":")).encode()
        link = hashlib.sha256(line).hexdigest()
        lines.append(line + b"\n")
    return lines


def cut(lines: list[bytes]) -> list[bytes]:
    """The lines as a crash leaves them, in the middle of writing the last."""
    return [*lines[:-1], lines[-1][:30]]


def written(folder: Path, lines: list[bytes], name: str = "journal.jsonl") -> Path:
    file = folder / name
    file.write_bytes(b"".join(lines))
    return file


def record(i: int, kind: str, /, **body: Any) -> bytes:
    return json.dumps({"at": 1000 * i, "body": body, "i": i, "kind": kind, "v": 1}).encode()


PRESS = {"id": "p", "scope": "fleet", "who": "interlock:power", "reason": "PowerLimit tripped"}
ACK = {"acked": "b1", "gate": "writer", "presses": ["p"], "last": 7}


def ledger(head: str = "", cause: str = "press") -> list[bytes]:
    return [
        record(0, "enrol", agent="writer"),
        record(1, "open", agent="writer", b="b1", epoch=1),
        record(2, "anchor", gate="writer", b="b1", head=head),
        record(3, "press", **PRESS, kind="interlock"),
        record(4, "ack", **ACK, cause=cause, unknown=["7:pay"]),
        record(5, "open", agent="reader", b="b2", epoch=1),
    ]


def numbered(*records: tuple[str, dict[str, Any]]) -> list[bytes]:
    return [record(i, kind, **body) for i, (kind, body) in enumerate(records)]


def database(file: Path, leaves: list[bytes]) -> Path:
    with sqlite3.connect(file) as base:
        base.execute("CREATE TABLE ledger(i INTEGER PRIMARY KEY, record BLOB NOT NULL)")
        base.executemany("INSERT INTO ledger VALUES (?, ?)", enumerate(leaves))
    base.close()
    return file


def kinds(episode: Any, b: int = 0) -> list[int]:
    return [int(kind) for kind in episode.world["kind"][b][episode.valid[b]]]
