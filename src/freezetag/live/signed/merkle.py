"""An append-only record whose past cannot be changed unseen: a Merkle tree and signed checkpoints.

Hashing and proofs: RFC 6962, sections 2.1.1 and 2.1.2. Checkpoints: C2SP tlog-checkpoint as a
signed note with Ed25519. Records: canonical JSON (RFC 8785), numbered in order. Whoever keeps a
checkpoint can later prove that the ledger it is shown extends it; every gate does.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core.canonical import canonical
from freezetag.core.errors import UserError
from freezetag.live.signed.keys import public_of, sign, verify

ORIGIN = "freezetag/"
EMPTY = hashlib.sha256(b"").digest()
_ED25519 = b"\x01"


class LedgerError(UserError):
    """A record, proof or checkpoint that is malformed or not authentic."""


def record(index: int, kind: str, body: Mapping[str, Any], at: int) -> bytes:
    """The leaf `index`: what happened (`kind`, `body`) and when, in Unix milliseconds."""
    return canonical({"at": at, "body": dict(body), "i": index, "kind": kind, "v": 1})


def read_record(leaf: bytes) -> dict[str, Any]:
    """The fields of a leaf; raises `LedgerError` for what is none."""
    try:
        fields = json.loads(leaf)
        good = isinstance(fields["body"], dict) and isinstance(fields["kind"], str)
        good = good and type(fields["i"]) is int and type(fields["at"]) is int
    except (ValueError, TypeError, KeyError, RecursionError):
        good = False
    if not good:
        raise LedgerError(f"this is not a ledger record: {leaf[:100]!r}")
    return dict(fields)


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


@final
class Tree:
    """The Merkle tree over the leaves so far. Keeps 64 bytes a leaf; appending is O(1) amortised.

    >>> tree = Tree([b"a", b"b", b"c"])
    >>> check_inclusion(b"b", 1, 3, tree.root(), tree.inclusion(1))
    True
    """

    def __init__(self, leaves: Iterable[bytes] = ()) -> None:
        self._levels: list[bytearray] = [bytearray()]  # level k: hashes of full subtrees of 2^k
        for leaf in leaves:
            self.append(leaf)

    @classmethod
    def of_hashes(cls, digests: bytes) -> Tree:
        """The tree over leaves of which only the hashes are at hand, 32 bytes each."""
        tree, sha = cls(), hashlib.sha256
        level = tree._levels[0]
        level += digests
        while len(level) >= 64:
            pairs = range(0, len(level) - 63, 64)
            level = bytearray().join(sha(b"\x01" + level[at : at + 64]).digest() for at in pairs)
            tree._levels.append(level)
        return tree

    @property
    def size(self) -> int:
        return len(self._levels[0]) // 32

    def append(self, leaf: bytes) -> int:
        """Adds a leaf and gives its index."""
        return self.append_hash(leaf_hash(leaf))

    def append_hash(self, digest: bytes) -> int:
        """Adds a leaf of which only the hash is at hand."""
        index = position = self.size
        self._levels[0] += digest
        level = 0
        while position & 1:
            digest = node_hash(bytes(self._levels[level][-64:-32]), digest)
            level, position = level + 1, position >> 1
            if level == len(self._levels):
                self._levels.append(bytearray())
            self._levels[level] += digest
        return index

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves (all of them, if not said)."""
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise LedgerError(f"the tree has {self.size} leaves, so no root of {size}")
        return self._range(0, size) if size else EMPTY

    def inclusion(self, index: int, size: int | None = None) -> list[str]:
        """The proof (hex hashes) that leaf `index` is among the first `size`."""
        size = self.size if size is None else size
        if not 0 <= index < size <= self.size:
            raise LedgerError(f"leaf {index} of {size} is not in a tree of {self.size}")
        return [digest.hex() for digest in self._path(index, 0, size)]

    def consistency(self, old: int, new: int | None = None) -> list[str]:
        """The proof (hex hashes) that the first `new` leaves extend the first `old`."""
        new = self.size if new is None else new
        if not 0 <= old <= new <= self.size:
            raise LedgerError(f"no proof from {old} to {new} in a tree of {self.size}")
        if old in (0, new):
            return []
        return [digest.hex() for digest in self._subproof(old, 0, new, True)]

    def _range(self, start: int, stop: int) -> bytes:
        width = stop - start
        level = width.bit_length() - 1
        if width == 1 << level:
            at = 32 * (start >> level)
            return bytes(self._levels[level][at : at + 32])
        middle = start + _split(width)
        return node_hash(self._range(start, middle), self._range(middle, stop))

    def _path(self, index: int, start: int, stop: int) -> list[bytes]:
        if stop - start == 1:
            return []
        middle = start + _split(stop - start)
        if index < middle:
            return [*self._path(index, start, middle), self._range(middle, stop)]
        return [*self._path(index, middle, stop), self._range(start, middle)]

    def _subproof(self, old: int, start: int, stop: int, whole: bool) -> list[bytes]:
        if old == stop - start:
            return [] if whole else [self._range(start, stop)]
        width = _split(stop - start)
        middle = start + width
        if old <= width:
            return [*self._subproof(old, start, middle, whole), self._range(middle, stop)]
        return [*self._subproof(old - width, middle, stop, False), self._range(start, middle)]


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, proof: Sequence[str]) -> bool:
    """Whether `proof` shows `leaf` at `index` under `root` (RFC 9162, 2.1.3.2)."""
    hashes = _hashes(proof)
    if hashes is None or not 0 <= index < size:
        return False
    node, last, digest = index, size - 1, leaf_hash(leaf)
    for other in hashes:
        if last == 0:
            return False
        if node & 1 or node == last:
            digest = node_hash(other, digest)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            digest = node_hash(digest, other)
        node, last = node >> 1, last >> 1
    return last == 0 and digest == root


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[str]
) -> bool:
    """Whether `proof` shows that the tree `new` extends the tree `old` (RFC 9162, 2.1.4.2)."""
    hashes = _hashes(proof)
    if hashes is None or not 0 <= old <= new:
        return False
    if old == new:
        return not hashes and old_root == new_root
    if old == 0:
        return not hashes and old_root == EMPTY
    if old & (old - 1) == 0:
        hashes = [old_root, *hashes]
    if not hashes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, other)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _hashes(proof: Sequence[str]) -> list[bytes] | None:
    try:
        hashes = [bytes.fromhex(item) for item in proof]
    except (ValueError, TypeError):
        return None
    return hashes if all(len(item) == 32 for item in hashes) else None


