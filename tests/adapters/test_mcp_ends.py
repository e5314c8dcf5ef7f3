"""An end that nobody sees: callers are released at once, actions stay in the books until theirs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.mcp_wire import Wire, call, open_gate
from tests.live.guards import wait_for

from freezetag.adapters.gates import mcp_frames as frames
from freezetag.adapters.gates.mcp_oversized import Oversized
from freezetag.adapters.gates.mcp_process import Process
from freezetag.core.journal import Journal, read

ROUGH = str(Path(__file__).with_name("rough_server.py"))
SAMPLE = {"jsonrpc": "2.0", "id": 5, "method": "sampling/createMessage", "params": {}}


def cancelled(ident: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": ident}}


def answered(ident: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": ident, "result": {}}


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(open_gate())
    yield made
    made.close()


# Calls that are cancelled.


def test_a_call_that_the_client_cancels_stays_in_flight_until_it_is_answered(wire: Wire) -> None:
    wire.say(call(1))
    wire.say(cancelled(1))
    assert json.loads(wire.reached() or b"")["id"] == 1
    assert json.loads(wire.reached() or b"") == cancelled(1)
    wire.gate.press("test", category=2)
    wire.gate.tick()
    assert (wire.gate.phase, wire.gate.in_flight) == ("stopping", 1)
    wire.answer(answered(1))
    assert wire.told() == answered(1), "a late answer is the client's to drop"
    wait_for(lambda: wire.gate.phase == "stopped")


def test_a_second_call_after_a_cancelled_one_passes_under_the_same_id_too(wire: Wire) -> None:
    wire.say(call(1))
    wire.say(cancelled(1))
    for ident in (2, 1):
        wire.say(call(ident))
        while json.loads(wire.reached() or b"").get("id") != ident:
            pass
        wire.answer(answered(ident))
        assert wire.told() == answered(ident)
    wait_for(lambda: wire.gate.in_flight == 1)
    wire.answer(answered(1))  # of the first, at last
    wait_for(lambda: wire.gate.in_flight == 0)


def test_a_server_that_cancels_its_own_request(wire: Wire) -> None:
    wire.answer(SAMPLE)
    assert wire.told() == SAMPLE
    wire.answer(cancelled(5))
    assert wire.told() == cancelled(5)
    assert wire.gate.in_flight == 1
    wire.gate.press("test", category=2)
    assert wire.gate.phase == "stopping"
    wire.say(answered(5))
    wait_for(lambda: wire.gate.phase == "stopped")


def test_whoever_waits_is_released_by_a_stop_and_hears_no_second_answer(wire: Wire) -> None:
    wire.say(call(1))
    wire.answer(SAMPLE)
    wire.reached(), wire.told()
    wire.gate.press("test", category=2)
    assert {wire.told().get("id"), wire.told().get("id")} == {1, None}  # and a notification
    frames_to_server = [json.loads(wire.reached() or b"") for _ in range(2)]
    assert {frame.get("id") for frame in frames_to_server} == {5, None}
    assert wire.gate.in_flight == 2
    wire.say(call(1))
    assert wire.told()["error"]["code"] == -32600, "the id is in flight"
    wire.answer(answered(1))
    wire.say(answered(5))
    wait_for(lambda: wire.gate.phase == "stopped")
    assert wire.told(0.05) is None
    assert wire.reached(0.05) is None


def test_what_a_gone_server_had_in_flight_is_unknown_however_its_caller_was_released() -> None:
    lines: list[bytes] = []
    wire = Wire(open_gate(journal=Journal(lines.append)))
    wire.answer(SAMPLE)
    for ident in (1, 2):
        wire.say(call(ident))
        wire.reached()
    wire.say(cancelled(1))
    wire.reached()
    wire.server_dies()
    wait_for(lambda: wire.gate.in_flight == 0)
    ended = [entry for entry in read(lines) if entry["kind"] == "end"]
    assert sorted(entry["outcome"] for entry in ended) == ["unknown"] * 3
    wire.close()


# A server that dies.


class Guarded:
    """`freezetag guard --mcp` before the rough server; the test is its client."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.effects, self.said = folder, folder / "effects", folder / "said"
        guard = [sys.executable, "-m", "freezetag", "guard", "--mcp", "--state", str(folder / "s")]
        guard += ["--stop-file", str(folder / "STOP"), *options, "--"]
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [*guard, sys.executable, ROUGH, str(self.effects)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                bufsize=0,
                env=os.environ | {"HOME": str(folder)},
            )

    def say(self, frame: dict[str, Any]) -> None:
        self.process.stdin.write(json.dumps(frame).encode() + b"\n")  # type: ignore[union-attr]

    def told(self, frame: dict[str, Any]) -> Any:
        self.say(frame)
        return json.loads(self.process.stdout.readline() or b"null")  # type: ignore[union-attr]

    def end(self) -> int:
        self.process.stdin.close()  # type: ignore[union-attr]
        return self.process.wait(20)

    def __enter__(self) -> Guarded:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            pipe.close()  # type: ignore[union-attr]
        self.process.wait(20)


