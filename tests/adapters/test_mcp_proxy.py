"""The MCP proxy on stdio: a wire of pipes for hostile frames, and the official SDK for the rest."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adapters.mcp_wire import Wire, call, open_gate
from tests.live.guards import wait_for

from freezetag.adapters.gates import mcp_frames as frames
from freezetag.core.journal import Journal, read

SERVER = str(Path(__file__).with_name("mcp_server.py"))


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(open_gate())
    yield made
    made.close()


def stop(wire: Wire, category: int = 2) -> None:
    wire.gate.press("test", category=category)


# What passes, and unchanged.


def test_frames_pass_byte_for_byte_and_calls_are_counted(wire: Wire) -> None:
    line = (
        b'{"id": 1,\t"method":"tools/call", "params":{"name":"p\xc3\xa4y","x":1.50},"jsonrpc":""}'
    )
    wire.say(line + b"\r")
    assert wire.reached() == line
    assert wire.gate.in_flight == 1
    reply = b'{"jsonrpc":"2.0","id":1,"result":{"big":123456789012345678901234567890}}'
    wire.answer(reply)
    assert wire._line(wire._client, 2) == reply
    wait_for(lambda: wire.gate.in_flight == 0)
    wire.answer(b"not json at all")  # what a server prints is the client's to complain of
    assert wire._line(wire._client, 2) == b"not json at all"


@pytest.mark.parametrize("method", sorted(frames.FREE))
def test_shaking_hands_listing_and_cancelling_pass_a_closed_gate(wire: Wire, method: str) -> None:
    stop(wire)
    frame: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if not method.startswith("notifications/"):
        frame["id"] = 1
    wire.say(frame)
    assert json.loads(wire.reached() or b"{}") == frame


METHODS = st.sampled_from(
    [
        *("tools/call", "resources/read", "resources/subscribe", "prompts/get"),
        *("completion/complete", "tasks/result", "of/later/versions", "tools/CALL", "Ping"),
    ]
)


@given(method=METHODS, ident=st.one_of(st.integers(), st.text(max_size=5)))
@settings(max_examples=30)
def test_everything_else_is_refused_and_never_reaches_the_server(method: str, ident: Any) -> None:
    wire = Wire(open_gate())
    stop(wire)
    wire.say({"jsonrpc": "2.0", "id": ident, "method": method, "params": {}})
    told = wire.told()
    assert (told["id"], told["error"]["code"]) == (ident, -32050)
    assert "stopped by local: test" in told["error"]["message"]
    wire.say({"jsonrpc": "2.0", "method": method})  # without an id nobody could be told
    assert wire.reached(0.02) is None
    wire.close()


def test_a_server_that_asks_the_client_is_gated_too(wire: Wire) -> None:
    sample = {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {}}
    wire.answer(sample)
    assert wire.told() == sample
    assert wire.gate.in_flight == 1
    wire.say({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert wire.reached() is not None
    wait_for(lambda: wire.gate.in_flight == 0)
    stop(wire)
    wire.answer(sample)
    assert json.loads(wire.reached() or b"{}")["error"]["code"] == -32050
    assert wire.told(0.05) is None


# Stops with something in flight.


def test_a_stop_cancels_what_is_in_flight_and_waits_for_its_answer(wire: Wire) -> None:
    wire.say(call(1))
    wire.say(call("two"))
    wire.reached(), wire.reached()
    stop(wire)
    gone = [json.loads(wire.reached() or b"{}") for _ in range(2)]
    assert {frame["params"]["requestId"] for frame in gone} == {1, "two"}
    assert {frame["method"] for frame in gone} == {"notifications/cancelled"}
    assert wire.gate.phase == "stopping"
    told = [wire.told() for _ in range(2)]  # whoever waits is not left waiting
    assert {frame["id"] for frame in told} == {1, "two"}
    assert {frame["error"]["code"] for frame in told} == {-32050}
    assert wire.gate.in_flight == 2
    for ident in (1, "two"):
        wire.answer({"jsonrpc": "2.0", "id": ident, "error": {"code": 1, "message": "cancelled"}})
    wait_for(lambda: wire.gate.phase == "stopped")
    assert wire.told(0.05) is None, "one request had two answers"


def test_a_server_that_dies_leaves_the_outcome_unknown() -> None:
    lines: list[bytes] = []
    wire = Wire(open_gate(journal=Journal(lines.append)))
    wire.say(call(7))
    wire.reached()
    stop(wire)
    wire.server_dies()
    told = wire.told()
    assert (told["id"], told["error"]["code"]) == (7, -32050)
    assert "not known" in told["error"]["message"]
    wait_for(lambda: wire.gate.phase == "stopped")
    (ack,) = [entry for entry in read(lines) if entry["kind"] == "ack"]
    assert ack["unknown"] == ["1:tools/call pay"]
    wire.say(call(8))
    assert wire.told()["error"]["code"] == -32050
    wire.close()


def test_a_peer_that_does_not_read_cannot_hold_up_a_stop() -> None:
    wire = Wire(open_gate())
    ids = itertools.count(1)

    def flood() -> None:
        for ident in ids:
            wire.say(call(ident, text="x" * 5000))
            if wire.gate.phase != "open":
                return

    flooder = threading.Thread(target=flood, daemon=True)
    flooder.start()
    wait_for(lambda: wire.gate.in_flight > 10)
    time.sleep(0.1)
    started = time.monotonic()
    stop(wire)
    assert time.monotonic() - started < 0.5
    assert not wire.gate.is_open


# Hostile frames.

SMUGGLED = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"pay","arguments":{}}}'
HOSTILE = {
    "empty object": b"{}",
    "no json": b"GET / HTTP/1.1",
    "cut short": b'{"jsonrpc":"2.0","id":1',
    "bad utf-8": b'{"jsonrpc":"2.0","id":1,"method":"tools/call\xff"}',
    "nan": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}',
    "batch": f"[{SMUGGLED}]".encode(),
    "string": b'"tools/call"',
    "deep": b'{"id":1,"method":"ping","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long number": b'{"jsonrpc":"2.0","id":' + b"9" * 10_000 + b',"method":"ping"}',
    "method twice": b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}',
    "method folded": b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}',
    "method folded alone": b'{"jsonrpc":"2.0","id":1,"METHOD":"tools/call"}',
    "kelvin": '{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}'.encode(),
    "name twice": b'{"id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
    "request and response": b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}',
    "id float": b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}',
    "id true": b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
    "id null": b'{"jsonrpc":"2.0","id":null,"method":"tools/call"}',
    "id list": b'{"jsonrpc":"2.0","id":[],"method":"ping"}',
    "method number": b'{"jsonrpc":"2.0","id":1,"method":5}',
    "method spaced": '{"jsonrpc":"2.0","id":1,"method":"ping\u00a0"}'.encode(),
    "nul": b"\x00\x00",
    "bom": b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_frame_is_answered_and_goes_nowhere(wire: Wire, name: str) -> None:
    wire.say(HOSTILE[name])
    told = wire.told()
    assert told["error"]["code"] in (-32600, -32700), told
    wire.say(call(99))
    assert json.loads(wire.reached() or b"{}")["id"] == 99, "the proxy did not live on"
    assert wire.gate.in_flight == 1


def test_a_frame_that_is_too_large_passes_by_in_pieces(wire: Wire) -> None:
    wire.say(b'{"jsonrpc":"2.0","id":1,"method":"ping","x":"' + b"x" * frames.LARGEST + b'"}')
    assert "too large" in wire.told(10)["error"]["message"]
    wire.say(call(2))
    assert json.loads(wire.reached() or b"{}")["id"] == 2


def test_one_id_is_in_flight_once(wire: Wire) -> None:
    wire.say(call(1))
    wire.reached()
    wire.say(call(1))
    assert "in flight" in wire.told()["error"]["message"]
    wire.say(call("1"))  # text is not a number
    assert wire.reached() is not None
    assert wire.gate.in_flight == 2


@pytest.mark.parametrize("mark", ["\r", "\x85", "\u2028", "\u2029"])
def test_no_second_line_can_be_smuggled_in_a_free_frame(wire: Wire, mark: str) -> None:
    """Readers that also break lines elsewhere would see a call where we saw a parameter."""
    stop(wire)
    if mark == "\r":
        text = '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":\r' + SMUGGLED + "\r}}"
    else:
        inner = json.dumps(SMUGGLED)[1:-1]
        text = '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + mark + inner + '"}}'
    wire.say(text.encode())
    reached = (wire.reached() or b"").decode()
    assert json.loads(reached)["method"] == "ping"
    assert len(reached.splitlines()) == 1


@given(line=st.binary(max_size=300))
@settings(max_examples=300)
def test_reading_raises_nothing_else(line: bytes) -> None:
    try:
        frame = frames.read(line)
    except frames.BadFrame:
        return
    assert frame.kind in ("request", "notification", "response")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
FRAME = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0"),
        "id": JSON,
        "method": st.sampled_from(["tools/call", "ping", "notifications/x", "x"]) | JSON,
        "params": JSON,
        "result": JSON,
        "error": JSON,
        "Method": JSON,
    },
)


@given(frame=FRAME)
@settings(max_examples=300)
def test_what_is_judged_is_what_is_sent_on(frame: dict[str, Any]) -> None:
    try:
        judged = frames.read(json.dumps(frame, ensure_ascii=False).encode(errors="replace"))
    except frames.BadFrame:
        return
    sent = json.loads(judged.raw)
    assert sent.get("method", "") == judged.method
    assert len(judged.raw.decode().splitlines()) == 1
    if judged.kind == "response":
        assert "method" not in sent
    assert sent.get("id") == judged.id or judged.kind == "notification"


def readings(line: bytes) -> list[Any]:
    """The methods that readers of several habits find in what reached the server."""
    text = line.decode(errors="replace")
    found = []
    for part in {text, *text.splitlines(), *text.split("\r")}:
        for habit in (dict, lambda pairs: dict(reversed(pairs)), _folded):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(part, object_pairs_hook=habit)
                for item in value if isinstance(value, list) else [value]:
                    found.append(item.get("method") if isinstance(item, dict) else None)
    return found


def _folded(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key.casefold(): value for key, value in pairs}


def test_fuzzed_frames_open_nothing() -> None:
    """Frames changed at random, all against a closed gate: whatever comes through is free."""
    wire = Wire(open_gate())
    stop(wire)
    random = Random(20260729)
    seeds = [*HOSTILE.values(), json.dumps(call(1)).encode(), SMUGGLED.encode()]
    seeds += [json.dumps({"jsonrpc": "2.0", "id": 1, "method": m}).encode() for m in frames.FREE]
    seeds = [seed for seed in seeds if len(seed) < 10_000]
    seeds += [b'{"id":1,"method":"ping","params":0}', b'{"id":1,"method":"ping","x":"0"}'] * 9
    bits = [b'"method"', b'"tools/call"', b'"id":7', b",", b"{", b"}", b"[", b"\r", b"\\u006d"]
    bits += [b'"Method":"tools/call",', b"\xe2\x80\xa8", b"\x85", b"\x00", b"null", b"1e999", b"\\"]
    bits += [b'"method":"tools/call",', b"\r" + SMUGGLED.encode() + b"\r"]
    bits += ["\u2028".encode() + json.dumps(SMUGGLED)[1:-1].encode() + "\u2028".encode()]
    reached = 0

    def drain(n: int) -> int:
        seen = 0
        while (line := wire.reached(10.0)) is not None:
            methods = readings(line)
            if (ident := json.loads(line).get("id")) is not None:
                wire.answer({"jsonrpc": "2.0", "id": ident, "result": {}})
            if ident == f"sentinel {n}":
                return seen
            seen += 1
            gated = [m for m in methods if isinstance(m, str) and m not in frames.FREE]
            assert not gated, line
        raise AssertionError("the proxy did not live on")

    def swallow() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(wire._client, 1 << 16):
                pass

    threading.Thread(target=swallow, daemon=True).start()
    for n in range(100):
        for _ in range(200):
            frame = bytearray(random.choice(seeds))
            for _ in range(random.randrange(1, 4)):
                at = random.randrange(len(frame) + 1)
                frame[at : at + random.randrange(3)] = random.choice(bits)
            wire.say(bytes(frame).replace(b"\n", b""))
        wire.say({"jsonrpc": "2.0", "id": f"sentinel {n}", "method": "ping"})
        reached += drain(n)
    assert reached > 100, "nothing came through, so nothing was tested"
    assert wire.gate.last == 0
    wire.close()


# The real thing: a client and a server of the official SDK, `freezetag guard --mcp` between them.

mcp = pytest.importorskip("mcp", reason="the official SDK is not installed: pip install mcp")


def acted(effects: Path) -> list[tuple[float, str]]:
    if not effects.exists():
        return []
    pairs = (line.split(" ", 1) for line in effects.read_text().splitlines())
    return [(float(at), what) for at, what in pairs]


@contextlib.asynccontextmanager
async def client_of(folder: Path, *options: str) -> AsyncIterator[Any]:
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    guard = ["-m", "freezetag", "guard", "--mcp", "--state", str(folder / "state"), *options]
    guard += ["--stop-file", str(folder / "STOP"), "--"]
    server = [sys.executable, SERVER, str(folder / "effects")]
    parameters = StdioServerParameters(command=sys.executable, args=[*guard, *server])
    with (folder / "said").open("w") as said:
        async with Client(stdio_client(parameters, errlog=said)) as client:
            yield client


def test_a_real_client_calls_a_real_server_until_stop(tmp_path: Path) -> None:
    import anyio
    from mcp.shared.exceptions import MCPError

    refused: list[int] = []

    async def main() -> None:
        async with client_of(tmp_path, "--drain", "300ms") as client:
            assert {tool.name for tool in (await client.list_tools()).tools} >= {"pay"}
            result = await client.call_tool("pay", {"amount": 3})
            assert result.content[0].text == "paid 3"
            assert (await client.read_resource("memo://x")).contents[0].text == "x"
            await client.get_prompt("ask", {"topic": "t"})
            (tmp_path / "STOP").touch()
            with anyio.fail_after(20):
                while True:
                    await anyio.sleep(0.02)
                    try:
                        await client.call_tool("pay", {"amount": 4})
                    except MCPError as error:
                        refused.append(error.code)
                        break
            for ask in (
                lambda: client.call_tool("pay", {"amount": 5}),
                lambda: client.read_resource("memo://y"),
                lambda: client.get_prompt("ask", {"topic": "u"}),
            ):
                with pytest.raises(MCPError) as told:
                    await ask()
                refused.append(told.value.code)

    anyio.run(main)
    assert refused == [-32050] * 4
    did = [what for _, what in acted(tmp_path / "effects")]
    assert did[:3] == ["pay 3", "read x", "prompt t"]
    assert set(did[3:]) <= {"pay 4"}
    said = (tmp_path / "said").read_text()
    assert "STOPPED   interlock:stop_file" in said, said
    with (tmp_path / "state" / "journal.jsonl").open("rb") as file:
        entries = list(read(file))
    begun = [entry for entry in entries if entry["kind"] == "begin"]
    assert begun[0]["action"] == "tools/call pay"
    assert len(begun[0]["detail"]["frame"]) == 64, "arguments are hashed"


@pytest.mark.parametrize("tool", ["obliging", "stubborn"])
def test_a_stop_in_flight(tmp_path: Path, tool: str) -> None:
    """Its caller is released at once; the server, which by the protocol need not answer, is killed
    after the drain."""
    import anyio
    from mcp.shared.exceptions import MCPError

    pressed = 0.0
    effects = tmp_path / "effects"

    async def main() -> None:
        nonlocal pressed
        guarded = client_of(tmp_path, "--on-stop", "hold", "--drain", "1500ms")
        async with guarded as client, anyio.create_task_group() as tasks:

            async def call_it() -> None:
                with pytest.raises(MCPError):
                    await client.call_tool(tool, {"seconds": 20})

            tasks.start_soon(call_it)
            with anyio.fail_after(20):
                while len(acted(effects)) < 3:
                    await anyio.sleep(0.01)
            pressed = time.time()
            (tmp_path / "STOP").touch()
            with anyio.fail_after(20):
                while "STOPPED" not in (tmp_path / "said").read_text():
                    await anyio.sleep(0.02)

    anyio.run(main)
    last = acted(effects)[-1][0]
    late = last - pressed
    if tool == "obliging":
        assert late < 1.0, f"the last effect came {late:.3f} s after the stop"
    else:
        assert 1.0 < late < 4.0, f"the last effect came {late:.3f} s after the stop"
    time.sleep(0.1)
    assert acted(effects)[-1][0] == last
