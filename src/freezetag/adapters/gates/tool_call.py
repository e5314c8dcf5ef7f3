"""One tool call of an agent framework, asked of a gate: what the adapters of all of them share.

A refused call never begins. What happens then is the same everywhere: a gate that is closed ends
the run (`Refused`), and a gate that goes on without this one call (`press capability:NAME`, an
allowance that is used up) has the model told in words. With `told` the model is told both times.

Caveat: tier 0. It binds calls that go through it. An awaited call that is cancelled at a stop is
reported `unknown`, as is any that was abandoned by what is no `Exception`, since what it had begun
may still take effect; a call that runs in a thread
cannot be cancelled, so the gate is `stopped` only once it has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar, final

from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused, ended, outcome_of

T = TypeVar("T")


@final
@dataclass(frozen=True)
class ToolCalls:
    """The calls of one agent's tools. `max_seconds` is how long each takes at most.

    Raises `UserError` without a gate.
    """

    gate: GateLike
    told: bool = False
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.gate, GateLike):
            raise UserError(
                f"{self.gate!r} is not a gate: it lacks begin and end. Give what `ft.connect` "
                "gives, or a freezetag.live.gate.gate.Gate."
            )

    def run(self, tool: str, call: str | None, body: Callable[[], T]) -> T:
        """A call that blocks: in flight until `body` returns. Raises `Refused`."""
        number = self._begin(tool, call, None)
        try:
            value = body()
        except BaseException as error:
            self.gate.end(number, ended(type(error)))
            raise
        self.gate.end(number, "done")
        return value

    async def wait(
        self,
        tool: str,
        call: str | None,
        body: Callable[[], Awaitable[T]],
        *,
        in_thread: bool = False,
    ) -> T:
        """A call that is awaited: in flight until `body` has ended, whoever still waits for it.

        A stop cancels it, unless it runs `in_thread`. Raises `Refused`, also for what was stopped
        while it ran.
        """
        loop, stopped = asyncio.get_running_loop(), False
        task: asyncio.Task[T] | None = None

        def cancel_now() -> None:
            nonlocal stopped
            if task is not None and not task.done():
                stopped = task.cancel()

        def cancel() -> None:
            loop.call_soon_threadsafe(cancel_now)

        number = self._begin(tool, call, None if in_thread else cancel)
        # A task of its own, so that its end is the action's end, whoever still waits for it.
        kind = _Uncancelled if in_thread else asyncio.Task
        task = kind(_awaited(body), loop=loop)
        task.add_done_callback(lambda done: self.gate.end(number, outcome_of(done)))
        given_up: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError as error:
                given_up = error
                task.cancel()
        if given_up is not None:
            raise given_up
        if stopped and task.cancelled():
            raise Refused(
                _action(tool), "stopped while it ran; what it began may still take effect"
            )
        return task.result()

    def words(self, refused: Refused) -> str:
        """What the model is told instead of a result. Raises `refused` where it ends the run."""
        if not (self.told or self.gate.is_open):
            raise refused
        return (
            f"{refused}. Do not try it again or do the same in another way: "
            "go on without it, or end here and say why."
        )

    def _begin(self, tool: str, call: str | None, cancel: Callable[[], None] | None) -> int:
        return self.gate.begin(_action(tool), self.max_seconds, cancel, {"call": call})


class _Uncancelled(asyncio.Task[T]):
    """A task that waits for a thread. Cancelled, it would end and the thread go on, so nobody can
    cancel it: a run that gives up the call, and a loop that closes, wait until the thread is done.
    """

    def cancel(self, msg: Any | None = None) -> bool:
        return False


def _action(tool: str) -> str:
    return f"tool {tool}"


async def _awaited(body: Callable[[], Awaitable[T]]) -> T:
    return await body()
