"""Gated Python code: refused when it must be, counted while it runs, cancelled when it can be."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


def test_under_another_event_loop_an_action_is_counted_and_not_cancelled() -> None:
    """As under trio: nothing of asyncio runs, and what is cancelled there has its own exception."""
    _, overseer, gate, wire = pair()

    class Cancelled(BaseException):
        pass

    class Pause:
        def __await__(self) -> Any:
            yield

    @gated(gate)
    async def wait() -> str:
        await Pause()
        return "done"

    whole, given_up = wait(), wait()
    for each in (whole, given_up):
        each.send(None)
    assert gate.in_flight == 2
    gate.press("enough")
    assert gate.phase == "stopping"
    with pytest.raises(StopIteration) as ended:
        whole.send(None)
    assert ended.value.value == "done"
    with pytest.raises(Cancelled):
        given_up.throw(Cancelled())
    assert gate.phase == "stopped"
    wire.turn()
    (unknown,) = overseer.shown("agent")[0].unknown
    assert unknown.startswith("2:")  # of the one that was given up
    with pytest.raises(Refused, match="enough"):
        wait().send(None)


@pytest.mark.parametrize("way", ["with", "call", "asyncio", "another loop"])
@pytest.mark.parametrize(
    ("error", "unknown"),
    [
        (GeneratorExit(), True),
        (KeyboardInterrupt(), True),
        (BaseExceptionGroup("", [KeyboardInterrupt()]), True),
        (ValueError(), False),
        (ExceptionGroup("", [ValueError()]), False),
    ],
    ids=repr,
)
def test_what_was_abandoned_is_unknown_and_what_failed_is_not(
    error: BaseException, unknown: bool, way: str
) -> None:
    _, overseer, gate, wire = pair()

    def work() -> None:
        gate.press("enough")
        raise error

    async def later() -> None:
        async with gate.action("work"):
            work()

    def run() -> None:
        if way == "with":
            with gate.action("work"):
                work()
        elif way == "call":
            gated(gate)(work)()
        elif way == "asyncio":
            asyncio.run(later())
        else:
            later().send(None)

    with pytest.raises(type(error)):
        run()
    assert gate.phase == "stopped"
    wire.turn()
    assert len(overseer.shown("agent")[0].unknown) == unknown


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


async def _later(gate: Any, seen: list[int]) -> str:
    await asyncio.sleep(0)
    seen.append(gate.in_flight)
    return "done"


def _wrapped(gate: Any, seen: list[int]) -> list[Any]:
    """Ways to write a function whose work goes on after the call."""

    class Tool:
        async def __call__(self) -> str:
            return await _later(gate, seen)

    @functools.wraps(_later)
    def wrapper() -> Any:
        return _later(gate, seen)

    return [
        wrapper,
        lambda: _later(gate, seen),
        Tool(),
        functools.partial(_later, gate, seen),
        lambda: asyncio.ensure_future(_later(gate, seen)),
        lambda: asyncio.get_running_loop().create_task(_later(gate, seen)),
    ]


@pytest.mark.parametrize("way", range(6))
def test_what_goes_on_after_the_call_is_in_flight(way: int) -> None:
    _, _, gate, _ = pair()
    seen: list[int] = []

    async def main() -> None:
        work = gated(gate, name="work")(_wrapped(gate, seen)[way])
        assert await work() == "done"
        assert (seen, gate.in_flight) == ([1], 0)
        pending = work() if way < 4 else None
        gate.press("enough")
        with pytest.raises(Refused):
            await (pending if pending is not None else work())
        assert seen == [1]
        assert gate.phase == "stopped"

    asyncio.run(main())


def test_a_stop_cancels_a_task_that_a_call_left_and_calls_it_unknown() -> None:
    _, _, gate, _ = pair()

    async def main() -> None:
        @gated(gate)
        def begin() -> asyncio.Task[None]:
            return asyncio.get_running_loop().create_task(asyncio.sleep(60))

        task = begin()
        assert gate.in_flight == 1
        gate.press("enough")
        assert gate.phase == "stopping", "it still runs"
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)

    asyncio.run(main())
    assert gate.phase == "stopped"
    assert gate._drain.unknown == [f"1:{'begin'}"] or "begin" in gate._drain.unknown[0]


def test_work_in_a_pool_is_in_flight_until_it_ends() -> None:
    _, _, gate, _ = pair()
    release = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        work = gated(gate, name="pool")(lambda: pool.submit(release.wait, 5))
        future = work()
        gate.press("enough")
        assert gate.phase == "stopping"
        release.set()
        assert future.result()
    assert gate.phase == "stopped"


def test_a_generator_that_a_call_gives_is_refused_before_its_body_runs() -> None:
    _, _, gate, _ = pair()
    ran: list[int] = []

    def steps() -> Iterator[int]:
        ran.append(1)
        yield 1

    with pytest.raises(UserError, match="gives a generator"):
        gated(gate)(lambda: steps())()
    assert (ran, gate.in_flight) == ([], 0)
