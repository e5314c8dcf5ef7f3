"""A meter that is written as anybody would (`echo 5 > FILE`) is empty for an instant each time."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from freezetag.live.guard import stop_file_and_meter
from freezetag.live.guard.stop_file_and_meter import LASTS, Watched

DAY = 86_400
"""Writes of a day, one a second."""


def write(file: Path, times: int) -> None:
    """As a shell does it: opened and emptied, then written."""
    for _ in range(times):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(handle, b"5\n")
        os.close(handle)
        time.sleep(0.0002)


def missed(file: Path, writes: int) -> tuple[int, int, int]:
    """Readings while it is written so often; how many found no number at one look, and in all.

    Two readers take turns without a pause, so each write is met: a guard looks 20 times a second.
    """
    file.write_text("5\n")
    read = Watched(meter=file, power=9.0).meters()["power"]
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(file, writes))
    writer.start()
    readings = torn = missing = 0
    while writer.is_alive():
        readings += 1
        torn += not file.read_text()
        try:
            assert read() == 5.0
        except (OSError, ValueError):
            missing += 1
    writer.join()
    assert writer.exitcode == 0
    return readings, torn, missing


def test_a_torn_reading_is_no_missing_one(tmp_path: Path) -> None:
    readings, torn, missing = missed(tmp_path / "spent", 3000)
    assert torn > 2, readings
    # On a busy machine the writer may stand still just then, for longer than anybody waits.
    assert missing <= max(1, torn / 50), (readings, torn, missing)


def test_an_empty_file_shows_the_number_before_and_not_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(stop_file_and_meter.time, "monotonic", lambda: now)
    file = tmp_path / "spent"
    file.write_text("5\n")
    read = Watched(meter=file, power=9.0).meters()["power"]
    assert read() == 5.0
    file.write_text("")
    now += LASTS / 2
    assert read() == 5.0
    now += LASTS / 2
    with pytest.raises(ValueError, match="no number"):
        read()
    file.write_text("6\n")
    assert read() == 6.0
    file.unlink()
    with pytest.raises(FileNotFoundError):
        read()


@pytest.mark.long
def test_a_day_of_writes_trips_hardly_ever(tmp_path: Path) -> None:
    readings, torn, missing = missed(tmp_path / "spent", DAY)
    print(f"{DAY} writes, {readings} readings: {torn} torn at one look, {missing} missing")
    assert torn > 50
    assert missing <= torn / 100
