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
from freezetag.core.gate import GateLike, Refused, ended, outcome_of

F = TypeVar("F", bound=Callable[..., Any])


@final
class Action:
    """One action as a context: admitted on entry (or `Refused`), counted until exit.

    `with` and `async with`; in the second form a stop cancels the task. An action that was
    cancelled or abandoned, by whatever is no `Exception`, is reported `unknown`: what it had begun
    may still take effect. Under another event loop than asyncio's (trio) a stop cancels nothing:
    it waits for the action's end.
    """

    def __init__(self, gate: GateLike, name: str, max_seconds: float | None = None) -> None:
        self._gate, self._name, self._max_seconds = gate, name, max_seconds
        self.number = 0
        self._stopped = self._over = False
        self._task: Any = None

    def __enter__(self) -> Action:
        self.number = self._gate.begin(self._name, self._max_seconds)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._gate.end(self.number, ended(kind))

    async def __aenter__(self) -> Action:
        import asyncio

        try:
            loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        except RuntimeError:  # another loop's
            self.number = self._gate.begin(self._name, self._max_seconds)
            return self

        def cancel_now() -> None:
            if not self._over and self._task is not None:
                self._stopped = True
                self._task.cancel()

        def cancel() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(cancel_now)

        self.number = self._gate.begin(self._name, self._max_seconds, cancel)
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        import asyncio

        self._over = True
        self._gate.end(self.number, ended(kind))
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        if cancelled and self._stopped and not self._task.uncancel():
            raise Refused(self._name, "stopped while it ran") from error


def gated(
    gate: GateLike, *, name: str | None = None, max_seconds: float | None = None
) -> Callable[[F], F]:
    """Every call of the function is an action of `gate`; a refused call raises `Refused`.

    A call that gives a future (a task, work in a pool) lasts until that is done. One that gives
    another awaitable is admitted again when that is awaited, and lasts until its end. Raises
    `UserError` for a generator, whose body would run after the action has ended.
    """

    def wrap(function: F) -> F:
        called = name or str(getattr(function, "__qualname__", type(function).__name__))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise UserError(
                f"{called} is a generator: its body runs after the call. "
                "Use `with gate.action(...)` around each step instead."
            )
        if _is_async(function):

            @functools.wraps(function)
            async def gated_async(*args: Any, **kwargs: Any) -> Any:
                async with Action(gate, called, max_seconds):
                    return await function(*args, **kwargs)

            return cast("F", gated_async)

        @functools.wraps(function)
        def gated_sync(*args: Any, **kwargs: Any) -> Any:
            return _run(gate, called, max_seconds, function, args, kwargs)

        return cast("F", gated_sync)

    return wrap


def _is_async(function: Any) -> bool:
    if inspect.isroutine(function) or isinstance(function, (type, functools.partial)):
        return inspect.iscoroutinefunction(function)
    return inspect.iscoroutinefunction(function.__call__)  # an object that is called


def _run(
    gate: GateLike,
    name: str,
    max_seconds: float | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """The call as an action, which lasts as long as what it gave back goes on working."""
    later = _Later()
    number = gate.begin(name, max_seconds, later.cancel)
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        gate.end(number, ended(type(error)))
        raise
    if hasattr(value, "add_done_callback"):  # of asyncio or of a pool: it works already
        later.has(value)
        value.add_done_callback(lambda future: gate.end(number, outcome_of(future)))
        return value
    gate.end(number, "done")
    if inspect.isgenerator(value) or inspect.isasyncgen(value):
        raise UserError(
            f"{name} gives a generator: its body runs after the call. "
            "Use `with gate.action(...)` around each step instead."
        )
    if inspect.isawaitable(value):  # nothing of it has run yet
        return _awaited(gate, name, max_seconds, value)
    return value


async def _awaited(gate: GateLike, name: str, max_seconds: float | None, value: Any) -> Any:
    try:
        async with Action(gate, name, max_seconds):
            return await value
    finally:
        if inspect.iscoroutine(value):
            value.close()  # a refused one is never awaited


class _Later:
    """What a call left working, for a stop to cancel."""

    def __init__(self) -> None:
        self.future: Any = None
        self._wanted = False

    def has(self, future: Any) -> None:
        self.future = future
        if self._wanted:  # stopped while the call was on
            self.cancel()

    def cancel(self) -> None:
        """Raises where there is nothing to cancel, so that the host is asked."""
        self._wanted = True
        if self.future is None:
            raise LookupError
        loop = getattr(self.future, "get_loop", None)
        if loop is None:
            self.future.cancel()
        else:
            loop().call_soon_threadsafe(self.future.cancel)