@final
@dataclass(frozen=True)
class Checkpoint:
    """A tree head: so many leaves have this root. `solo`: one person suffices for a reset."""

    authority: str
    size: int
    root: bytes
    solo: bool = False

    @property
    def body(self) -> str:
        root = base64.b64encode(self.root).decode()
        return f"{ORIGIN}{self.authority}\n{self.size}\n{root}\n" + ("solo\n" if self.solo else "")


def sign_note(checkpoint: Checkpoint, private: bytes) -> str:
    """The checkpoint as a signed note."""
    name = ORIGIN + checkpoint.authority
    if any(mark in checkpoint.authority for mark in "\n +") or not checkpoint.authority:
        raise LedgerError(f"an authority's name has no spaces or plus: {checkpoint.authority!r}")
    signature = sign(private, checkpoint.body.encode())
    stamp = base64.b64encode(_stamp(name, public_of(private)) + signature).decode()
    return f"{checkpoint.body}\n— {name} {stamp}\n"


def open_note(note: str, authority: str, public: bytes) -> Checkpoint:
    """The checkpoint in a note that `public` signed; raises `LedgerError` otherwise."""
    body, blank, signatures = note.partition("\n\n")
    lines = body.split("\n")
    name = ORIGIN + authority
    try:
        if not blank or len(lines) not in (3, 4) or lines[0] != name:
            raise LedgerError(f"this is not a checkpoint of {authority}: {note[:100]!r}")
        checkpoint = Checkpoint(
            authority, int(lines[1]), base64.b64decode(lines[2], validate=True), len(lines) == 4
        )
        # Whatever spells the same numbers differently is not the text that was signed.
        if checkpoint.body != body + "\n" or len(checkpoint.root) != 32:
            raise LedgerError(f"this is not a checkpoint of {authority}: {note[:100]!r}")
        stamps = [
            base64.b64decode(line.removeprefix(f"— {name} "), validate=True)
            for line in signatures.split("\n")
            if line.startswith(f"— {name} ")
        ]
    except (ValueError, binascii.Error) as error:
        raise LedgerError(f"this is not a checkpoint of {authority}: {error}") from None
    mine = _stamp(name, public)
    if not any(s[:4] == mine and verify(public, (body + "\n").encode(), s[4:]) for s in stamps):
        raise LedgerError(
            f"the checkpoint of {authority} at {lines[1]:.20} is not signed by its key"
        )
    return checkpoint


def _stamp(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
