"""What the adapters of agent frameworks share, without any of them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.live.worlds import pair

from freezetag.adapters.gates.agents_sdk import gated_tools
from freezetag.adapters.gates.langchain import gate_middleware
from freezetag.adapters.gates.pydantic_ai import gate_capability, gated_toolset
from freezetag.adapters.gates.tool_call import ToolCalls
from freezetag.core import UserError
from freezetag.core.gate import Refused
from freezetag.core.journal import Journal, read


def outcomes(lines: list[bytes]) -> list[str]:
    return [entry["outcome"] for entry in read(lines) if entry["kind"] == "end"]


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_blocking_call_is_one_action() -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append))
    calls = ToolCalls(gate)
    assert calls.run("pay", "c1", lambda: gate.in_flight) == 1
    with pytest.raises(KeyError, match="own"):
        calls.run("pay", "c2", lambda: {}["own"])
    gate.press("enough")
    with pytest.raises(Refused, match=r"'tool pay' is refused: stopped by local: enough"):
        calls.run("pay", "c3", lambda: pytest.fail("it ran"))
    assert outcomes(lines) == ["done", "failed"]
    assert gate.phase == "stopped"


def test_an_awaited_call_is_one_action() -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append))
    calls = ToolCalls(gate)

    async def works() -> int:
        await asyncio.sleep(0)
        return gate.in_flight

    async def fails() -> None:
        raise KeyError("own")

    async def main() -> None:
        assert await calls.wait("pay", "c1", works) == 1
        with pytest.raises(KeyError, match="own"):
            await calls.wait("pay", "c2", fails)
        gate.press("enough")
        with pytest.raises(Refused):
            await calls.wait("pay", "c3", works)

    asyncio.run(main())
    assert outcomes(lines) == ["done", "failed"]


def test_a_stop_cancels_an_awaited_call_and_nothing_else() -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append))
    calls = ToolCalls(gate)

    async def main() -> None:
        async def body() -> None:
            threading.Thread(target=gate.press, args=("enough",)).start()
            await asyncio.sleep(60)

        with pytest.raises(Refused, match="stopped while it ran"):
            await calls.wait("pay", None, body)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        async with asyncio.timeout(1):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert outcomes(lines) == ["unknown"]
    assert gate.phase == "stopped"


def test_a_call_that_cleans_up_after_the_stop_holds_it() -> None:
    _, _, gate, _ = pair()
    calls = ToolCalls(gate)
    phases: list[str] = []

    async def main() -> None:
        async def body() -> str:
            gate.press("enough")
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(0.01)
            phases.append(gate.phase)
            return "put away"

        assert await calls.wait("pay", None, body) == "put away"

    asyncio.run(main())
    assert phases == ["stopping"]
    assert gate.phase == "stopped"


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_call_is_in_flight_until_it_ends_whoever_waits(in_thread: bool) -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append))
    calls = ToolCalls(gate)
    release = threading.Event()

    async def main() -> None:
        async def body() -> str:
            if in_thread:
                await asyncio.to_thread(release.wait, 5)
            else:
                await asyncio.sleep(60)
            return "paid"

        task = asyncio.create_task(calls.wait("pay", None, body, in_thread=in_thread))
        await until(lambda: gate.in_flight)
        task.cancel()
        await asyncio.sleep(0.01)
        assert task.done() is not in_thread
        gate.press("enough")
        assert gate.phase == ("stopping" if in_thread else "stopped")
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())
    assert outcomes(lines) == ["done" if in_thread else "unknown"]
    assert gate.phase == "stopped"


@pytest.mark.parametrize("way", ["blocking", "awaited"])
@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (GeneratorExit(), True),
        (KeyboardInterrupt(), True),
        (SystemExit(1), True),
        (asyncio.CancelledError(), True),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), True),
        (ValueError(), False),
        (ExceptionGroup("", [ValueError()]), False),
    ],
    ids=repr,
)
def test_a_call_that_was_abandoned_is_unknown_and_one_that_failed_is_not(
    error: BaseException, unknown: bool, way: str
) -> None:
    lines: list[bytes] = []
    _, _, gate, _ = pair(journal=Journal(lines.append))
    calls = ToolCalls(gate)

    def works() -> None:
        raise error

    async def later() -> None:
        raise error

    def run() -> None:
        if way == "blocking":
            calls.run("pay", None, works)
        else:
            asyncio.run(calls.wait("pay", None, later))

    with pytest.raises(type(error)):
        run()
    assert outcomes(lines) == ["unknown" if unknown else "failed"]
    assert gate.in_flight == 0


def test_words_are_for_a_gate_that_goes_on_and_for_who_asks_for_them() -> None:
    _, _, gate, _ = pair()
    refused = Refused("tool pay", "capability:pay is barred")
    assert "'tool pay' is refused: capability:pay is barred. Do" in ToolCalls(gate).words(refused)
    gate.press("enough")
    with pytest.raises(Refused) as raised:
        ToolCalls(gate).words(refused)
    assert raised.value is refused
    assert "go on without it" in ToolCalls(gate, told=True).words(refused)


def test_a_strict_gate_asks_how_long_a_call_takes() -> None:
    _, _, gate, _ = pair(strict=True)
    with pytest.raises(Refused):
        ToolCalls(gate).run("pay", None, lambda: None)
    assert ToolCalls(gate, max_seconds=1.0).run("pay", None, lambda: "paid") == "paid"


MADE: dict[str, tuple[Callable[[Any], Any], str]] = {
    "agents": (lambda gate: gated_tools(gate, []), "agents-sdk"),
    "langchain.agents.middleware": (gate_middleware, "langchain"),
    "pydantic_ai.capabilities": (gate_capability, "pydantic-ai"),
    "pydantic_ai.toolsets": (lambda gate: gated_toolset(gate, None), "pydantic-ai"),
}


@pytest.mark.parametrize("module", MADE)
def test_without_the_library_it_says_what_to_install(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    make, extra = MADE[module]
    with pytest.raises(UserError, match=rf"freezetag\[{extra}\]"):
        make(pair()[2])


@pytest.mark.parametrize("module", MADE)
def test_without_a_gate_it_says_what_to_give(module: str) -> None:
    with pytest.raises(UserError, match="'no gate' is not a gate"):
        MADE[module][0]("no gate")
