"""Threads that run arms: first those that somebody waits for, then those that will be asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

Work = Callable[[], Any]


@dataclass
class Hands:
    """`threads` threads. `ahead` yields what is worth doing while nothing is waited for: a name and
    the work. What is given by a name that is in `running` is not done twice.

    Safe to call from several threads. `close` waits for nothing: what runs must end by itself.
    """

    threads: int
    ahead: Iterator[tuple[object, Work]] = field(default_factory=lambda: iter(()))
    running: dict[object, Future[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._wanted: deque[tuple[object, Future[Any], Work]] = deque()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(self.threads)
        self._closed = False
        for _ in range(self.threads):
            self._pool.submit(self._serve)

    def submit(self, name: object, work: Work) -> Future[Any]:
        """Have the work done next, unless it is done or being done."""
        with self._lock:
            if name not in self.running:
                self.running[name] = Future()
                self._wanted.append((name, self.running[name], work))
                self._pool.submit(self._serve)
            return self.running[name]

    def forget(self, names: Iterable[object]) -> None:
        """What of this has not been done, whoever asks for it next has it done anew."""
        with self._lock:
            for name in names:
                if name in self.running and not self.running[name].done():
                    del self.running[name]

    def close(self) -> None:
        """Begin nothing more."""
        with self._lock:
            self._closed = True
            for _, future, _ in self._wanted:
                future.cancel()
            self._wanted.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _serve(self) -> None:
        """Do one thing after the other, as long as there is something to do."""
        while (task := self._next()) is not None:
            name, future, work = task
            try:
                future.set_result(work())
            except BaseException as failed:
                with self._lock:  # it fails again for whoever asks again
                    if self.running.get(name) is future:
                        del self.running[name]
                future.set_exception(failed)

    def _next(self) -> tuple[object, Future[Any], Work] | None:
        with self._lock:
            if self._closed:
                return None
            if self._wanted:
                return self._wanted.popleft()
            try:
                for name, work in self.ahead:
                    if name not in self.running:
                        future = self.running[name] = Future()
                        return name, future, work
            except Exception:  # whoever asks for what it would have been is told
                self.ahead = iter(())
            return None
