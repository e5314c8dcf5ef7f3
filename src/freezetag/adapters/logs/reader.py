"""What a reader of logs is, and what all of them need: bounded reading, and names without secrets.

A reader is a module of this folder, or one that a package announces under the entry point
`freezetag.logs`. It is asked by content, never by a file's name:

    NAME = "chat lines"                     what people call the format
    def knows(start: Start) -> bool         whether this file is one, from its beginning
    def read(start: Start) -> Log           Raises `BadAgent`

Logs come from outside. So nothing of them is run or unpacked beyond a stated size, and what a name
or a text may hold of keys and of paths goes no further than here.
"""

from __future__ import annotations

import json
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from freezetag.core.errors import printable
from freezetag.core.log import Log
from freezetag.sim.foreign import BadAgent

MOST_BYTES = 256 * 2**20
"""Of a file, and of all that an archive unpacks to."""
MOST_LINE = 64 * 2**20
"""Of a line, and of one member of an archive."""
BEGINNING = 2**16
"""Bytes by which a format is known."""
MOST_TEXT = 2000
"""Letters that are kept of what somebody said."""
NAN, HUGE = float("nan"), 1e100
ZSTANDARD = 93
"""How Inspect AI packs its archives."""
_LOCAL = struct.Struct("<4s5H3I2H")  # a member's own header; last the lengths of name and extra
_DATABASE = b"SQLite format 3\x00"  # read row by row
_KEY = re.compile(
    r"\b(?:sk|pk|rk|ghp|gho|github_pat|glpat|hf|xox[a-z]|AKIA|ASIA|AIza|ya29|eyJ)[-_.\w]{8,}"
    r"|(?i:\bbearer\s+\S{8,})|\b[A-Za-z0-9+_]{40,}={0,2}"
)
_PATH = re.compile(
    r"(?:[A-Za-z]:\\|\\\\|~/|/)(?:[^\s/\\:\"']+[/\\])+[^\s/\\:\"']*"
    r"|(?<![\w/])/[^\s/\\:\"']+\.\w+"
)


@dataclass(frozen=True)
class Start:
    """A file, and how it begins."""

    path: Path
    head: bytes

    @classmethod
    def of(cls, path: Path) -> Start:
        """Raises `BadAgent` for a file that cannot be read, is empty or too large."""
        try:
            with path.open("rb") as file:
                head = file.read(BEGINNING)
            size = path.stat().st_size
        except OSError as error:
            raise BadAgent(f"cannot read the log {path.name!r}: {error.strerror}.") from None
        if not head:
            raise BadAgent(f"{path.name} is empty: a log holds at least one line.")
        if size > MOST_BYTES and not head.startswith(_DATABASE):
            raise BadAgent(
                f"{printable(path.name, 80)} is larger than {MOST_BYTES // 2**20} MiB. "
                "Examine a part of it."
            )
        return cls(path, head)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """The names in an archive; () for what is none, or a damaged one."""
        if self.head[:4] != b"PK\x03\x04":
            return ()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(archive.namelist())
        except (OSError, ValueError, zipfile.BadZipFile):
            return ()

    @property
    def name(self) -> str:
        """The file's name, for messages."""
        return printable(self.path.name, 80)

    @cached_property
    def first(self) -> Any:
        """The first JSON value, where it ends within the beginning; else None."""
        text = self.head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
        try:
            return json.JSONDecoder().raw_decode(text)[0]
        except (ValueError, RecursionError):
            return None

    @cached_property
    def first_key(self) -> str:
        """The first key of the object that the file begins with, also one in a list; "" for none.
        It tells a format where the object is longer than the beginning."""
        text = self.head.decode("utf-8", "replace")
        found = re.match(r'[\ufeff\s\[]*\{\s*"([^"\\]{1,40})"', text)
        return found[1] if found else ""

    def text(self) -> str:
        """All of it. Raises `BadAgent`."""
        try:
            return self.path.read_bytes().decode("utf-8-sig")
        except OSError as error:
            raise BadAgent(f"cannot read the log {self.name}: {error.strerror}.") from None
        except UnicodeDecodeError as error:
            raise BadAgent(f"{self.name} is not text in UTF-8 (byte {error.start}).") from None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """(number from 1, line) of those that are not blank. Raises `BadAgent`."""
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(MOST_LINE + 1):
                number += 1
                if len(line) > MOST_LINE:
                    raise BadAgent(
                        f"{self.name}, line {number}: longer than {MOST_LINE // 2**20} MiB. "
                        "Split it, or examine another log."
                    )
                if line := line.strip(b"\xef\xbb\xbf \t\r\n"):
                    yield number, line


