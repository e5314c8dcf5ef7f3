"""Questions to a model, whoever answers: each is asked once, tried again, and on the books."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from freezetag.adapters.language.ledger import Answer, Ledger, Unanswered
from freezetag.sim.foreign import Outside

TRIES = 5
PATIENCE = 60.0
"""Seconds that a server may ask us to wait before the next try."""
IN_A_ROW = 3
"""After so many questions that came to nothing, one after the other, nothing more is asked."""

Once = Callable[[], Awaitable[Answer]]
"""One try. Raises `Refused`, `TimeoutError`, or `Outside` where nothing more can be asked."""


class Refused(Exception):
    """A try came to nothing. `wait` is what the server asks for in seconds; `known` says whether
    it certainly made nothing, `again` whether another try may bring more, `gone` that nobody is
    there at all."""

    def __init__(
        self,
        why: str,
        wait: float | None = None,
        *,
        known: bool = True,
        again: bool = True,
        gone: bool = False,
    ) -> None:
        super().__init__(why)
        self.wait, self.known, self.again, self.gone = wait, known, again, gone


class Limits(Protocol):
    """Of what an access says: seconds for one answer; questions on their way at a time; seconds
    before the second try, doubled before each further one where the server names none."""

    @property
    def seconds(self) -> float: ...
    @property
    def at_once(self) -> int: ...
    @property
    def pause(self) -> float: ...


class Asker:
    """One model, in one event loop. Answers are looked up in the ledger first. `place` is who is
    asked, for people; `url` what the ledger knows the answers by."""

    def __init__(self, limits: Limits, ledger: Ledger, place: str, url: str) -> None:
        self.ledger, self.place, self.url = ledger, place, url
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.at_once)
        self._asking: dict[str, asyncio.Future[Answer]] = {}
        self._failed = 0
        self._dead = ""

    async def asked(
        self, key: str, most: tuple[int, int], once: Once, ready: Callable[[], object]
    ) -> Answer:
        """The answer to the question `key`, by `once` where it is not known; `most` tokens it may
        take in and out. `ready` makes what the tries need, before the clock of the first one
        begins: whoever answers is not to be charged with it.

        Raises `Unanswered`, or `Outside` where nothing more can be asked.
        """
        if (known := self.ledger.known(key)) is not None:
            return known
        if key in self._asking:  # the same question is on its way
            return await asyncio.shield(self._asking[key])
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asking[key] = future
        try:
            async with self._slots:
                ready()
                answer = await self._tries(key, most, once)
        except BaseException as error:
            future.set_exception(error)
            future.exception()  # others may wait for it, or nobody
            raise
        else:
            future.set_result(answer)
            return answer
        finally:
            del self._asking[key]

    async def _tries(self, key: str, most: tuple[int, int], once: Once) -> Answer:
        limits = self._limits
        number, why, gone = 0, "", False
        for number in range(1, TRIES + 1):
            if self._dead:
                raise Outside(self._dead)
            call, begun = self.ledger.begin(key, most), time.monotonic()
            again, pause = True, 0.0
            try:
                async with asyncio.timeout(limits.seconds):
                    answer = await once()
            except Refused as refused:
                why, again, gone = str(refused), refused.again, refused.gone
                end = self.ledger.refused if refused.known else self.ledger.lost
                end(call, time.monotonic() - begun)
                grown = limits.pause * 2 ** (number - 1) * (0.75 + random.random() / 2)
                pause = grown if refused.wait is None else min(refused.wait, PATIENCE)
            except TimeoutError:
                why, gone = f"no answer within {limits.seconds:g} s", False
                self.ledger.lost(call, time.monotonic() - begun)
            except Outside as error:
                self._dead = str(error)
                self.ledger.refused(call, time.monotonic() - begun)
                raise
            else:
                took = time.monotonic() - begun
                self.ledger.answered(call, key, answer, took, most, self.url)
                self._failed = 0
                return answer
            if not again:
                break
            if number < TRIES:
                await asyncio.sleep(pause)
        self._failed += 1
        if self._failed >= IN_A_ROW or gone:
            self._dead = f"{self.place}: {why} ({number} {'try' if number == 1 else 'tries'})"
            raise Outside(self._dead)
        raise Unanswered(why)
