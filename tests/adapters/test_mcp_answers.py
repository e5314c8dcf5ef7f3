"""Answers go on before they are read; what may be a question of the server's is judged first."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.mcp_wire import Wire, call, open_gate
from tests.live.guards import wait_for

from freezetag.adapters.gates import mcp_frames as frames

QUESTION = '{"jsonrpc":"2.0","id":7,"%s":"sampling/createMessage","params":{}}'


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(open_gate())
    yield made
    made.close()


def test_an_id_is_free_again_for_whoever_has_its_answer(wire: Wire) -> None:
    for _ in range(300):
        wire.say(call(1))
        assert wire.reached() is not None
        wire.answer({"jsonrpc": "2.0", "id": 1, "result": {}})
        assert wire.told() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    wait_for(lambda: wire.gate.in_flight == 0)


@given(st.lists(st.booleans(), min_size=6, max_size=6))
def test_a_question_is_no_answer_however_its_key_is_spelled(escaped: list[bool]) -> None:
    key = "".join(f"\\u{ord(c):04x}" if e else c for c, e in zip("method", escaped, strict=True))
    line = QUESTION % key
    assert json.loads(line)["method"] == "sampling/createMessage"
    assert not frames.asks_nothing(line.encode())


@pytest.mark.parametrize("key", ["method", "\\u006dethod", "metho\\u0064"])
def test_a_stopped_gate_passes_no_question_of_the_server(wire: Wire, key: str) -> None:
    wire.gate.press("test", category=2)
    wire.answer((QUESTION % key).encode())
    assert json.loads(wire.reached() or b"{}")["error"]["code"] == frames.REFUSED
    assert wire.told(0.05) is None


@pytest.mark.parametrize("end", ["\r", "\u2028", "\u2029", "\x85"])
def test_what_a_reader_may_break_in_two_is_read_first(end: str) -> None:
    answer = '{"jsonrpc":"2.0","id":1,"result":{"x":"y"}}'
    assert frames.asks_nothing(answer.encode())
    assert not frames.asks_nothing(answer.replace("y", end).encode())


def test_a_break_in_an_answer_is_escaped(wire: Wire) -> None:
    wire.answer('{"jsonrpc":"2.0","id":1,"result":{"x":"a\u2028b"}}'.encode())
    line = wire._line(wire._client, 2) or b""
    assert json.loads(line)["result"] == {"x": "a\u2028b"}
    assert len(line.decode().splitlines()) == 1
