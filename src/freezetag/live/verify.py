"""Checks a ledger offline: this one file, the standard library, and one Ed25519 call.

    python verify.py ledger.db --authority NAME --public BASE64 [--checkpoint NOTE]

It finds edited, removed, added and reordered records, checkpoints and clearances whose signatures
do not fit, and truncation against any checkpoint kept elsewhere. It imports nothing of freezetag,
so that it can be read in one sitting and carried away. Formats: design/0005-live.md; hashing RFC
6962, checkpoints C2SP signed notes.

Caveat: a ledger and its checkpoints cut back together to an older state verify, unless a newer
checkpoint is given; every gate holds one. Who holds the signing key can write another history from
the last checkpoint kept elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OWN = "its"
_RESETS = (b',"kind":"press","v":1}', b',"kind":"clear","v":1}')


@dataclass
class Report:
    """What was found; `ok` only if nothing was, and at least one signed checkpoint was reached."""

    problems: list[str] = field(default_factory=list)
    records: int = 0
    root: str = ""
    checkpoints: int = 0
    covered: int = 0  # records under the newest good checkpoint of its own

    @property
    def ok(self) -> bool:
        return not self.problems


def verify_file(
    path: str | Path,
    *,
    authority: str,
    public: bytes,
    checkpoint: str | None = None,
    people: dict[str, bytes] | None = None,
    quorum: int = 2,
) -> Report:
    """Verifies a ledger (SQLite, or the exported text) against the authority's public key.

    `checkpoint` is a note kept elsewhere, which the ledger must contain. `people` maps names to
    public keys; with it every clearance must carry `quorum` good signatures (one, if it names
    drills alone). Never raises for what the file contains.
    """
    report = Report()
    try:
        records, notes = _open(Path(path))
        _check(report, records, notes, authority, public, checkpoint, people, quorum)
        if report.problems:
            report.problems += _misplaced(_open(Path(path))[0])
    except (OSError, sqlite3.Error, ValueError, UnicodeError) as error:
        report.problems.append(f"{path} cannot be read as a ledger: {error}")
    return report


def _check(
    report: Report,
    records: Iterator[bytes],
    notes: list[str],
    authority: str,
    public: bytes,
    checkpoint: str | None,
    people: dict[str, bytes] | None,
    quorum: int,
) -> None:
    say = report.problems.append
    heads: dict[int, list[tuple[bytes, str]]] = {}
    for where, note in [(OWN, n) for n in notes] + [("the kept", n) for n in [checkpoint] if n]:
        head = _open_note(note, authority, public)
        if head is None:
            say(f"{where} checkpoint is not signed by {authority}: {note[:60]!r}")
        else:
            heads.setdefault(head[0], []).append((head[1], where))
    kinds: dict[str, str] = {}
    stack: list[bytes] = []  # the roots of full subtrees, largest first: one per bit of `size`
    sha, size = hashlib.sha256, 0
    for leaf in records:
        digest = sha(b"\x00" + leaf).digest()
        position = size
        while position & 1:
            digest = sha(b"\x01" + stack.pop() + digest).digest()
            position >>= 1
        stack.append(digest)
        if leaf.endswith(_RESETS):
            _check_reset(say, size, leaf, kinds, authority, people, quorum)
        size += 1
        if size in heads:
            report.covered = _check_head(report, size, stack, heads.pop(size), report.covered)
    report.records, report.root = size, _fold(stack).hex()
    if 0 in heads:
        report.covered = _check_head(report, 0, [], heads.pop(0), 0)
    for beyond, found in sorted(heads.items()):
        say(f"{found[0][1]} checkpoint covers {beyond} records, but only {size} are here: cut off")
    if not report.checkpoints:
        say("no signed checkpoint covers this ledger, so nothing vouches for it")
    elif report.covered < size:
        say(f"records {report.covered} to {size - 1} are under no signed checkpoint")


def _misplaced(records: Iterator[bytes]) -> list[str]:
    """Where the records' own numbers first go wrong: it tells a removal from an edit."""
    for index, leaf in enumerate(records):
        if leaf.rfind(b',"i":%d,"kind":"' % index) < 0:
            return [f"record {index} does not carry the number {index}: removed, added or moved"]
    return []


def _check_head(
    report: Report, size: int, stack: Sequence[bytes], found: list[tuple[bytes, str]], covered: int
) -> int:
    root = _fold(stack)
    for expected, where in found:
        if expected == root:
            report.checkpoints += 1
            # One kept elsewhere vouches for a past, not for what the file should hold itself.
            covered = size if where == OWN else covered
        else:
            report.problems.append(
                f"the first {size} records do not give the root of {where} checkpoint: changed"
            )
    return covered


def _check_reset(
    say: Any,
    index: int,
    leaf: bytes,
    kinds: dict[str, str],
    authority: str,
    people: dict[str, bytes] | None,
    quorum: int,
) -> None:
    """Presses are remembered by kind; a clearance must carry enough signatures for its presses."""
    try:
        record = json.loads(leaf)
        kind, body = record["kind"], record["body"]
        if kind == "press":
            # Two presses under one id count as the harder one to clear.
            drill = body["kind"] == "drill" and kinds.get(body["id"], "drill") == "drill"
            kinds[body["id"]] = "drill" if drill else "press"
        elif kind == "clear" and people is not None:
            text, signatures = body["text"], body["signatures"]
            named = json.loads(text)
            message = b"freezetag clearance\n" + text.encode()
            by_id = {hashlib.sha256(key).hexdigest()[:16]: key for key in people.values()}
            good = {
                name
                for name, signature in signatures.items()
                if name in by_id and _signed(by_id[name], message, _decoded(signature))
            }
            needed = 1 if all(kinds.get(p) == "drill" for p in named["presses"]) else quorum
            if named["authority"] != authority or len(good) < needed:
                say(f"record {index}: a clearance with {len(good)} good signatures of {needed}")
            elif len(good) < len(signatures):
                say(f"record {index}: a clearance carries a signature that does not fit")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        say(f"record {index} cannot be read: {type(error).__name__}")


