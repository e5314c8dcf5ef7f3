"""Checks a ledger offline: this one file, the standard library, and one Ed25519 call.

Who the people are is judged with `judge.py` and `browser_key.py`, which then lie beside it.

    python verify.py ledger.db --authority NAME --public BASE64 [--checkpoint NOTE]

It finds edited, removed, added and reordered records, records in another spelling than the one that
RFC 8785 allows, checkpoints and clearances whose signatures do not fit, starts under a press that
stood, and truncation against any checkpoint kept elsewhere. It imports nothing of freezetag, so
that it can be read in one sitting and carried away. Formats: design/0005-live.md; hashing RFC 6962,
checkpoints C2SP signed notes.

Caveat: a ledger and its checkpoints cut back together to an older state verify, unless a newer
checkpoint is given; every gate holds one. Who holds the signing key can write another history from
the last checkpoint kept elsewhere.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import itertools
import json
import mmap
import re
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

OWN = "its"
MISPLACED = "it does not carry its number: removed, added or moved"
LISTED = 10
"""Unreadable records that are told one by one; then they are counted."""
BATCH = 1 << 8
TABLES = ("ledger", "checkpoint", "state", "lives", "leaves", "peaks", "seal")
"""What a server's file holds; a trigger, say, would run with each record that is written."""
UNJUDGED = {
    "open": "a lease; what lets an agent run is its start",
    "anchor": "how far a gate's journal is, with which anchored.py compares it",
    "ack": "the word of a gate that it stopped",
    "held": "it holds an agent",
    "limits": "a budget: whoever it lets use more is held until a start",
    "token": "a right to press or to look",
    **dict.fromkeys(("drill", "drill_failed"), "how the button was proved, or was not"),
    "key": "no server reads it",
    "alarm": "what people were told",
    **dict.fromkeys(("browser_key", "handover"), "judge.py judges it, where people are known"),
}
"""Kinds that are not judged, and why. What is neither here nor judged is no pass."""
_quote = json.JSONEncoder(ensure_ascii=False).encode
_plain = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode
_HARD = re.compile(r"[:,\[]-?(?:\d+[.eE]|\d{16})|[^\x00-\x7f]")
"""Where the standard encoder may spell otherwise: fractions, large numbers, the order of keys."""
_COUNT = rb"(?:0|[1-9]\d{0,14})"
_ATOM = rb'(?:"[ !#-\[\]-~]*"|-?[1-9]\d{0,14}|0|true|false|null|\{\}|\[\])'
"""Values that have this one spelling."""
_ODD = (ValueError, TypeError, KeyError, AttributeError, RecursionError, ArithmeticError)
_NEVER = re.compile(rb"(?!)").fullmatch