def test_a_server_that_dies_while_another_process_holds_its_pipes(tmp_path: Path) -> None:
    with Guarded(tmp_path, "--drain", "300ms") as guard:
        for ident, tool in ((1, "crash_held"), (2, "pay")):
            told = guard.told(call(ident, tool))
            assert (told["id"], told["error"]["code"]) == (ident, -32000)
            assert "crashed: it ended with exit code 3" in told["error"]["message"]
        assert guard.told({"jsonrpc": "2.0", "id": 3, "method": "ping"})["error"]["code"] == -32000
        assert guard.end() == 143


def test_a_crash_is_not_called_a_stop(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guard:
        told = guard.told(call(1, "crash"))
        assert told["error"]["code"] == -32000
        assert "crashed" in told["error"]["message"]
        assert guard.process.wait(20) == 3


def test_a_hold_does_not_leave_a_cancelled_call_acting(tmp_path: Path) -> None:
    """By the time it says STOPPED nothing acts, although its client gave the call up long ago."""
    with Guarded(tmp_path, "--on-stop", "hold", "--drain", "400ms") as guard:
        assert guard.told(call(1))["id"] == 1
        guard.say(call(2, "silent"))
        guard.say(cancelled(2))
        wait_for(guard.effects.exists)
        time.sleep(0.6)  # longer than the drain
        (tmp_path / "STOP").touch()
        wait_for(lambda: "STOPPED" in guard.said.read_text())
        size = guard.effects.stat().st_size
        time.sleep(0.3)
        assert guard.effects.stat().st_size == size
        guard.end()
    with (tmp_path / "s" / "journal.jsonl").open("rb") as file:
        acks = [entry["unknown"] for entry in read(file) if entry["kind"] == "ack"]
    assert acks[0] == ["2:tools/call silent"]


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_the_end_of_a_process_is_seen_although_its_pipe_is_held(
    monkeypatch: pytest.MonkeyPatch, has_pidfd: bool
) -> None:
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    ours, theirs = os.pipe()
    held = subprocess.Popen(["sleep", "60"], stdout=theirs)
    child = subprocess.Popen(["sh", "-c", "echo last; exit 7"], stdout=theirs)
    os.close(theirs)
    process = Process(child.pid, child.poll)
    got = b""
    while part := process.read(ours, 100):
        got += part
    assert got == b"last\n"
    assert process.exit_code(1) == 7
    process.close()
    held.kill()
    held.wait()
    os.close(ours)


# Frames over the limit.

BIG = "x" * 3000


def test_an_answer_over_the_limit_is_an_error_that_says_so() -> None:
    said: list[str] = []
    wire = Wire(open_gate(), largest=1000, say=said.append)
    for ident, late in ((1, False), ("é\\", True)):
        wire.say(call(ident))
        wire.reached()
        result = {"result": {"id": 9, "text": BIG}}
        wire.answer({**result, "id": ident} if late else {"id": ident, **result})
        told = wire.told()
        assert (told["id"], told["error"]["code"]) == (ident, -32000)
        assert "is too large: the limit is 1000" in told["error"]["message"]
        wait_for(lambda: wire.gate.in_flight == 0)
    assert len(said) == 2
    assert all("server's answer of 3" in line for line in said)
    wire.close()


def test_a_request_over_the_limit_is_answered_under_its_id() -> None:
    wire = Wire(open_gate(), largest=1000)
    for ident in (7, "seven"):
        wire.say({"method": "tools/call", "params": {"name": BIG, "id": 3}, "id": ident})
        assert wire.told()["id"] == ident
        wire.answer({"method": "sampling/createMessage", "params": {"x": BIG}, "id": ident})
        assert json.loads(wire.reached() or b"")["id"] == ident
    wire.say({"method": "notifications/message", "params": BIG})
    assert wire.told()["id"] is None
    wire.answer({"method": "notifications/message", "params": BIG})
    assert wire.reached(0.05) is None
    assert wire.gate.last == 0
    wire.close()


def test_an_answer_of_the_client_over_the_limit_leaves_no_server_waiting() -> None:
    wire = Wire(open_gate(), largest=1000)
    wire.answer(SAMPLE)
    wire.told()
    wire.say({"jsonrpc": "2.0", "id": 5, "result": {"text": BIG}})
    assert "too large" in json.loads(wire.reached() or b"")["error"]["message"]
    wait_for(lambda: wire.gate.in_flight == 0)
    wire.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@given(
    message=st.dictionaries(st.sampled_from(["id", "method", "result", "x", "params"]), JSON),
    ascii_only=st.booleans(),
    indent=st.none() | st.integers(0, 2),
    cuts=st.lists(st.integers(0, 300), max_size=6),
)
def test_the_id_of_any_frame_is_seen_in_passing(
    message: dict[str, Any], ascii_only: bool, indent: int | None, cuts: list[int]
) -> None:
    text = json.dumps(message, ensure_ascii=ascii_only, indent=indent)
    line = text.encode(errors="replace")
    seen = Oversized()
    at = 0
    for cut in [*sorted(min(cut, len(line)) for cut in cuts), len(line)]:
        seen.feed(line[at:cut])
        at = cut
    ident = json.loads(line).get("id")
    known = type(ident) in (int, str) and len(json.dumps(ident, ensure_ascii=ascii_only)) < 900
    assert seen.id == (ident if known else None)
    assert seen.keys == set(message)
    assert seen.size == len(line)


def test_the_limit_is_an_option_and_strict_stdout_too(tmp_path: Path) -> None:
    with Guarded(tmp_path, "--largest-frame", "64KiB", "--strict-stdout") as guard:
        big = call(1, "large")
        big["params"]["size"] = 70_000
        assert "the limit is 65536" in guard.told(big)["error"]["message"]
        assert guard.told(call(2, "print"))["id"] == 2, "what it prints came as an answer"
        assert guard.end() == 0
        said = guard.said.read_text()
    assert "Warning: no configuration\n" in said
    assert said.count("the limit is 65536; it was not passed on") == 1


# What a server prints, and what it says in one breath.


def test_what_is_no_frame_passes_or_goes_aside() -> None:
    odd = [b"Warning: no configuration", b"", b"\xef\xbb\xbfhello", b"42", b"{"]
    aside: list[bytes] = []
    for wire in (Wire(open_gate()), Wire(open_gate(), aside=aside.append)):
        for line in odd:
            wire.answer(line)
        wire.answer(answered(1))
        came = []
        while not came or came[-1] != json.dumps(answered(1)).encode():
            came.append(wire._line(wire._client, 2))
        assert came[:-1] == ([] if aside else [line for line in odd if line])
        wire.close()
    assert aside == [line + b"\n" for line in odd if line]


@pytest.mark.parametrize(
    "line",
    [
        b"\xef\xbb\xbf" + json.dumps(SAMPLE).encode(),
        b"[" + json.dumps(SAMPLE).encode() + b"]",
        b"progress \r" + json.dumps(SAMPLE).encode(),
        json.dumps(SAMPLE).encode() + b" // a comment",
    ],
)
def test_a_question_in_a_strange_coat_passes_no_closed_gate(line: bytes) -> None:
    wire = Wire(open_gate())
    wire.gate.press("test", category=2)
    wire.answer(line)
    assert wire.told(0.05) is None
    wire.close()


def test_a_server_s_batch_passes_one_by_one_byte_for_byte(wire: Wire) -> None:
    wire.say(call(1))
    wire.reached()
    first = b'{"jsonrpc":"2.0","id":1,"result":{"x":1.50}}'
    wire.answer(b"[ " + first + b" ,\t" + json.dumps(SAMPLE).encode() + b"]")
    assert wire._line(wire._client, 2) == first
    assert wire.told() == SAMPLE
    wait_for(lambda: wire.gate.in_flight == 1)


def test_a_refused_batch_answers_each_id(wire: Wire) -> None:
    wire.say(json.dumps([call(1), call("b"), cancelled(3), {"id": None, "method": "x"}]).encode())
    told = [wire.told(), wire.told()]
    assert [frame["id"] for frame in told] == [1, "b"]
    assert all("batches" in frame["error"]["message"] for frame in told)
    wire.say(b"[]")
    assert wire.told()["id"] is None


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_a_break_is_escaped_and_nothing_else_is_spelled_anew(wire: Wire, mark: str) -> None:
    def line(mark: str) -> bytes:
        return (
            f'{{"id":1, "method":"ping","params":{{"x":1.50,"y":1e400,"z":"a{mark}b"}}}}'.encode()
        )

    wire.say(line(mark))
    assert wire.reached() == line(f"\\u{ord(mark):04x}")
    answer = f'{{"id":1,"result":{{"x":1.50,"y":1e400,"z":"a{mark}b"}}}}'
    wire.answer(answer.encode())
    expected = answer.replace(mark, f"\\u{ord(mark):04x}").encode()
    assert wire._line(wire._client, 2) == expected


def test_frames_has_limits_of_its_own() -> None:
    with pytest.raises(frames.BadFrame, match="larger than 10"):
        frames.read(b'{"id":1,"method":"ping"}', largest=10)
