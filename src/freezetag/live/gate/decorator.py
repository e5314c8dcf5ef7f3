"""Gating Python code: `@gated(gate)`, `async with gate.action(name)`, `gate.check()`.

Caveat: tier 0. It binds the code that uses it and nothing that goes round it. A synchronous
function cannot be interrupted; cancelling an awaited one does not stop a thread it started, so the
gate is `stopped` only when the function has ended.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast, final

from freezetag.core.errors import UserError
from freezetag.core.gate import GateLike, Refused

F = TypeVar("F", bound=Callable[..., Any])


@final
class Action:
    """One action as a context: admitted on entry (or `Refused`), counted until exit.

    `with` and `async with`; in the second form a stop cancels the task. An action that was
    cancelled is reported `unknown`: what it had begun may still take effect.
    """

    def __init__(self, gate: GateLike, name: str, max_seconds: float | None = None) -> None:
        self._gate, self._name, self._max_seconds = gate, name, max_seconds
        self.number = 0
        self._stopped = self._over = False

    def __enter__(self) -> Action:
        self.number = self._gate.begin(self._name, self._max_seconds)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._gate.end(self.number, "done" if kind is None else "failed")

    async def __aenter__(self) -> Action:
        import asyncio

        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def cancel_now() -> None:
            if not self._over and task is not None:
                self._stopped = True
                task.cancel()

        def cancel() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(cancel_now)

        self.number = self._gate.begin(self._name, self._max_seconds, cancel)
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        import asyncio

        self._over = True
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        outcome = "unknown" if cancelled else "done" if kind is None else "failed"
        self._gate.end(self.number, outcome)
        task = asyncio.current_task()
        if cancelled and self._stopped and task is not None and not task.uncancel():
            raise Refused(self._name, "stopped while it ran") from error


def gated(
    gate: GateLike, *, name: str | None = None, max_seconds: float | None = None
) -> Callable[[F], F]:
    """Every call of the function is an action of `gate`; a refused call raises `Refused`.

    Raises `UserError` for a generator, whose body would run after the action has ended.
    """

    def wrap(function: F) -> F:
        called = name or str(getattr(function, "__qualname__", type(function).__name__))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UserError(
                f"{called} is a generator: its body runs after the call. "
                "Use `with gate.action(...)` around each step instead."
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def gated_async(*args: Any, **kwargs: Any) -> Any:
                async with Action(gate, called, max_seconds):
                    return await function(*args, **kwargs)

            return cast("F", gated_async)

        @functools.wraps(function)
        def gated_sync(*args: Any, **kwargs: Any) -> Any:
            with Action(gate, called, max_seconds):
                return function(*args, **kwargs)

        return cast("F", gated_sync)

    return wrap