@dataclass
class Report:
    """What was found; `ok` only if nothing was, and at least one signed checkpoint was reached."""

    problems: list[str] = field(default_factory=list)
    records: int = 0
    root: str = ""
    checkpoints: int = 0
    covered: int = 0  # records under the newest good checkpoint of its own
    solo: int = 0  # good checkpoints which say that one person suffices
    breaks: list[str] = field(default_factory=list)  # lines that were lost, as people signed it

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
    drills alone), and no checkpoint may say solo where `quorum` is more than one. `breaks` tells of
    lines that people gave up. Never raises for what the file contains.
    """
    report = Report()
    try:
        batches, notes = _open(Path(path))
        judge = _judge(authority, people, quorum)
        heads = _heads(report, notes, checkpoint, authority, public)
        if report.solo and judge is not None and quorum > 1:
            alone = f"checkpoints say solo ({report.solo})"
            report.problems.append(f"{alone}, but {quorum} people are to sign a clearance")
        _check(report, batches, heads, _Stops(authority, quorum, judge))
        if judge is not None and judge.taken_up:
            judge.settle(report, _open(Path(path))[0], checkpoint or "")
    except (OSError, sqlite3.Error, ValueError, UnicodeError, ArithmeticError) as error:
        report.problems.append(f"{path} cannot be read as a ledger: {error}")
    return report


def _heads(
    report: Report, notes: list[str], checkpoint: str | None, authority: str, public: bytes
) -> dict[int, list[tuple[bytes, str]]]:
    """What good checkpoints name, by how many records they cover: (root, whose it is)."""
    heads: dict[int, list[tuple[bytes, str]]] = {}
    for where, note in [(OWN, n) for n in notes] + [("the kept", n) for n in [checkpoint] if n]:
        if (head := _open_note(note, authority, public)) is not None:
            heads.setdefault(head[0], []).append((head[1], where))
            report.solo += head[2]
            continue
        report.problems.append(f"{where} checkpoint is not signed by {authority}: {note[:60]!r}")
    return heads


def _check(
    report: Report, batches: Iterator[list[bytes]], heads: dict[int, Any], stops: _Stops
) -> None:
    say, unreadable = report.problems.append, 0
    layouts: dict[bytes, re.Pattern[bytes]] = {}
    misplaced = False
    stack: list[bytes] = []  # the roots of full subtrees, largest first: one per bit of `size`
    sha, size = hashlib.sha256, 0
    marks = sorted(heads.keys() - {0}, reverse=True)
    fits: Callable[[bytes], re.Match[bytes] | None] = _NEVER  # the layout of the record before
    for batch in batches:
        for index, leaf in enumerate(batch, size):
            match = fits(leaf)
            if match is None and (layout := layouts.get(leaf[leaf.rfind(b'"kind":') :])):
                fits = layout.fullmatch
                match = fits(leaf)
            if match is not None and int(match[1]) == index:
                continue
            for problem in _wrong(leaf, index, stops, layouts):
                unreadable += 1
                # After one that was removed or added none has its number: the first one tells.
                if unreadable <= LISTED and not (problem == MISPLACED and misplaced):
                    say(f"record {index}: {problem}")
                misplaced = misplaced or problem == MISPLACED
        digests = [sha(b"\x00" + leaf).digest() for leaf in batch]
        first, end = size, size + len(batch)
        while size < end:
            stop = min(end, marks[-1]) if marks else end
            _extend(stack, size, digests[size - first : stop - first])
            size = stop
            if size in heads:
                marks.pop()
                report.covered = _check_head(report, size, stack, heads.pop(size), report.covered)
    report.records, report.root = size, _fold(stack).hex()
    if unreadable > LISTED:
        say(f"of that kind {unreadable} problems are in the records; the first are named")
    for kind, count in stops.unknown.most_common(LISTED):
        say(f"records of a kind not known here, so not judged (newer?): {count} of {kind!r:.60}")
    if 0 in heads:
        report.covered = _check_head(report, 0, [], heads.pop(0), 0)
    for beyond, found in sorted(heads.items()):
        say(f"{found[0][1]} checkpoint covers {beyond} records, but only {size} are here: cut off")
    if not report.checkpoints:
        say("no signed checkpoint covers this ledger, so nothing vouches for it")
    elif report.covered < size:
        say(f"records {report.covered} to {size - 1} are under no signed checkpoint")


def _judge(authority: str, people: dict[str, bytes] | None, quorum: int) -> Any:
    """Who judges signatures, from the file beside this one; None where nobody is known."""
    if people is None:
        return None
    beside = Path(__file__).with_name("judge.py")
    spec: Any = importlib.util.spec_from_file_location("_judge", beside)
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Judge(authority, people, quorum)


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


def _wrong(
    leaf: bytes, index: int, stops: _Stops, layouts: dict[bytes, re.Pattern[bytes]]
) -> list[str]:
    """What is wrong with a record: its form, its spelling, and what it says.

    Of the first good one of a kind that means nothing here, the layout is kept: others that differ
    from it in plain values alone are good too, and need no parsing.
    """
    found = []
    try:
        text = leaf.decode()
        fields = json.loads(text)
        body, kind = fields["body"], fields["kind"]
        types = [type(each) for each in (fields["i"], fields["at"], fields["v"], kind, body)]
        if types != [int, int, int, str, dict] or fields["v"] != 1 or len(fields) != 5:
            raise ValueError("not of this form")
        if fields["i"] != index:
            found.append(MISPLACED)
        spelled = _plain(fields) if _HARD.search(text) is None else _spell(fields)
        if spelled != text:
            found.append("it is spelled in another way than it is signed: not canonical")
        if (take := stops.kinds.get(kind)) is not None:
            stops.at = fields["i"], fields["at"]
            found += take(body)
        elif kind not in UNJUDGED:
            stops.unknown[kind] += 1
        elif not found and len(layouts) < 100 and text.isascii() and "\\" not in text:
            keys = b",".join(re.escape(_quote(key).encode()) + b":" + _ATOM for key in sorted(body))
            end = leaf[leaf.rfind(b'"kind":') :]
            before = rb'\{"at":' + _COUNT + rb',"body":\{' + keys + rb'\},"i":(' + _COUNT + rb"),"
            layouts.setdefault(end, re.compile(before + re.escape(end)))
    except _ODD as error:
        found.append(f"it cannot be read: {type(error).__name__}")
    return found


class _Stops:
    """Which presses stand, record by record, so that clearances and starts can be judged.

    Without a `judge` of signatures a clearance counts for what it names, whoever signed it.
    """

    def __init__(self, authority: str, quorum: int, judge: Any) -> None:
        self.kinds: dict[str, Callable[[dict[str, Any]], list[str]]] = {
            "enrol": self._enrol,
            "press": self._press,
            "repeat": self._repeat,
            "clear": self._clear,
            "start": self._start,
            "revoke": self._revoke,
        }
        self.unknown = Counter[str]()  # records by kind, of kinds that this release does not know
        self.at = 0, 0  # number and time of the record that is read
        self.kinds |= judge.kinds(lambda: self.at) if judge is not None else {}
        self._authority, self._judge, self._quorum = authority, judge, quorum
        self._agents: dict[str, tuple[set[str], list[str]]] = {}  # groups, and what it depends on
        self._presses: dict[str, set[tuple[str, str]]] = {}  # id -> {(scope, kind)}
        self._repeats: dict[str, dict[str, int]] = {}
        # Of each clearance: repeats seen, signers, and the scopes that it is for (None: any).
        self._cleared: dict[str, list[tuple[dict[str, int], int, list[str] | None]]] = {}
        self._standing: dict[str, list[str]] = {}  # id -> scopes

    def _enrol(self, body: dict[str, Any]) -> list[str]:
        self._agents[body["agent"]] = set(body["groups"]), list(body.get("depends_on", ()))
        return []

    def _press(self, body: dict[str, Any]) -> list[str]:
        kind = "drill" if body["kind"] == "drill" else "press"
        self._presses.setdefault(body["id"], set()).add((body["scope"] + "", kind))
        self._look(body["id"])
        return []

    def _repeat(self, body: dict[str, Any]) -> list[str]:
        counts = self._repeats.setdefault(body["press"], {})
        counts[body["replica"]] = max(counts.get(body["replica"], 0), body["count"])
        self._look(body["press"])
        return []

    def _clear(self, body: dict[str, Any]) -> list[str]:
        text, signatures = body["text"], body["signatures"]
        named, good, found = json.loads(text), len(signatures), []
        if self._judge is not None:
            good, wrong = self._judge.good(b"freezetag clearance\n", body, self.at[1])
            # Two presses under one id count as the harder one to clear.
            pressed = [self._presses.get(press, {("", "")}) for press in named["presses"]]
            drills = all(kind == "drill" for each in pressed for _, kind in each)
            needed = 1 if drills else self._quorum
            if named["authority"] != self._authority:
                good = 0
            if good < needed:
                found.append(f"a clearance with {good} good signatures of {needed}")
            found += [f"a clearance: {each}" for each in wrong if each]
            if good >= needed and "" in wrong:
                found.append("a clearance carries a signature that does not fit")
        for press, seen in named["presses"].items():
            scopes = named["scopes"].get(press, []) if "scopes" in named else None
            self._cleared.setdefault(press, []).append((dict(seen), good, scopes))
            self._look(press)
        return found

    def _start(self, body: dict[str, Any]) -> list[str]:
        agent = body["agent"]
        over = [id for id, scopes in self._standing.items() if self._covers(scopes, agent)]
        return [f"a start of {agent} while presses stand: {len(over)}"] if over else []

    def _revoke(self, body: dict[str, Any]) -> list[str]:
        ours = json.loads(body["text"])["authority"] == self._authority
        return [] if ours else ["a token taken back at another authority"]

    def _look(self, press: str) -> None:
        """Whether a press stands now, and in which scopes."""
        repeats = self._repeats.get(press, {})
        # A clearance counts if its signers saw every repeat, and meant this scope.
        seen_all = [
            (good, scopes)
            for seen, good, scopes in self._cleared.get(press, ())
            if all(n <= seen.get(replica, 0) for replica, n in repeats.items())
        ]
        needed = {"drill": 1, "press": self._quorum} if self._judge is not None else {}
        left = []
        for scope, kind in self._presses.get(press, ()):
            signers = [good for good, scopes in seen_all if scopes is None or scope in scopes]
            if max(signers, default=-1) < needed.get(kind, 0):
                left.append(scope)
        if left:
            self._standing[press] = left
        else:
            self._standing.pop(press, None)

    def _covers(self, scopes: list[str], agent: str) -> bool:
        """Whether one of the scopes stops the agent; a scope that cannot be read stops everyone."""
        groups = self._agents.get(agent, (set(), []))[0]
        for kind, _, name in (scope.partition(":") for scope in scopes):
            if kind not in ("agent", "group", "closure", "capability") or not name:
                return True
            by_name = {"group": groups, "capability": ()}.get(kind, (agent,))  # bars stop nobody
            if name in by_name or (kind == "closure" and name in self._upstream(agent)):
                return True
        return False

    def _upstream(self, agent: str) -> set[str]:
        """All that the agent depends on, through others too."""
        found: set[str] = set()
        edge = [agent]
        while edge:
            fresh = set(self._agents.get(edge.pop(), (set(), []))[1]) - found
            found |= fresh
            edge += fresh
        return found


def _spell(value: Any) -> str:
    """RFC 8785's one spelling of a JSON value. Raises `ValueError` for what has none."""
    if isinstance(value, dict):
        # By UTF-16 units, which is not the order of code points.
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{_quote(key)}:{_spell(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spell, value)) + "]"
    if isinstance(value, float) or (type(value) is int and abs(value) > 2**53):
        return _number(float(value))
    return _plain(value)


