"""What vouches for the table `state`: a sum over its rows, signed with every checkpoint.

A start reads the state from that table and not from all records, so whoever can write to the file
could take a press out of it. The sum changes with each row that comes or goes, so that a
transaction pays for what it changes alone; a start adds all rows up and asks for the signature. A
ledger without a seal that fits is checked record by record before anything is granted.

The sum is of SHAKE-256 outputs of 4,096 bits, modulo 2 to the 4,096 (Bellare and Micciancio, "A new
paradigm for collision-free hashing", 1997): other rows of the same sum take about 2 to the 128
steps (Wagner, "A generalized birthday problem", 2002).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable

from freezetag.live.signed.keys import sign, verify

BITS = 4096
MODULUS = 1 << BITS
Row = tuple[str, int, str | None]
"""(name, index of the record, of whose present lives it is a part), as the table holds it."""
Seal = Callable[[bytes], bytes]
"""The signature of a message."""


def weight(row: Row) -> int:
    """What one row adds to the sum."""
    text = json.dumps([row[0], row[1], row[2]]).encode()
    return int.from_bytes(hashlib.shake_256(text).digest(BITS // 8), "big")


def total(rows: Iterable[Row], of: int = 0) -> int:
    """The sum `of` with the rows added."""
    return (of + sum(map(weight, rows))) % MODULUS


def message(size: int, root: bytes, summed: int) -> bytes:
    """What is signed: this sum belongs to the ledger of so many records with this root."""
    digest = hashlib.sha256(summed.to_bytes(BITS // 8, "big")).digest()
    return b"freezetag state\n%d\n" % size + root + digest


def sealer(private: bytes) -> Seal:
    """Signs with the key of the checkpoints."""
    return lambda text: sign(private, text)


def fits(public: bytes, size: int, root: bytes, rows: Iterable[Row], signature: bytes) -> bool:
    """Whether the rows are those that were sealed with this ledger."""
    return verify(public, message(size, root, total(rows)), signature)
