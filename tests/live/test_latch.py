"""What a gate remembers: with the disk full, with its folder gone, with an authority left out."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.live.guards import Guarded, wait_for
from tests.live.worlds import authority, enrolled, gate_of, press, store

from freezetag import cli
from freezetag.core.journal import read
from freezetag.live.gate import latch as latch_module
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.latch import LatchError, LatchFile, MemoryLatch


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """No room for a new file; what has its room can be written over."""

    def no_room(path: Path, text: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(latch_module, "_replace", no_room)


def test_a_stop_with_a_full_disk_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SteppedClock()
    file = tmp_path / "latch.json"
    gate = gate_of(clock, latch=LatchFile(file))
    assert gate.is_open
    with monkeypatch.context() as patch:
        no_room = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        patch.setattr(latch_module, "_replace", lambda *_: (_ for _ in ()).throw(no_room))
        gate.press("enough", who="ada")
        assert gate.alarms == []
    again = gate_of(clock, latch=LatchFile(file))
    assert [press.reason for press in again.presses] == ["enough"]
    assert not again.is_open


def test_the_newer_of_latch_and_reserve_counts(tmp_path: Path, full: None) -> None:
    file = tmp_path / "latch.json"
    file.write_text('{"links":{},"dirty":null,"saves":4}')
    latch = LatchFile(file)
    with pytest.raises(LatchError, match="No space left"):
        latch.save({"n": 1})  # no reserve yet
    latch.reserve.write_text("{}".ljust(latch_module.RESERVE))
    assert latch.load() == {"links": {}, "dirty": None}
    latch.save({"n": 2})
    assert LatchFile(file).load() == {"n": 2}
    assert file.read_text().startswith('{"links"')
    with pytest.raises(LatchError):
        latch.save({"n": "x" * latch_module.RESERVE})


@pytest.mark.parametrize("text", ['{"n":', "[]", '{"saves":"7"}'])
def test_a_reserve_that_cannot_be_read_is_a_reason_to_stay_stopped(
    tmp_path: Path, text: str
) -> None:
    latch = LatchFile(tmp_path / "latch.json")
    latch.save({"n": 1})
    latch.reserve.write_text(text)
    with pytest.raises(LatchError):
        latch.load()


def test_a_stop_outlives_its_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guard = Guarded(tmp_path)
    guard.until_it_acts()
    shutil.rmtree(guard.state)
    guard.stop_file.touch()
    assert guard.ended()[0] == 124
    guard.stop_file.unlink()
    again = Guarded(tmp_path)
    code, said = again.ended()
    assert code == 124, said
    assert "stop_file" in said
    assert again.is_silent()
    assert cli.run(["guard", "--reset", "--state", str(again.state)]) == 0
    assert "stop_file" in capsys.readouterr().out
    after = Guarded(tmp_path, command=("true",))
    assert after.ended()[0] == 0


def two(clock: SteppedClock) -> list[Any]:
    return [authority(clock, "own"), authority(clock, "owner2")]


def test_nobody_leaves_a_press_by_leaving_its_authority_out() -> None:
    clock = SteppedClock()
    first, second = two(clock)
    latch = MemoryLatch()
    one, other = enrolled(first), enrolled(second)
    gate = gate_of(clock, one, other, latch=latch)
    second_press = press(7)
    store(second, second.press(second_press))
    for frame in (order.text for order in _asked(gate)):
        for overseer, enrolment in ((first, one), (second, other)):
            reply = _answer(overseer, frame)
            if reply:
                gate.receive(enrolment.authority, reply)
    assert gate.presses
    gate.close()
    without = gate_of(clock, one, latch=latch)
    assert ["owner2, which is left out" in each.who for each in without.presses] == [True]
    for frame in (order.text for order in _asked(without)):
        if reply := _answer(first, frame):
            without.receive("own", reply)
    assert without.phase == "waiting", "it has the lease of the one, and is pressed by the other"
    # It is remembered on, also by who does not name it.
    assert gate_of(clock, one, latch=latch).presses
    memory = latch.load()
    assert memory is not None
    assert set(memory["links"]) == {"own", "owner2"}


def _asked(gate: Any) -> list[Any]:
    gate.ask()
    return [order for order in gate.take() if order.kind == "send"]


def _answer(overseer: Any, frame: str) -> str | None:
    try:
        reply, records = overseer.on_frame(frame)
    except Exception:
        return None  # of the other authority
    store(overseer, records)
    return str(reply) if reply else None


def test_leaving_an_authority_is_an_act_in_the_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guard = Guarded(tmp_path)
    guard.until_it_acts()
    guard.stop_file.touch()
    assert guard.ended()[0] == 124
    state = guard.state
    assert cli.run(["guard", "--leave", "nobody", "--state", str(state)]) == 3
    assert "knows no authority 'nobody'" in capsys.readouterr().err
    assert cli.run(["guard", "--leave", "own", "--state", str(state)]) == 0
    assert "own is left, by one person; 1 presses stood there" in capsys.readouterr().out
    with (state / "journal.jsonl").open("rb") as file:
        last = list(read(file))[-1]
    assert (last["kind"], last["authority"], len(last["presses"])) == ("left", "own", 1)
    assert json.loads((state / "latch.json").read_text())["links"] == {}
    assert cli.run(["guard", "--leave", "own", "--state", str(tmp_path / "none")]) == 2
    wait_for(guard.is_silent)