def _number(value: float) -> str:
    """ECMAScript's spelling of a double: the shortest digits, exponents from 1e21 and 1e-7."""
    if value != value or abs(value) == float("inf"):
        raise ValueError("no number")
    if value and not 1e-6 <= abs(value) < 1e21:
        return repr(value).replace("e-0", "e-")
    return format(Decimal(repr(value or 0.0)).normalize(), "f")


def _extend(stack: list[bytes], size: int, digests: list[bytes]) -> None:
    """Adds leaves to the tree of `size` leaves whose full subtrees have the roots in `stack`."""
    sha = hashlib.sha256
    while digests:
        # The largest full subtree that may begin here, and is given.
        width = 1 << len(digests).bit_length() - 1
        width = min(width, size & -size) if size else width
        level, digests = digests[:width], digests[width:]
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [sha(b"\x01" + left + right).digest() for left, right in pairs]
        (digest,) = level
        position, size = size // width, size + width
        while position & 1:
            digest = sha(b"\x01" + stack.pop() + digest).digest()
            position >>= 1
        stack.append(digest)


def _fold(stack: Sequence[bytes]) -> bytes:
    """The root: of no leaf, the hash of nothing."""
    digest = stack[-1] if stack else hashlib.sha256(b"").digest()
    for left in reversed(stack[:-1]):
        digest = hashlib.sha256(b"\x01" + left + digest).digest()
    return digest


