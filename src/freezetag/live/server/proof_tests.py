"""Drills: a press of somebody who runs, timed until its stop is acknowledged and durable."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, final

from freezetag.core.errors import RunError, UserError
from freezetag.live.authority.states import Shown
from freezetag.live.authority.store import StoreError
from freezetag.live.signed.names import missing

if TYPE_CHECKING:
    from freezetag.live.server.service import Service


@final
class ProofTests:
    """Of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def running(self) -> list[str]:
        """The agents that run, so that a drill of them would prove something."""
        with self._service.lock:
            authority = self._service.authority
            agents = authority.facts.agents
            return [
                name
                for name in agents
                if any(row.shown == Shown.RUNNING for row in authority.shown(name))
            ]

    def next(self, agents: Iterable[str]) -> str:
        """Who of `agents` runs and was drilled longest ago. Raises `UserError` if none runs."""
        with self._service.lock:
            if running := sorted({*agents}.intersection(self.running())):
                return self._service.authority.drills.longest_ago(running)
        raise UserError("no agent runs, so a drill would prove nothing. Start one.")

    async def drill(self, agent: str, who: str, within: float) -> tuple[str, float | None]:
        """Presses for a drill: its id, and seconds until the stop was acknowledged and durable."""
        service = self._service
        with service.lock:
            if agent not in service.authority.facts.agents:
                raise UserError(missing(agent, list(service.authority.facts.agents)))
            if agent not in self.running():
                raise UserError(f"{agent} does not run, so a drill would prove nothing. Start it.")
        loop, acked = asyncio.get_running_loop(), asyncio.Event()

        def heard() -> None:
            loop.call_soon_threadsafe(acked.set)

        id = secrets.token_hex(16)
        service.acks[id] = heard
        begun = time.monotonic()
        try:
            pressed = service.press(f"agent:{agent}", who, "drill", id=id, kind="drill")
            await service.answer(pressed)
            await asyncio.wait_for(acked.wait(), within)
        except TimeoutError:
            await self._failed(agent, pressed.id, within)
            return pressed.id, None
        finally:
            del service.acks[id]
        took = time.monotonic() - begun
        told = {"agent": agent, "ms": round(took * 1000), "press": pressed.id}
        await service.commit(lambda: [("drill", told)])
        return pressed.id, took

    async def _failed(self, agent: str, press: str, within: float) -> None:
        """Records it. A ledger that does not answer is told of elsewhere, and is given the record
        as soon as it does; whoever drilled hears that the drill failed."""
        service = self._service

        def decide() -> list[tuple[str, dict[str, Any]]]:
            count = service.authority.drills.failures(agent) + 1
            told = {"agent": agent, "count": count, "press": press, "within": round(within * 1000)}
            return [("drill_failed", told)]

        with contextlib.suppress(StoreError, RunError):
            await service.commit(decide)
