"""What a guard itself watches: a STOP file and a meter; how they are read, and what they show now.

A reading is missing when nobody can say what it is, and then nothing runs. The folder remembers
what the last run watched, so that a reset can say whether the cause is still there.
"""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from freezetag.core.errors import RunError

FILE = "watched.json"
AGAIN = (0.0005, 0.001, 0.002, 0.004)
"""Seconds between looks at a meter that cannot be read."""
LASTS = 0.25
"""Seconds for which the number before counts while the file is empty, as it is being written."""
AHEAD = 2.0
"""Seconds by which a meter's time may be ahead of the clock: file systems round."""


@final
@dataclass(frozen=True)
class Watched:
    """The files, the most that the meter may show, and how old (seconds) its number may be."""

    stop_file: Path | None = None
    meter: Path | None = None
    power: float = float("inf")
    meter_age: float = 10.0

    def meters(self) -> dict[str, Callable[[], float]]:
        """How a gate reads them, by sensor; a reader raises where its reading is missing."""
        found: dict[str, Callable[[], float]] = {}
        if self.stop_file is not None:
            found["stop_file"] = _stop_file(self.stop_file)
        if self.meter is not None:
            found["power"] = _meter(self.meter, self.meter_age)
        return found

    def missing(self) -> str:
        """Which readings are missing now and why, in words; empty if none is."""
        options = {"stop_file": f"--stop-file {self.stop_file}", "power": f"--meter {self.meter}"}
        told = []
        for sensor, read in self.meters().items():
            try:
                value = read()
            except FileNotFoundError:
                there = "its folder is not there" if sensor == "stop_file" else "there is no file"
                told.append(f"{options[sensor]}: {there}")
            except OSError as error:
                told.append(f"{options[sensor]}: {error.strerror}")
            except ValueError as error:
                told.append(f"{options[sensor]}: {error}")
            else:
                if value != value:
                    told.append(f"{options[sensor]}: it shows no number")
        return "; ".join(told)

    def remaining(self) -> list[str]:
        """The causes of a stop that are still there, each with what to do about it."""
        told = []
        for sensor, read in self.meters().items():
            try:
                value = read()
            except (OSError, ValueError):
                continue  # the next start names what is missing
            if sensor == "stop_file" and value:
                told.append(f"{self.stop_file} still lies there: remove it first")
            if sensor == "power" and value > self.power:
                told.append(
                    f"{self.meter} still shows {value:g}, and at most {self.power:g} is allowed: "
                    "wait until it shows less, or allow more with --power"
                )
        return told

    def remember(self, folder: Path) -> None:
        """For `recall` after this process has ended. Raises `RunError`."""
        data = {
            "stop_file": self.stop_file and str(self.stop_file.absolute()),
            "meter": self.meter and str(self.meter.absolute()),
            "power": self.power if self.meter is not None else None,
        }
        try:
            (folder / FILE).write_text(json.dumps(data) + "\n", encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot write {folder / FILE}: {error.strerror}.") from None

    @classmethod
    def recall(cls, folder: Path) -> Watched:
        """What the last run in `folder` watched; nothing, where that cannot be read."""
        try:
            data: dict[str, Any] = json.loads((folder / FILE).read_bytes())
            stop_file, meter = (data[name] and Path(data[name]) for name in ("stop_file", "meter"))
            power = float("inf") if data["power"] is None else float(data["power"])
        except (OSError, ValueError, TypeError, KeyError):
            return cls()
        return cls(stop_file, meter, power, float("inf"))


def may_hang(mode: int) -> bool:
    """Whether a look into such a file may never end."""
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _stop_file(path: Path) -> Callable[[], float]:
    """1 while the file is there, 0 while its folder shows that it is not; else it raises."""

    def read() -> float:
        try:
            path.lstat()
        except FileNotFoundError:
            path.parent.stat()
            return 0.0
        return 1.0

    return read


def _meter(path: Path, age: float) -> Callable[[], float]:
    """The number in the file, which somebody else than the agent keeps fresh; else it raises.

    Whoever writes it with `echo 5 > FILE` empties it first, so what cannot be read is read again
    for a few milliseconds. On a busy host the writer may stand still just then: an empty file shows
    the number before, for a part of a second that is far below a lease.
    """
    last, at = 0.0, float("-inf")

    def look() -> float:
        nonlocal last, at
        try:
            last, at = _number(path, age), time.monotonic()
        except _Empty:
            if time.monotonic() - at >= LASTS:
                raise
        return last

    def read() -> float:
        for pause in AGAIN:
            try:
                return look()
            except (FileNotFoundError, ValueError):
                time.sleep(pause)
        return look()

    return read


class _Empty(ValueError):
    """The file is there, fresh, and empty."""


def _number(path: Path, age: float) -> float:
    told = path.stat()
    if may_hang(told.st_mode):
        raise ValueError("it is a pipe or a device, and a look at it may never end")
    old = time.time() - told.st_mtime
    if not old <= age:
        raise ValueError(f"nobody has written it for {age:g} s")
    if old < -AHEAD:
        raise ValueError(f"its time is {-old:.0f} s ahead, so nobody knows how old it is")
    text = path.read_text()
    if not text:
        raise _Empty("it is empty, and holds no number")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"it holds {text[:40]!r}, and no number") from None
    if value == -float("inf"):
        raise ValueError("it holds minus infinity, which nobody measures")
    return value