def _open(path: Path) -> tuple[Iterator[list[bytes]], list[str]]:
    if path.is_dir():
        return _from_archive(path)
    with path.open("rb") as file:
        sqlite = file.read(16) == b"SQLite format 3\x00"
    return _from_sqlite(path) if sqlite else _from_text(path)


def _from_sqlite(path: Path) -> tuple[Iterator[list[bytes]], list[str]]:
    base = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    base.execute("BEGIN")  # a server may be writing: checkpoints and records of one moment
    for kind, name in base.execute("SELECT type, name FROM sqlite_master ORDER BY name"):
        # Nobody but SQLite gives a table a name that begins like its own.
        ours = name in TABLES or name.startswith("sqlite_")
        if kind not in ("table", "index") or not ours:
            raise ValueError(f"the {kind} {name} in it is none that a server makes: added")
    notes = []
    for size, note in base.execute("SELECT size, note FROM checkpoint ORDER BY size"):
        if str(note).split("\n")[1:2] != [str(size)]:
            raise ValueError(f"the checkpoint under {size} is not of that size")
        notes.append(str(note))

    def batches() -> Iterator[list[bytes]]:
        rows, expected = base.execute("SELECT i, record FROM ledger ORDER BY i"), itertools.count()
        while batch := list(itertools.islice(rows, BATCH)):
            for (index, _), number in zip(batch, expected, strict=False):
                if index != number:
                    raise ValueError(f"row {number} of the table is missing; the next is {index}")
            yield [leaf if isinstance(leaf, bytes) else str(leaf).encode() for _, leaf in batch]
        base.close()

    return batches(), notes


