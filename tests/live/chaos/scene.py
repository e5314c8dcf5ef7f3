"""One run's stage: servers, gates, proxy and world as processes, and what people do to them.

Everything that the oracle has to know is noted with its time, as an upper or lower bound: a press
counts from its answer, a kill from when the process was reaped, a cut from after it was made.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from tests.live.chaos import parts, shared, toxin, world
from tests.live.chaos.shared import AGENTS, AUTHORITIES, LENGTH, Controls, now
from tests.live.worlds import PEOPLE, signed

from freezetag.core.errors import RunError, UserError
from freezetag.live.authority.home import Home, Settings
from freezetag.live.gate.address import Denied, Unreachable, request
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.remote_host import Line
from freezetag.live.signed.frames import bound
from freezetag.live.signed.keys import Person, Roster
from freezetag.live.signed.presses import Clearance

BOUND = bound(LENGTH)
GROUP = {"a": ["g"], "b": []}


@dataclass
class Pressing:
    """A press under way, and what its presser was told (`state` is "" without an answer)."""

    id: str
    scope: str
    sent: float
    socket: socket.socket | None = None
    answered: float = float("inf")
    state: str = ""

    def covers(self, agent: str) -> bool:
        if self.scope.startswith(("agent:", "group:")):
            return self.scope == f"agent:{agent}" or (self.scope == "group:g" and agent == "a")
        return True  # what cannot be read covers everyone


@dataclass
class Closed:
    """From `since` to `until` nothing may be admitted for `agent`."""

    agent: str
    since: float
    why: str
    until: float = float("inf")


@dataclass
class Notes:
    presses: list[Pressing] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    starts: list[tuple[str, float]] = field(default_factory=list)  # (agent, sent)
    restarts: list[float] = field(default_factory=list)
    rolled_back: bool = False
    stopped_gate: bool = False
    wall_jumped: bool = False


@final
class Scene:
    """`with Scene(folder, seed) as scene` ends every process of the run, come what may."""

    def __init__(
        self, folder: Path, seed: int, *, two: bool = False, slow: bool = False, forks: bool = False
    ) -> None:
        self.folder, self.dice, self.controls = folder, random.Random(seed), Controls()
        self.notes = Notes()
        self._slow, self._forks = slow, forks
        self.authorities = AUTHORITIES if two else AUTHORITIES[:1]
        self.homes = {name: folder / name for name in self.authorities}
        self.servers: dict[str, int] = {}
        self.gates: dict[str, int] = {}
        self.others: list[int] = []
        self.toxin = 0
        self._dead: dict[str, list[Closed]] = {}
        self._world = world.listen()
        self.effects_file = folder / "effects"
        self._enrolments: dict[str, list[Enrolment]] = {name: [] for name in AGENTS}
        self._lines: dict[str, list[Line]] = {name: [] for name in AGENTS}

    def __enter__(self) -> Scene:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        for pid in [*self.gates.values(), *self.servers.values(), *self.others]:
            _end(pid)
        self.gates, self.servers, self.others = {}, {}, []
        self._world.close()
        self.controls.close()

    def _build(self) -> None:
        self.others.append(self.fork("world", world.record, self._world, self.effects_file))
        for name, path in self.homes.items():
            people = [Person(who, PEOPLE[who][1]) for who in ("ann", "bob")]
            settings = Settings(name, port=0, press_port=0, gate_port=0, length=LENGTH)
            Home.create(path, settings, people, solo=False)
            self.start_server(name)
        links = [(agent, name) for agent in AGENTS for name in self.authorities]
        sockets = {link: socket.create_server(("127.0.0.1", 0)) for link in links}
        seed = self.dice.randrange(1 << 30)
        self.toxin = self.fork("toxin", toxin.run, sockets, self.homes, self.controls, seed)
        self.others.append(self.toxin)
        for (agent, name), made in sockets.items():
            told = self.ask(name, "POST", "/api/enrol", "admin", agent=agent, groups=GROUP[agent])
            self._enrolments[agent].append(
                Enrolment(
                    name,
                    base64.b64decode(told["key"]),
                    Roster.from_json(told["roster"]),
                    LENGTH,
                    base64.b64decode(told["public"]),
                )
            )
            address = f"http://127.0.0.1:{made.getsockname()[1]}"
            self._lines[agent].append(Line(name, (address,)))
            made.close()
            self.ask(name, "POST", "/api/start", "start", agent=agent)
        for agent in AGENTS:
            self.start_gate(agent)

    def fork(self, name: str, *work: Any) -> int:
        return shared.fork(self.folder / f"{name}.log", *work)

    # Processes.

    def start_server(self, name: str = "own") -> None:
        (self.homes[name] / "listening.json").unlink(missing_ok=True)
        started = now()
        self.notes.restarts.append(started)
        self.servers[name] = self.fork("server", parts.serve, self.homes[name], self.controls)
        for each in self._dead.pop(name, []):
            each.until = started
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(RunError, UserError, OSError, ValueError):
                return self._await_start(name)
            time.sleep(0.005)
        raise RuntimeError("the server does not come up")

    def _await_start(self, name: str) -> None:
        while "the ledger is not read yet" in self.status(name)["locked"]:
            time.sleep(0.005)

    def kill_server(self, name: str = "own") -> None:
        """kill -9; from now on no renewal is granted until it is started again."""
        _end(self.servers.pop(name))
        self.note_dead(name)

    def note_dead(self, name: str = "own") -> None:
        self._dead[name] = [self.closed(agent, now() + BOUND, f"{name} dead") for agent in AGENTS]

    def wait_for_death(self, name: str = "own", within: float = 2.0) -> bool:
        """Whether the server ended by itself, at a point of its own where it was told to."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if os.waitpid(self.servers[name], os.WNOHANG)[0]:
                del self.servers[name]
                self.note_dead(name)
                return True
            time.sleep(0.002)
        return False

    def start_gate(self, agent: str, folder: str = "") -> int:
        place = self.folder / folder if folder else self.folder
        place.mkdir(exist_ok=True)
        work = (self.controls, self._enrolments[agent], self._lines[agent])
        sink, seed = self._world.getsockname(), self.dice.randrange(1 << 30)
        rest = (sink, place, seed, self._slow, self._forks and agent == "a")
        pid = self.fork(f"gate-{agent}", parts.agent, agent, *work, *rest)
        if folder:
            self.others.append(pid)
        else:
            self.gates[agent] = pid
        return pid

    def kill_gate(self, agent: str) -> None:
        _end(self.gates.pop(agent))

    @contextlib.contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def links(self, bits: int, *, agents: tuple[str, ...] = AGENTS, name: str = "own") -> None:
        for agent in agents:
            self.controls.set_link(agent, name, bits)

    def closed(self, agent: str, since: float, why: str) -> Closed:
        made = Closed(agent, since, why)
        self.notes.closed.append(made)
        return made

    def heal(self) -> None:
        """All faults end; who died comes back."""
        self.controls.store, self.controls.wall = shared.FINE, 0.0
        for agent in AGENTS:
            self.controls.set_power(agent, 0.0)
            for name in AUTHORITIES:
                self.controls.set_link(agent, name, 0)
        for each in self.notes.closed:
            if each.why in ("cut", "meter"):
                each.until = min(each.until, now())
        for name in self.authorities:
            if name not in self.servers:
                self.start_server(name)
        for agent in AGENTS:
            if agent not in self.gates:
                self.start_gate(agent)

    # People.

    def ask(self, name: str, method: str, path: str, right: str, **body: Any) -> Any:
        home = self.homes[name]
        told = json.loads((home / "listening.json").read_bytes())["main"]
        token = (home / "tokens" / right).read_text().strip()
        return request(told[0], method, path, body or None, token=token, timeout=3)

    def status(self, name: str = "own") -> Any:
        return self.ask(name, "GET", "/api/status", "status")

    def press(self, scope: str = "fleet", name: str = "own", id: str = "") -> Pressing:
        """Sends a press; its answer is read by `answer`. With `id`, one that was sent before."""
        home = self.homes[name]
        fields = {
            "token": (home / "tokens" / "press").read_text().strip(),
            "scope": scope,
            "reason": "chaos",
            "id": id or f"{self.dice.getrandbits(128):032x}",
        }
        body = json.dumps(fields).encode()
        made = Pressing(fields["id"], scope, now())
        self.notes.presses.append(made)
        with contextlib.suppress(OSError):
            made.socket = socket.create_connection(self.press_address(name), 3)
            made.socket.sendall(
                b"POST /press HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
        return made

    def press_address(self, name: str = "own") -> tuple[str, int]:
        return self.address("press", name)

    def gate_address(self, name: str = "own") -> tuple[str, int]:
        return self.address("gates", name)

    def address(self, which: str, name: str = "own") -> tuple[str, int]:
        told = json.loads((self.homes[name] / "listening.json").read_bytes())[which]
        address = next(each for each in told if each.startswith("http"))
        host, _, port = address.removeprefix("http://").rpartition(":")
        return host, int(port)

    def must_answer(self, pressing: Pressing) -> None:
        """Whatever else goes on, a press is taken and told so."""
        if not self.answer(pressing):
            raise AssertionError(f"a press was not answered within 3 s of {pressing.sent:.3f}")

    def answer(self, pressing: Pressing, timeout: float = 3.0) -> str:
        if pressing.socket is None:
            return ""
        data = b""
        pressing.socket.settimeout(timeout)
        with pressing.socket, contextlib.suppress(OSError):
            while part := pressing.socket.recv(65536):
                data += part
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(data.partition(b"\r\n\r\n")[2])
            # A repeat on what stands is told under its own id, and counts for the first.
            pressing.answered, pressing.state = now(), told["state"]
        return pressing.state

    def draft(self, name: str = "own") -> Clearance | None:
        with contextlib.suppress(Denied):
            return Clearance(self.ask(name, "GET", "/api/draft?fresh", "status")["text"])
        return None

    def clear(self, drafted: Clearance, name: str = "own") -> bool:
        body = signed(drafted, "ann", "bob").to_json()
        return bool(self.ask(name, "POST", "/api/clear", "status", **body)["cleared"])

    def start(self, agent: str, name: str = "own", within: float = 0.0) -> bool:
        """Whether it was started; a refusal is retried for `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            sent = now()
            try:
                self.ask(name, "POST", "/api/start", "start", agent=agent)
            except (Denied, Unreachable):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)
            else:
                self.notes.starts.append((agent, sent))
                for each in self.notes.closed:
                    if each.agent == agent and each.why == "latched":
                        each.until = min(each.until, sent)
                return True

    def acting(self, agents: tuple[str, ...], since: float, within: float) -> bool:
        """Waits until each of `agents` had an effect that was asked for after `since`."""
        deadline, seen, read = time.monotonic() + within, set(), 0
        while time.monotonic() < deadline:
            found, read = world.effects_from(self.effects_file, read)
            seen |= {effect.agent for effect in found if effect.before > since}
            if seen >= set(agents):
                return True
            time.sleep(0.02)
        return False


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
