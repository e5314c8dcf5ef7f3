"""Debian's PostgreSQL for tests: a primary and its synchronous standby, in a temporary folder.

Nothing of a system's own clusters is touched. As root the servers run as `nobody`, since
PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, final

BOTH = ("one", "two")
SETTINGS = """
listen_addresses = '127.0.0.1'
shared_buffers = 8MB
max_connections = 60
max_wal_senders = 5
wal_keep_size = 32MB
wal_retrieve_retry_interval = 50ms
wal_sender_timeout = 2s
wal_receiver_timeout = 2s
synchronous_standby_names = '*'
autovacuum = off
"""


def programs() -> Path | None:
    """Where `initdb` and the others are; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    for each in [*found, *([Path(on_path)] if on_path else [])]:
        if each.with_name("postgres").exists() and each.with_name("pg_basebackup").exists():
            return each.parent
    return None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        return int(made.getsockname()[1])


@final
class Cluster:
    """`with Cluster() as cluster`: two servers, `one` the primary at first. Ends both, always."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self.folder = Path(tempfile.mkdtemp(prefix="freezetag-postgres-"))
        self.ports = {name: free_port() for name in BOTH}
        self._as: dict[str, Any] = {}
        if os.getuid() == 0:
            self._as = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self.folder, "nobody", "nogroup")

    def __enter__(self) -> Cluster:
        try:
            auth = ("-U", "freezetag", "-A", "trust", "--no-sync", "--wal-segsize=1")
            self._run("initdb", "-D", self._data("one"), *auth, "-E", "UTF8", "--locale=C")
            with (self._data("one") / "postgresql.conf").open("a") as file:
                file.write(f"{SETTINGS}unix_socket_directories = '{self.folder}'\n")
            access = self._data("one") / "pg_hba.conf"
            # The first line that fits counts: the role `guarded` alone needs its password.
            access.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{access.read_text()}")
            self.start("one")
            self.follow("two", "one")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        for name in BOTH:
            self.kill(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, port: int, database: str = "postgres", user: str = "freezetag") -> str:
        return f"postgresql://{user}@127.0.0.1:{port}/{database}"

    def start(self, name: str) -> None:
        log, port = self.folder / f"{name}.log", self.ports[name]
        options = ("-o", f"-p {port}", "-l", log, "-w", "-t", "20")
        end = time.monotonic() + 20
        while True:
            try:
                self._run("pg_ctl", "-D", self._data(name), *options, "start")
                return
            except RuntimeError as error:
                # What a killed server left, shared memory or its port, is free a little later.
                if time.monotonic() > end:
                    said = log.read_text(errors="replace")[-1000:] if log.exists() else ""
                    raise RuntimeError(f"{error}\n{said}") from None
                time.sleep(0.5)

    def follow(self, name: str, primary: str) -> None:
        """Makes `name` anew, as the standby of `primary`."""
        self.kill(name)
        shutil.rmtree(self._data(name), ignore_errors=True)
        where = ("-h", "127.0.0.1", "-p", str(self.ports[primary]), "-U", "freezetag")
        fast = ("-R", "-c", "fast", "--no-sync", "-X", "stream")
        self._run("pg_basebackup", *where, "-D", self._data(name), *fast)
        self.start(name)

    def promote(self, name: str) -> None:
        self._run("pg_ctl", "-D", self._data(name), "-w", "-t", "20", "promote")

    def kill(self, name: str) -> None:
        """kill -9 of the server and all its processes, as when its host is gone."""
        pids = self._pids(name)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 10
        while any(map(_lives, pids)) and time.monotonic() < end:
            time.sleep(0.005)
        (self._data(name) / "postmaster.pid").unlink(missing_ok=True)

    def stop(self, name: str, how: signal.Signals = signal.SIGSTOP) -> None:
        """A server that hangs: it takes connections, and answers nothing."""
        for pid in self._pids(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)

    def runs(self, name: str) -> bool:
        return bool(self._pids(name))

    def sql(self, name: str, text: str, database: str = "postgres") -> str:
        """What `psql` prints of the last statement."""
        where = ("-h", "127.0.0.1", "-p", str(self.ports[name]), "-U", "freezetag", database)
        command = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *where, "-c", text)
        return self._run("psql", *command).strip()

    def _data(self, name: str) -> Path:
        return self.folder / name

    def _pids(self, name: str) -> list[int]:
        """The server, and the processes it made."""
        try:
            first = (self._data(name) / "postmaster.pid").read_text().split("\n")[0]
            parent = int(first)
        except (OSError, ValueError):
            return []
        if not _lives(parent):
            return []
        made = Path(f"/proc/{parent}/task/{parent}/children")
        with contextlib.suppress(OSError):
            return [parent, *map(int, made.read_text().split())]
        return [parent]

    def _run(self, program: str, *arguments: Any) -> str:
        done = subprocess.run(
            [str(self._programs / program), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env={"LC_ALL": "C", "PATH": os.environ.get("PATH", "")},
            **self._as,
        )
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout[-2000:]}")
        return done.stdout


def _lives(pid: int) -> bool:
    """Whether the process runs; one that was killed and not asked after does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