def _from_archive(folder: Path) -> tuple[Iterator[list[bytes]], list[str]]:
    """The segments of an archive, one after the other, as one ledger."""
    files = sorted(folder.glob("ledger-*-*.jsonl"))
    if not files:
        raise ValueError("no segment of an archive is in it")
    end, found = 0, []
    for file in files:
        first, last = map(int, file.stem.split("-")[1:])
        if first != end:
            raise ValueError(f"records {end} to {first - 1} are in no segment: {file.name}")
        end = last
        batches, notes = _from_text(file)
        if not any(note.split("\n")[1:2] == [str(last)] for note in notes):
            raise ValueError(f"{file.name} has no checkpoint over its end")
        found.append((batches, notes))
    chained = itertools.chain.from_iterable(batches for batches, _ in found)
    return chained, [note for _, notes in found for note in notes]


def _from_text(path: Path) -> tuple[Iterator[list[bytes]], list[str]]:
    """One record a line; then the lines of the notes, each after a `#`."""
    with path.open("rb") as file:
        size = path.stat().st_size
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        # No record holds a line break, so the first line that begins with `#` begins the notes.
        begin = 0 if data[:1] == b"#" else data.find(b"\n#") + 1 or size
        if begin and data[begin - 1 : begin] != b"\n":
            raise ValueError("the last record is not complete")
        rest = data[begin:].decode()
    notes: list[list[str]] = []
    for line in rest.removesuffix("\n").split("\n") if rest else ():  # no other mark ends a line
        if not line.startswith("#"):
            raise ValueError("a record stands after the checkpoints")
        if line.startswith("#freezetag/") or not notes:
            notes.append([])
        notes[-1].append(line[1:])

    def batches() -> Iterator[list[bytes]]:
        with path.open("rb") as file:
            records = itertools.takewhile(lambda line: line[0] != 35, file)  # up to the `#`
            while batch := [line[:-1] for line in itertools.islice(records, BATCH)]:
                yield batch

    return batches(), ["\n".join(lines) + "\n" for lines in notes]


def _open_note(note: str, authority: str, public: bytes) -> tuple[int, bytes, bool] | None:
    """(size, root, solo) of a checkpoint that `public` signed, else None."""
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
    return int(lines[1]), _decoded(lines[2]), lines[3:] == ["solo"]


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


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if the ledger verifies, 1 if not."""
    parser = argparse.ArgumentParser(description="Verify a freezetag ledger offline.")
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--authority", required=True, help="its name, as in the checkpoints")
    parser.add_argument("--public", required=True, help="its public key, base64")
    parser.add_argument("--checkpoint", type=Path, help="a note kept elsewhere, by a gate say")
    options = parser.parse_args(arguments)
    kept = options.checkpoint.read_text(encoding="utf-8") if options.checkpoint else None
    public, name = _decoded(options.public), options.authority
    report = verify_file(options.ledger, authority=name, public=public, checkpoint=kept)
    print("".join(f"{problem}\n" for problem in report.problems), end="")
    verdict = "verified" if report.ok else "NOT verified"
    if report.solo:
        print(f"SOLO, one person suffices for a reset: so say checkpoints ({report.solo})")
    print(f"{verdict}: {report.records} records, {report.checkpoints} checkpoints", end=", ")
    print("root", report.root)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