def _fold(stack: Sequence[bytes]) -> bytes:
    if not stack:
        return hashlib.sha256(b"").digest()
    digest = stack[-1]
    for left in reversed(stack[:-1]):
        digest = hashlib.sha256(b"\x01" + left + digest).digest()
    return digest


def _open(path: Path) -> tuple[Iterator[bytes], list[str]]:
    with path.open("rb") as file:
        sqlite = file.read(16) == b"SQLite format 3\x00"
    return _from_sqlite(path) if sqlite else _from_text(path)


def _from_sqlite(path: Path) -> tuple[Iterator[bytes], list[str]]:
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    base.execute("BEGIN")  # a server may be writing: checkpoints and records of one moment
    notes = []
    for size, note in base.execute("SELECT size, note FROM checkpoint ORDER BY size"):
        if str(note).split("\n")[1:2] != [str(size)]:
            raise ValueError(f"the checkpoint under {size} is not of that size")
        notes.append(str(note))

    def records() -> Iterator[bytes]:
        rows = base.execute("SELECT i, record FROM ledger ORDER BY i")
        for expected, (index, leaf) in enumerate(rows):
            if index != expected:
                raise ValueError(f"row {expected} of the table is missing; the next is {index}")
            yield leaf if isinstance(leaf, bytes) else str(leaf).encode()
        base.close()

    return records(), notes


def _from_text(path: Path) -> tuple[Iterator[bytes], list[str]]:
    """One record a line; then the lines of the notes, each after a `#`."""
    notes: list[list[str]] = []
    with path.open("rb") as file:
        for line in file:
            if line.startswith(b"#"):
                text = line[1:].rstrip(b"\n").decode()
                if text.startswith("freezetag/") or not notes:
                    notes.append([])
                notes[-1].append(text)

    def records() -> Iterator[bytes]:
        after = False
        with path.open("rb") as file:
            for line in file:
                if line.startswith(b"#"):
                    after = True
                elif after:
                    raise ValueError("a record stands after the checkpoints")
                elif not line.endswith(b"\n"):
                    raise ValueError("the last record is not complete")
                else:
                    yield line[:-1]

    return records(), ["\n".join(lines) + "\n" for lines in notes]


def _open_note(note: str, authority: str, public: bytes) -> tuple[int, bytes] | None:
    """(size, root) of a checkpoint that `public` signed, else None."""
    body, _, signatures = note.partition("\n\n")
    lines = body.split("\n")
    name = f"freezetag/{authority}"
    key_hash = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    if len(lines) not in (3, 4) or lines[0] != name or lines[3:] not in ([], ["solo"]):
        return None
    if not lines[1].isascii() or not lines[1].isdigit() or len(lines[1]) > 15:
        return None
    prefix = f"— {name} "
    if not signatures.startswith(prefix) or not signatures.endswith("\n"):
        return None
    # Exactly one line, so that nothing unsigned hides beside the signature.
    stamp = _decoded(signatures.removeprefix(prefix)[:-1])
    if stamp[:4] != key_hash or not _signed(public, (body + "\n").encode(), stamp[4:]):
        return None
    return int(lines[1]), _decoded(lines[2])


def _decoded(text: Any) -> bytes:
    """The bytes of base64 in its one canonical spelling; b"" for anything else."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, TypeError):
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""


def _signed(public: bytes, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_journal(path: str | Path, *, head: str | None = None) -> Report:
    """Verifies a gate's action journal link by link; `head` is its newest hash, kept elsewhere.

    Without `head` a journal that was cut off, or written anew from some entry on, still verifies.
    """
    report = Report(root="0" * 64)
    try:
        with Path(path).open("rb") as file:
            for line in file:
                if json.loads(line)["prev"] != report.root or not line.endswith(b"\n"):
                    report.problems.append(f"entry {report.records} does not follow the one before")
                    break
                report.root = hashlib.sha256(line[:-1]).hexdigest()
                report.records += 1
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        report.problems.append(f"entry {report.records} cannot be read: {type(error).__name__}")
    if head is not None and head != report.root:
        report.problems.append(f"the journal ends with {report.root}, not with the kept {head}")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the ledger verifies, 1 if not."""
    parser = argparse.ArgumentParser(description="Verify a freezetag ledger offline.")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--authority", required=True, help="its name, as in the checkpoints")
    parser.add_argument("--public", required=True, help="its public key, base64")
    parser.add_argument("--checkpoint", type=Path, help="a note kept elsewhere, by a gate say")
    options = parser.parse_args(arguments)
    kept = options.checkpoint.read_text(encoding="utf-8") if options.checkpoint else None
    report = verify_file(
        options.ledger,
        authority=options.authority,
        public=_decoded(options.public),
        checkpoint=kept,
    )
    for problem in report.problems:
        print(problem)
    verdict = "verified" if report.ok else "NOT verified"
    counts = f"{report.records} records, {report.checkpoints} checkpoints"
    print(f"{verdict}: {counts}, root {report.root}")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
