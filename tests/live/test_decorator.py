"""Gated Python code: refused when it must be, counted while it runs, cancelled when it can be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.live.worlds import pair

from freezetag.core import UserError
from freezetag.core.gate import Refused
from freezetag.live.gate.decorator import gated


def test_a_gated_function_is_an_action() -> None:
    _, _, gate, wire = pair()
    running: list[int] = []

    @gated(gate)
    def pay(amount: int, *, to: str) -> str:
        """Pays."""
        running.append(gate.in_flight)
        return f"{amount} to {to}"

    assert pay(3, to="x") == "3 to x"
    assert (running, gate.in_flight, gate.last) == ([1], 0, 1)
    assert (pay.__name__, pay.__doc__) == ("pay", "Pays.")
    gate.press("enough")
    with pytest.raises(Refused, match=r"pay.*enough"):
        pay(4, to="x")
    assert running == [1]
    wire.turn()


def test_an_error_in_the_function_ends_the_action() -> None:
    _, _, gate, _ = pair()

    @gated(gate, name="fails")
    def fails() -> None:
        raise KeyError("own")

    with pytest.raises(KeyError, match="own"):
        fails()
    assert gate.in_flight == 0
    gate.press("enough")
    assert gate.phase == "stopped"


def test_a_loop_asks_at_every_step() -> None:
    _, _, gate, _ = pair()
    for step in range(10):
        if step == 4:
            with pytest.raises(Refused):
                gate.check()
            return
        gate.check()
        if step == 3:
            gate.press("enough")


def test_async_work_is_cancelled_and_reported_as_unknown() -> None:
    _, overseer, gate, wire = pair()
    seen: list[Any] = []

    @gated(gate)
    async def wait() -> None:
        seen.append("begun")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("left")

    async def main() -> None:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        gate.press("enough")
        assert gate.phase == "stopping"
        with pytest.raises(Refused, match="stopped while it ran"):
            await task
        async with asyncio.timeout(1):  # the task's own cancellation is used up
            await asyncio.sleep(0)

    asyncio.run(main())
    assert seen == ["begun", "left"]
    assert gate.phase == "stopped"
    wire.turn()
    assert overseer.shown("agent")[0].unknown[0].startswith("1:")


def test_cancelling_is_not_stopping() -> None:
    """A task that is cancelled leaves its thread running; the gate waits for neither lie."""
    _, _, gate, _ = pair()
    release = threading.Event()

    @gated(gate)
    def in_a_thread() -> None:
        release.wait(5)

    async def main() -> None:
        work = asyncio.create_task(asyncio.to_thread(in_a_thread))
        while not gate.in_flight:
            await asyncio.sleep(0.001)
        gate.press("enough")
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert gate.phase == "stopping"  # the task is gone, the thread is not
        release.set()
        while gate.in_flight:
            await asyncio.sleep(0.001)
        assert gate.phase == "stopped"

    asyncio.run(main())


def test_someone_elses_cancellation_stays_one() -> None:
    _, _, gate, _ = pair()

    async def main() -> None:
        async def inner() -> None:
            async with gate.action("wait"):
                await asyncio.sleep(60)

        task = asyncio.create_task(inner())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert gate.in_flight == 0
    assert gate.phase == "open"


def test_a_stop_after_the_action_cancels_nothing_else() -> None:
    _, _, gate, _ = pair()

    async def main() -> str:
        async with gate.action("short"):
            threading.Thread(target=gate.press, args=("enough",)).run()
            # The cancellation is on its way to this loop, and the action ends first.
        await asyncio.sleep(0.01)
        return "went on"

    assert asyncio.run(main()) == "went on"


def test_actions_as_contexts() -> None:
    _, _, gate, _ = pair()
    with gate.action("pay") as action:
        assert (action.number, gate.in_flight) == (1, 1)
    assert gate.in_flight == 0
    gate.close()
    with pytest.raises(Refused, match="closed"), gate.action("pay"):
        raise AssertionError("not admitted, so never here")
    assert gate.phase == "stopped"
    assert not gate.reopen()


def test_a_generator_cannot_be_one_action() -> None:
    _, _, gate, _ = pair()

    def steps() -> Iterator[int]:
        yield 1

    with pytest.raises(UserError, match="generator"):
        gated(gate)(steps)
