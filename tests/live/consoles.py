"""A real server on loopback with real gates, for the tests of the console."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.worlds import PEOPLE

from freezetag.core import Panel
from freezetag.live.client import GateHost, Line
from freezetag.live.clock import boot_clock
from freezetag.live.enrolment import Enrolment
from freezetag.live.gate import Gate
from freezetag.live.keys import Person
from freezetag.live.server.home import Home, Settings
from freezetag.live.server.run import Server

LENGTH = 1.0


@dataclass
class Place:
    """A running server, its gates, and the texts of its tokens."""

    server: Server
    home: Home
    hosts: dict[str, GateHost] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.server.addresses["main"]

    def token(self, right: str) -> str:
        return (self.home.path / "tokens" / right).read_text("utf-8").strip()

    def enrol(self, agent: str, groups: Sequence[str] = ()) -> None:
        service = self.server.service
        records = service.authority.enrol(agent, groups, "rest_is_safe", {}, (), "")
        self.store(records)

    def store(self, records: list[tuple[str, dict]]) -> None:  # type: ignore[type-arg]
        service = self.server.service
        with service.lock:
            done = service._submit(records)
        for each in done:
            each.result(5)

    def start(self, agent: str, who: str = "ann") -> None:
        self.store(self.server.service.authority.start(agent, who))

    def gate(self, agent: str) -> Gate:
        """A live gate of `agent`, pumped by its host."""
        home, service = self.home, self.server.service
        enrolment = Enrolment(
            home.settings.name, service.authority.key_for(agent), home.roster, LENGTH, home.public
        )
        host: GateHost
        gate = Gate(
            Panel(),
            clock=boot_clock(),
            enrolments=[enrolment],
            name=agent,
            poke=lambda: host.poke(),
        )
        line = Line(home.settings.name, (self.server.addresses["gates"],))
        host = GateHost(gate, [line], length=LENGTH)
        self.hosts[agent] = host.start()
        return gate

    def shown(self, agent: str) -> str:
        with self.server.service.lock:
            return str(self.server.service.authority.shown(agent)[-1].shown)

    def close(self) -> None:
        for host in self.hosts.values():
            host.close(0.2)
        self.server.close()


@contextmanager
def place(folder: Path, solo: bool = False) -> Iterator[Place]:
    settings = Settings("school", port=0, press_port=0, gate_port=0, length=LENGTH)
    people = [Person(name, PEOPLE[name][1]) for name in ("ann", "bob")]
    home = Home.create(folder, settings, people, solo)
    made = Place(Server(home).start(), home)
    try:
        yield made
    finally:
        made.close()


def until(true: Callable[[], object], within: float = 5.0) -> None:
    """Waits for something that comes by itself; fails if it does not."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
