"""A real server on loopback, its people, and gates that reach it over the wire."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from freezetag.core import Panel
from freezetag.live.authority.home import Home, Settings
from freezetag.live.authority.sqlite_store import Connect, connected
from freezetag.live.gate.clock import boot_clock, wall_clock
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.gate import Gate
from freezetag.live.gate.latch import Latch, MemoryLatch
from freezetag.live.gate.remote_host import GateHost, Line
from freezetag.live.remote.operator import Remote, local
from freezetag.live.server.server import Server
from freezetag.live.signed.keys import Person, generate
from freezetag.live.signed.presses import Clearance

ADA, BOB, EVE = generate(), generate(), generate()
PEOPLE = (Person("ada", ADA[1]), Person("bob", BOB[1]))
LENGTH = 0.9


def home(folder: Path, *, name: str = "lab", length: float = LENGTH) -> Home:
    settings = Settings(name, port=0, press_port=0, gate_port=0, length=length)
    return Home.create(folder, settings, PEOPLE, solo=False)


@contextlib.contextmanager
def serving(made: Home, connect: Connect = connected) -> Iterator[Remote]:
    """The server of a folder, as the people of this host reach it."""
    with Server(made, connect=connect):
        yield local(made.path)


def enrolled(remote: Remote, folder: Path, agent: str = "writer", **body: Any) -> Path:
    """The file of an agent that is enrolled now."""
    file = folder / f"{agent}.enrolment"
    file.write_text(json.dumps(remote.post("/api/enrol", {"agent": agent, **body}, "admin")))
    return file


@contextlib.contextmanager
def gated(*files: Path, latch: Latch | None = None, name: str = "writer") -> Iterator[Gate]:
    """A gate with its host, by the enrolment files of its authorities."""
    enrolments = [Enrolment.load(file) for file in files]
    length = min(each.length for each in enrolments)
    gate = Gate(
        Panel(),
        clock=boot_clock(),
        wall=wall_clock(),
        max_jump=5.0,
        enrolments=enrolments,
        name=name,
        latch=latch or MemoryLatch(),
        poke=lambda: host.poke(),
    )
    host = GateHost(gate, [Line.load(file) for file in files], length=length)
    host.start()
    try:
        yield gate
    finally:
        host.close(2)


def started(remote: Remote, agent: str = "writer") -> None:
    remote.post("/api/start", {"agent": agent, "who": "ada"}, "start")


def until(condition: Callable[[], Any], seconds: float = 8.0) -> Any:
    """What the condition gives once it is true; fails if it does not become so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError("it did not become true")


def signed(text: str, *keys: tuple[bytes, bytes]) -> dict[str, Any]:
    clearance = Clearance(text)
    for private, public in keys:
        clearance = clearance.signed(private, public)
    return clearance.to_json()


def agent(remote: Remote, name: str = "writer") -> dict[str, Any]:
    (found,) = [each for each in remote.get("/api/status")["agents"] if each["agent"] == name]
    return found