class Reader(Protocol):
    """A format; a module of this folder is one."""

    NAME: str

    def knows(self, start: Start) -> bool: ...

    def read(self, start: Start) -> Log: ...


def json_of(text: str | bytes, where: str) -> Any:
    """A whole JSON value. Raises `BadAgent`, which says where, and nothing of what."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        end = len(error.doc.rstrip()) - 1
        cut = " It is cut short." if error.pos >= end or "Unterminated" in error.msg else ""
        raise BadAgent(f"{where} is not JSON (line {error.lineno}).{cut}") from None
    except (ValueError, RecursionError):
        raise BadAgent(f"{where} is not JSON that can be read.") from None


def json_values(text: str, where: str) -> tuple[list[Any], bool]:
    """The JSON values that stand one after the other; whether the last one is cut short, and left
    out. Raises `BadAgent` for anything else between them."""
    decoder, at = json.JSONDecoder(), 0
    found: list[Any] = []
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text):
            return found, False
        try:
            value, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            line = text.count("\n", 0, error.pos) + 1
            last = "\n" not in text[at:].strip()
            ends = error.pos >= len(text.rstrip()) - 1 or "Unterminated" in error.msg
            if found and (last or ends):
                return found, True
            raise BadAgent(f"{where} is not whole JSON (line {line}).") from None
        except (ValueError, RecursionError):
            raise BadAgent(f"{where} is not JSON that can be read.") from None
        found.append(value)


def unpacked(archive: zipfile.ZipFile, member: str, left: int, where: str) -> bytes:
    """A member of an archive, if it is no larger than `left` and `MOST_LINE`, whatever it says of
    itself; one in Zstandard is JSON. Raises `BadAgent`."""
    most = min(left, MOST_LINE)
    try:
        info = archive.getinfo(member)
        if info.compress_type == ZSTANDARD:
            content = _zstandard(archive, info, most)
        else:
            with archive.open(info) as file:
                content = file.read(most + 1)
    except _TooLarge:
        content = b" " * (most + 1)
    except Exception as error:  # zipfile lets through what zlib and struct raise
        raise BadAgent(f"{where} is damaged or cut short ({type(error).__name__}).") from None
    if len(content) > most:
        raise BadAgent(
            f"{where} unpacks to more than {most // 2**20} MiB. A log of this size is examined in "
            "parts."
        )
    return content


class _TooLarge(Exception):
    pass


def _zstandard(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """What Python before 3.14 cannot unpack by itself: by way of DuckDB, a piece at a time."""
    import duckdb

    held = archive.fp
    assert held is not None
    held.seek(info.header_offset)
    header = held.read(_LOCAL.size)
    *_, name, extra = _LOCAL.unpack(header)
    held.seek(name + extra, os.SEEK_CUR)
    packed = held.read(min(info.compress_size, most))
    with tempfile.TemporaryDirectory(prefix="freezetag-") as folder, duckdb.connect() as db:
        file = Path(folder) / "member.zst"
        file.write_bytes(packed)
        try:
            rows = db.execute(
                "select json from read_json_objects($file, compression='zstd', "
                "format='unstructured', maximum_object_size=$most)",
                {"file": str(file), "most": most},
            ).fetchall()
        except duckdb.Error as error:
            if "maximum_object_size" in str(error):
                raise _TooLarge from None
            raise
    if len(rows) != 1:
        raise ValueError("not one JSON value")
    return str(rows[0][0]).encode()


def number(value: Any) -> float:
    """A number; NaN for whatever is none, or so large that no mean of it could be taken."""
    if isinstance(value, str) and len(value) > 40:
        return NAN
    try:
        found = float(value) if isinstance(value, int | float | str) else NAN
    except (ValueError, OverflowError):
        return NAN
    return found if abs(found) < HUGE else NAN


def seconds(value: Any) -> float:
    """A time, in seconds or as ISO 8601, as seconds; NaN for whatever is none."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except (ValueError, OverflowError):
            pass
    return number(value)


def name_of(value: Any) -> str:
    """A name from a log that may be printed: short, without keys, of a path its last part."""
    text = printable(str(value).strip(), 200)
    if text.count("/") > 1 or "\\" in text or text[:1] in "/~":
        text = re.split(r"[/\\]", text.rstrip("/\\"))[-1]
    return printable(without_secrets(text), 60)


def without_secrets(text: str) -> str:
    """A text without what looks like a key or a path."""
    return _PATH.sub("[path]", _KEY.sub("[key]", text))
