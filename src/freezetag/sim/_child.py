"""One child process and the channel to it: frames, deadlines, and its certain end."""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from freezetag.sim.foreign import printable

LARGEST = 64 << 20
"""Bytes of the largest answer: 4 million actions."""
MUCH = 1.0
"""GiB of memory from which on a slow agent is told how much it took."""
_NOTES = 10
_SLICE = 0.1
_LONG, _TELL = 200.0, 30.0
"""Seconds: how long a wait may be of which something is told, and after how many."""
_ALONE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Lost(Exception):
    """The child is of no more use. kind: "stalled", "ended" or "garbled"."""

    def __init__(
        self, kind: str, text: str = "", episode: int | None = None, printed: str = ""
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.text = text
        self.episode = episode
        self.printed = printed


class Child:
    """`python -m MODULE`, a worker's or a stage's, in a process group of its own that ends
    with this process."""

    def __init__(self, module: str = "freezetag.sim._worker") -> None:
        self.loaded: set[str] = set()
        """Names of agents that it has loaded, whatever it imported for them."""
        self.told: Mapping[str, Any] = {}
        """Settings of the exam that it was told when it last loaded an agent."""
        mine, its = socket.socketpair()
        mine.setblocking(False)
        leash, held = os.pipe()
        with tempfile.TemporaryFile() as shared, its, os.fdopen(leash, "rb", 0):
            shared.truncate(16)
            self._page = mmap.mmap(shared.fileno(), 16)
            fds = (its.fileno(), shared.fileno(), leash)
            # String hashes order sets, and so might order an agent's choices.
            env = {"PYTHONHASHSEED": "0", **dict.fromkeys(_ALONE, "1"), **os.environ}
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the child
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, *map(str, fds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=fds,
                env=env,
                start_new_session=True,
            )
        self._channel = mine
        holds = os.fdopen(held, "wb", 0)
        things = (mine, holds, self._page, self._errors)
        self._end = weakref.finalize(self, _end, self._process, things)

    def alive(self) -> bool:
        return self._end.alive and _exit_code(self._process) is None

    def kill(self) -> None:
        """End the child and everything in its process group, and collect it."""
        self._end()

    def burden(self, count: int = 0) -> str:
        """What may have made it slow, in words: processes that its agent started and waits for
        (`count` of them, or as many as there are), memory that it took. "" where the system does
        not say."""
        said = ""
        process = Path(f"/proc/{self._process.pid}")
        with contextlib.suppress(OSError, ValueError):
            for task in () if count else (process / "task").iterdir():
                count += len((task / "children").read_text().split())
        if count:
            said += (
                f" It has {count} process{'es' if count > 1 else ''} of its own running: one that "
                "is started by 'spawn' or 'forkserver' cannot load an agent's file, which has no "
                "module name; start it by 'fork', or from a module."
            )
        with contextlib.suppress(OSError, ValueError, IndexError):
            peak = (process / "status").read_text().partition("VmHWM:")[2].split()[0]
            if (gigabytes := int(peak) / 2**20) > MUCH:
                said += f" Its process took {gigabytes:.1f} GiB of memory."
        return said

    def ask(
        self,
        command: str,
        payload: tuple[Any, ...],
        stall: float,
        note: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """The answer to a command. Raises `Lost` if the child ends, sends garbage, or begins
        nothing new for `stall` seconds; `note` is told, once, where a long one has lasted a
        while."""
        watch = _Watch(self, stall, note)
        body = pickle.dumps((command, payload), protocol=5)
        self._send(struct.pack("<I", len(body)) + body, watch)
        for _ in range(_NOTES):
            (size,) = struct.unpack("<I", self._receive(4, watch))
            if size > LARGEST:
                raise Lost("garbled")
            try:
                frame = json.loads(self._receive(size, watch))
            except (ValueError, RecursionError):
                raise Lost("garbled") from None
            if not isinstance(frame, dict):
                raise Lost("garbled")
            if "note" not in frame:
                return frame
            if note is not None:
                note(printable(str(frame["note"])))
        raise Lost("garbled")

    def _progress(self) -> tuple[int, int]:
        """(acts begun so far, episode at hand), as the child last wrote them."""
        begun, episode = struct.unpack_from("<qq", self._page)
        return begun, episode

    def _send(self, data: bytes, watch: _Watch) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._channel.send(view) :]
            except BlockingIOError:
                watch.wait(write=True)
            except OSError:  # it closed its end; why, its exit will say
                raise self._ended(watch) from None

    def _receive(self, size: int, watch: _Watch) -> bytes:
        parts = []
        while size:
            try:
                part = self._channel.recv(min(size, 1 << 20))
            except BlockingIOError:
                watch.wait()
                continue
            except OSError:
                part = b""
            if not part:
                raise self._ended(watch)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _ended(self, watch: _Watch) -> Lost:
        """How it ended, given a moment to do so."""
        patience = time.monotonic() + 2.0
        while (code := _exit_code(self._process)) is None and time.monotonic() < patience:
            time.sleep(0.01)
        if code is None:
            return Lost("garbled")
        if code < 0:
            try:
                text = f"killed by signal {-code} ({signal.Signals(-code).name})"
            except ValueError:
                text = f"killed by signal {-code}"
        else:
            text = f"exit code {code}"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 2000))
        last = self._errors.read(2000).decode(errors="replace").strip().splitlines()
        return Lost("ended", text, watch.episode(), printable(last[-1]) if last else "")


class _Watch:
    """Waits for a child, as long as it lives and begins something new now and then."""

    def __init__(self, child: Child, stall: float, note: Callable[[str], None] | None) -> None:
        self._child = child
        self._stall = stall
        self._note = note if stall >= _LONG else None
        self._seen = self._first = child._progress()[0]
        self._since = time.monotonic()

    def wait(self, *, write: bool = False) -> None:
        """Return when the channel may be ready. Raises `Lost`."""
        channel = self._child._channel
        reads, writes = ([], [channel]) if write else ([channel], [])
        if any(select.select(reads, writes, [], _SLICE)[:2]):
            return
        begun = self._child._progress()[0]
        now = time.monotonic()
        if begun != self._seen:
            self._seen, self._since = begun, now
        elif self._note is not None and now - self._since > _TELL:
            self._note(
                f"the agent's process has not answered for {_TELL:g} s; it is waited for up to "
                f"{self._stall:g} s. Ctrl-C ends it."
            )
            self._note = None
        elif now - self._since > self._stall:
            raise Lost("stalled", episode=self.episode())
        elif _exit_code(self._child._process) is not None and not any(
            select.select([channel], [], [], 0)
        ):
            # A process that the agent left behind may still hold the channel open.
            raise self._child._ended(self)

    def episode(self) -> int | None:
        """The episode at hand, if any was begun since the question was asked."""
        begun, episode = self._child._progress()
        return episode if begun != self._first and 0 <= episode < 2**31 else None


def _exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Its exit code, -n for signal n, None while it runs. It is not collected: while it waits
    for that, no other process can get its number, and its group can still be named."""
    if process.returncode is not None:
        return process.returncode
    how = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if how is None:
        return None
    return how.si_status if how.si_code == os.CLD_EXITED else -how.si_status


def _end(process: subprocess.Popen[bytes], things: Sequence[Any]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for thing in things:
        thing.close()
