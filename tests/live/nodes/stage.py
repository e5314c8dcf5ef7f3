"""One run's stage: two nodes of one authority, two gates, a world that logs effects, two databases.

A gate reaches both nodes, in an order of its own; each node reaches the database over a link that
can be cut, held and delayed. Everything that the judge has to know is noted with its time.
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
from pathlib import Path
from typing import Any, final

from tests.live.chaos import parts, shared, world
from tests.live.chaos.scene import Pressing
from tests.live.chaos.shared import AGENTS, LENGTH, Controls, now
from tests.live.nodes import link
from tests.live.nodes.cluster import BOTH, Cluster, free_port
from tests.live.nodes.link import NODES, Switches
from tests.live.worlds import PEOPLE, signed

from freezetag.core.errors import RunError, UserError
from freezetag.live.authority.home import Home, Settings
from freezetag.live.gate.address import Denied, Unreachable, request
from freezetag.live.gate.enrolment import Enrolment
from freezetag.live.gate.remote_host import Line
from freezetag.live.server.server import Server
from freezetag.live.signed.frames import bound
from freezetag.live.signed.keys import Person, Roster
from freezetag.live.signed.presses import Clearance

LEASE = 0.5
"""R in these runs, in seconds; L is `LENGTH`."""
BOUND = bound(LENGTH + LEASE)
NAME = "own"
ORDER = {"a": ("a", "b"), "b": ("b", "a")}
"""Which node each gate tries first."""


@final
class Stage:
    """`with Stage(cluster, folder, seed) as stage` ends every process of the run, come what may."""

    def __init__(self, cluster: Cluster, folder: Path, seed: int, skews: dict[str, float]) -> None:
        self.cluster, self.folder, self.dice = cluster, folder, random.Random(seed)
        self.controls, self.switches = Controls(), Switches()
        self.homes = {node: folder / node for node in NODES}
        self.presses: list[Pressing] = []
        self.taken: dict[str, str] = {}  # press id -> the node that took it
        self.starts: list[tuple[str, float]] = []
        self.servers: dict[str, int] = {}
        self.gates: dict[str, int] = {}
        self.primary = "one"
        self.killed: list[str] = []  # nodes that lost what they had in memory
        self.effects_file = folder / "effects"
        self._skews, self._others = skews, list[int]()
        self._world = world.listen()

    def __enter__(self) -> Stage:
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        for pid in [*self.gates.values(), *self.servers.values(), *self._others]:
            _end(pid)
        self.gates, self.servers, self._others = {}, {}, []
        self._world.close()

    def _build(self) -> None:
        self._others.append(self._fork("world", world.record, self._world, self.effects_file))
        self.cluster.sql("one", "DROP SCHEMA IF EXISTS freezetag CASCADE")
        sockets = {node: socket.create_server(("127.0.0.1", 0)) for node in NODES}
        for node in NODES:
            self.switches.lead(node, self.cluster.ports["one"])
        seed = self.dice.randrange(1 << 30)
        self._others.append(self._fork("link", link.run, sockets, self.switches, LEASE, seed))
        people = [Person(who, PEOPLE[who][1]) for who in ("ann", "bob")]
        first: Home | None = None
        for node, made in sockets.items():
            store = self.cluster.url(made.getsockname()[1])
            ports = {"port": free_port(), "press_port": free_port(), "gate_port": free_port()}
            settings = Settings(
                NAME, length=LENGTH, store=store, node=node, node_lease=LEASE, **ports
            )
            if first is None:
                first = Home.create(self.homes[node], settings, people, solo=False)
            else:
                Home.join(self.homes[node], first, settings)
            made.close()
            self.start_node(node)
        places = {node: Home.open(self.homes[node]).settings.gate_port for node in NODES}
        for agent in AGENTS:
            told = self.ask("a", "POST", "/api/enrol", "admin", agent=agent)
            enrolment = Enrolment(
                NAME,
                base64.b64decode(told["key"]),
                Roster.from_json(told["roster"]),
                LENGTH,
                base64.b64decode(told["public"]),
            )
            addresses = tuple(f"http://127.0.0.1:{places[node]}" for node in ORDER[agent])
            self.ask("a", "POST", "/api/start", "start", agent=agent)
            log, seed = self.folder / f"gate-{agent}.log", self.dice.randrange(1 << 30)
            work = (agent, self.controls, [enrolment], [Line(NAME, addresses)])
            rest = (self._world.getsockname(), self.folder, seed, False, False)
            self.gates[agent] = shared.fork(log, parts.agent, *work, *rest)

    def _fork(self, name: str, *work: Any) -> int:
        return shared.fork(self.folder / f"{name}.log", *work)

    # Processes.

    def start_node(self, node: str, wait: bool = True) -> None:
        (self.homes[node] / "listening.json").unlink(missing_ok=True)
        self.servers[node] = self._fork(
            f"node-{node}", serve, self.homes[node], self._skews.get(node, 0.0)
        )
        if wait:
            self.until(lambda: not self.status(node)["locked"], 15.0, f"{node} does not come up")

    def kill_node(self, node: str) -> None:
        _end(self.servers.pop(node))
        self.killed.append(node)

    @contextlib.contextmanager
    def stopped(self, pid: int) -> Iterator[None]:
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def until(self, condition: Any, seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with contextlib.suppress(RunError, UserError, OSError, ValueError):
                if condition():
                    return
            time.sleep(0.01)
        raise RuntimeError(what)

    def fail_over(self, old_lives: bool) -> None:
        """The standby is promoted, and the nodes are led there; the old primary may live on."""
        if not old_lives:
            self.cluster.kill("one")
        self.cluster.promote("two")
        self.primary = "two"

    def heal(self) -> None:
        """All faults end; who died comes back."""
        for node in NODES:
            self.switches.set(node, 0)
        for name in BOTH:
            self.cluster.stop(name, signal.SIGCONT)
        if self.primary == "two":
            for node in NODES:
                self.switches.lead(node, self.cluster.ports["two"])
            self.cluster.sql("two", "ALTER SYSTEM RESET synchronous_standby_names")
            self.cluster.sql("two", "SELECT pg_reload_conf()")
            self.cluster.follow("one", "two")
        for name in BOTH:
            if not self.cluster.runs(name):
                self.cluster.start(name)
        for node in NODES:
            if node not in self.servers:
                self.start_node(node, wait=False)
        for node in NODES:
            try:
                self.until(lambda node=node: not self.status(node)["locked"], 20.0, "")
            except RuntimeError:
                raise RuntimeError(f"{node} stays locked: {self.status(node)['locked']}") from None

    # People.

    def ask(self, node: str, method: str, path: str, right: str, **body: Any) -> Any:
        home = self.homes[node]
        told = json.loads((home / "listening.json").read_bytes())["main"]
        token = (home / "tokens" / right).read_text().strip()
        return request(told[0], method, path, body or None, token=token, timeout=3)

    def status(self, node: str) -> Any:
        return self.ask(node, "GET", "/api/status", "status")

    def press(self, node: str, scope: str = "fleet") -> Pressing:
        """Sends a press to one node; its answer is read by `answer`."""
        home = self.homes[node]
        fields = {
            "token": (home / "tokens" / "press").read_text().strip(),
            "scope": scope,
            "reason": "chaos",
            "id": f"{self.dice.getrandbits(128):032x}",
        }
        body = json.dumps(fields).encode()
        made = Pressing(fields["id"], scope, now())
        self.presses.append(made)
        self.taken[made.id] = node
        with contextlib.suppress(OSError, ValueError, LookupError):
            told = json.loads((home / "listening.json").read_bytes())["press"]
            port = int(next(each for each in told if each.startswith("http")).rpartition(":")[2])
            made.socket = socket.create_connection(("127.0.0.1", port), 3)
            made.socket.sendall(
                b"POST /press HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
        return made

    def answer(self, pressing: Pressing, timeout: float = 4.0) -> str:
        if pressing.socket is None or pressing.answered < float("inf"):
            return pressing.state
        data = b""
        pressing.socket.settimeout(timeout)
        with pressing.socket, contextlib.suppress(OSError):
            while part := pressing.socket.recv(65536):
                data += part
        with contextlib.suppress(ValueError, KeyError, TypeError):
            told = json.loads(data.partition(b"\r\n\r\n")[2])
            pressing.answered, pressing.state = now(), told["state"]
        return pressing.state

    def must_answer(self, pressing: Pressing) -> None:
        """Whatever the database does, a press at a node that lives is taken, and that is said."""
        if not self.answer(pressing):
            raise AssertionError(f"a press was not answered within 4 s of {pressing.sent:.3f}")

    def reset(self, node: str) -> None:
        """Two people clear what stands, at one node; both agents are started at it."""
        told = self.ask(node, "GET", "/api/draft?fresh", "status")
        body = signed(Clearance(told["text"]), "ann", "bob").to_json()
        if not self.ask(node, "POST", "/api/clear", "status", **body)["cleared"]:
            raise AssertionError("two signatures did not clear")

    def start(self, agent: str, node: str, within: float) -> bool:
        """Whether it was started; a refusal is retried for `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            sent = now()
            try:
                self.ask(node, "POST", "/api/start", "start", agent=agent)
            except (Denied, Unreachable):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.05)
            else:
                self.starts.append((agent, sent))
                return True

    def acting(self, agents: tuple[str, ...], since: float, within: float) -> bool:
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            seen = {e.agent for e in world.effects(self.effects_file) if e.before > since}
            if seen >= set(agents):
                return True
            time.sleep(0.02)
        return False


def serve(path: Path, skew: float) -> None:
    """A node until it is killed; its wall clock is wrong by `skew` seconds."""
    shared.die_with_parent()
    real = time.time
    time.time = lambda: real() + skew
    with Server(Home.open(path)):
        while True:
            time.sleep(3600)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
