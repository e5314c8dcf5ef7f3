"""A process per episode, for agents whose memory is that of a whole process.

Code compiled from C often keeps its state in global variables, so that two of it in one process
are one. Each gets a fork of the worker instead. POSIX only.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any


class Forked:
    """The agent of `make()`, living in a process of its own from its first act on."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._owner = os.getpid()
        self._pid = 0
        self._channel: socket.socket | None = None

    def act(self, obs: Any) -> Any:
        """What the agent answers. Raises what it raised, or `RuntimeError` if it ended."""
        if self._channel is None:
            self._begin()
        assert self._channel is not None
        _send(self._channel, obs)
        try:
            answer, error = _receive(self._channel)
        except EOFError:
            raise RuntimeError("the process of this agent ended") from None
        if error is not None:
            raise error
        return answer

    def _begin(self) -> None:
        _many_files()
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                ours.close()
                _serve(self._make, theirs)
            finally:
                os._exit(0)
        theirs.close()
        self._channel = ours

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
        if channel is not None and self._owner == os.getpid():  # a fork holds copies of the others
            with contextlib.suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)

    def __del__(self) -> None:
        self.close()


def _serve(make: Callable[[], Any], channel: socket.socket) -> None:
    agent = make()
    while True:
        try:
            obs = _receive(channel)
        except EOFError:
            return
        try:
            answer: tuple[Any, Exception | None] = agent.act(obs), None
        except Exception as error:
            answer = None, error
        _send(channel, answer)


def _send(channel: socket.socket, thing: Any) -> None:
    body = pickle.dumps(thing)
    channel.sendall(struct.pack("<I", len(body)) + body)


def _receive(channel: socket.socket) -> Any:
    (size,) = struct.unpack("<I", _exactly(channel, 4))
    return pickle.loads(_exactly(channel, size))


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = channel.recv(size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return parts


def _many_files() -> None:
    """Each episode holds a socket; the usual 1,024 open files are soon used up."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
