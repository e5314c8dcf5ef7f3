"""The child process of a worker: holds one agent per episode and answers its parent.

Run as `python -m freezetag.sim._worker SOCKET PROGRESS`. Frames from the
parent are pickles, because the parent is trusted; frames to the parent are JSON, because the
agent's code, which is not, runs here. Neither JAX nor SciPy is imported.

A frame is a length (4 bytes) and its content. While a batch is played, the number of acts begun
and the episode at hand stand in a shared page, so that the parent finds an agent that hangs
where no signal reaches it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import io
import json
import mmap
import os
import pickle
import random
import reprlib
import signal
import socket
import struct
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from freezetag.sim._leash import wear
from freezetag.sim.adapter import NONE, adapter
from freezetag.sim.chance import reseeded
from freezetag.sim.fingerprints import lost, of_agent
from freezetag.sim.foreign import BadAgent, Outside, printable
from freezetag.sim.plain import action_sizes, as_lists, plain

LARGEST = 2**31 - 1
OFFERS = ("learn", "act_many", "save", "freeze")
"""What an agent may offer beside `act`."""
READS = "reads_words"
"""What an agent has, and is true, that is to be shown the world in words: its observation then has
"words", a mapping of "rules", "text" and "reply" (see `core.speech`)."""
REMARKS = ("thought", "say", "note", "unreadable", "repaired")
"""What an answer may hold beside the action: words for the others, a note to oneself for the
record, why the answer could not be read (one of `core.speech.UNREAD`), and the same of a first
answer that was followed by a better one."""
REMARK_LENGTH = 4000
START_SECONDS = 30.0
"""For making one agent; loading what it is made of has a longer limit, see `workers`."""
OURS = (Path("freezetag", "sim"), Path("freezetag", "adapters"))
_LIBRARY = sysconfig.get_path("stdlib") + os.sep


class TookTooLong(BaseException):
    """Raised by the timer inside an act, with the number of processes that run for it; not an
    Exception, so that few agents catch it."""


class NotAnAction(Exception):
    """(what it was, as text): the value cannot be read as K whole numbers."""


class CannotBeSaved(Exception):
    """The text says why, and what an agent has to offer."""


class Tail(io.TextIOBase):
    """A text stream that keeps only the last of what is written to it."""

    def __init__(self, limit: int = 2000) -> None:
        self.limit = limit
        self.text = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text = (self.text + text[-self.limit :])[-self.limit :]
        return len(text)

    def take(self) -> str:
        text, self.text = self.text, ""
        return text


class Agents:
    """One agent per episode, and how to ask them."""

    def __init__(self, page: mmap.mmap, tell: Callable[[str], None]) -> None:
        self.page = page
        self.tell = tell
        self.told: set[str] = set()
        self.name = ""
        self.seconds = 0.0
        self.begun = 0
        self.adapter = NONE
        self.make: Any = None
        self.agents: list[Any] = []
        self.episode: int | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def load(
        self,
        scheme: str,
        name: str,
        seconds: float,
        told: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Make ready to make agents; may be called again for another of the same scheme. `told`
        are settings of the exam for adapters, by scheme."""
        self.name, self.seconds = name, seconds
        for known, settings in (told or {}).items():
            if (configure := adapter(known).configure) is not None:
                configure(**settings)
        self.adapter = adapter(scheme)
        note = self.adapter.notice(name)
        if note and note not in self.told:
            self.told.add(note)
            self.tell(note)
        self.make = self.adapter.made(self.name)

    def reset(self, seeds: Sequence[int], names: Sequence[str] | None = None) -> list[str]:
        """A fresh agent per episode, of these names if given; what all of them offer beside `act`.
        The global generators are seeded first."""
        first = seeds[0] if seeds else 0
        random.seed(first)
        np.random.seed(first % 2**32)  # noqa: NPY002 - for agents that use the global generator
        self.agents = []
        # Loaded anew, so that a batch does not depend on the batches before it.
        make, self.make = self.make, None
        if make is None:
            make = self.adapter.made(self.name)
        makers = {self.name: make}
        for b, (seed, name) in enumerate(
            zip(seeds, names or [self.name] * len(seeds), strict=True)
        ):
            self.episode = b
            self._begin(b, START_SECONDS)
            if name not in makers:
                makers[name] = self.adapter.made(name)
            agent = makers[name](int(seed))
            if callable(reset := getattr(agent, "reset", None)):
                _reset(reset, int(seed))
            self.agents.append(agent)
        self.episode = None
        offers = [
            offer
            for offer in OFFERS
            if all(callable(getattr(agent, offer, None)) for agent in self.agents)
        ]
        # In a mixed column words are for those who read them.
        reads = any(getattr(agent, READS, False) is True for agent in self.agents)
        return [*offers, READS] if reads else offers

    def act(
        self,
        obs: dict[str, Any],
        active: Sequence[bool],
        sizes: Sequence[int] | None,
        said: Sequence[dict[int, str]] | None = None,
        words: Sequence[Any] | None = None,
    ) -> list[Any]:
        """The answers of the active episodes, in order; see `answer`. `words` is the world in
        words, by episode."""
        width = obs["selfish"].shape[1]
        sizes = sizes or action_sizes(obs["legal"].shape[1], width)
        lists = as_lists(obs)
        playing = [b for b, plays in enumerate(active) if plays]
        seen = (
            plain(lists, b, sizes, said[b] if said else None)
            | ({"words": words[b]} if words else {})
            for b in playing
        )
        agents = [self.agents[b] for b in playing]
        if agents and all(callable(getattr(agent, "act_many", None)) for agent in agents):
            self.episode = playing[0]
            self._begin(playing[0], self.seconds * len(agents))
            values = self._waited_for(agents[0].act_many(agents, list(seen)))
            if not isinstance(values, list | tuple) or len(values) != len(agents):
                raise NotAnAction(f"{shown(values)} for {len(agents)} observations")
        else:
            values = []
            for b, agent, view in zip(playing, agents, seen, strict=True):
                self.episode = b
                if hasattr(agent, "act_on"):  # a player in JAX, which sees the arrays
                    self._begin(b, START_SECONDS)  # its first act compiles it
                    values.append(agent.act_on({name: field[b] for name, field in obs.items()}))
                    continue
                self._begin(b, self.seconds)
                values.append(agent.act(view))
            values = self._gathered(playing, values)
        found = []
        for b, value in zip(playing, values, strict=True):
            self.episode = b
            found.append(answer(value, width))
        self.episode = None
        return found

    def _gathered(self, episodes: Sequence[int], values: list[Any]) -> list[Any]:
        """The values, those that have to be waited for together."""
        waiting = [i for i, value in enumerate(values) if inspect.isawaitable(value)]
        if not waiting:
            return values

        async def one(i: int) -> Any:
            value = await values[i]
            # Each answer gives the others their time anew: a model answers one after the other.
            self._begin(episodes[i], self.seconds)
            return value

        async def all_of_them() -> list[Any]:
            # One that fails does not cancel the others, whose answers are on their way.
            return await asyncio.gather(*map(one, waiting), return_exceptions=True)

        for i, value in zip(waiting, self._waited_for(all_of_them()), strict=True):
            if isinstance(value, BaseException):
                self.episode = episodes[i]
                raise value
            values[i] = value
        return values

    def ask(self, asked: Sequence[tuple[str, Any, int]]) -> list[dict[str, Any]]:
        """What agents made for nothing else answer to questions (rules, check, seed): the value
        that was named, and what the answer was."""
        make = self.make if self.make is not None else self.adapter.made(self.name)
        agents = [make(int(seed)) for _, _, seed in asked]
        for i, agent in enumerate(agents):
            self._begin(i, self.seconds)
            if not callable(getattr(agent, "answer", None)):
                raise BadAgent("it has no answer(rules, check), which questions are put to.")
        values = [
            agent.answer(rules, check)
            for agent, (rules, check, _) in zip(agents, asked, strict=True)
        ]
        return [dict(value) for value in self._gathered(range(len(values)), values)]

    def _waited_for(self, value: Any) -> Any:
        """What an awaitable gives; all of them in one loop, since clients are bound to theirs."""
        if not inspect.isawaitable(value):
            return value
        if self.loop is None:
            self.loop = asyncio.new_event_loop()

        async def wait() -> Any:
            return await value

        return self.loop.run_until_complete(wait())

    def save(self) -> list[str | None]:
        """Each agent's state, as text: of `save()`, or of its attributes; None where those cannot
        be written down."""
        states = [saved(agent) for agent in self._in_turn()]
        return [None if one is None else base64.b64encode(one).decode() for one in states]

    def fingerprints(self) -> list[Any]:
        """Hashes of what each agent is and keeps, see `fingerprints.of_agent`."""
        return [of_agent(agent) for agent in self._in_turn()]

    def lost(self) -> list[Any]:
        """Whether each agent's numbers are none any more, see `fingerprints.lost`."""
        return [lost(agent) for agent in self._in_turn()]

    def load_states(self, states: Sequence[bytes], freeze: bool, seeds: Sequence[int] = ()) -> None:
        """Hand each agent a state that an agent of its kind saved; hold it with `freeze()`. With
        `seeds` its chance begins anew, see `chance.reseeded`."""
        for b, (agent, state) in enumerate(zip(self.agents, states, strict=True)):
            self.episode = b
            self._begin(b, START_SECONDS)
            restored(agent, state)
            if freeze and callable(hold := getattr(agent, "freeze", None)):
                hold()
            if seeds:
                reseeded(agent, (seeds[b], b))
        self.episode = None

    def freeze(self) -> None:
        """Hold each agent that has `freeze()`, as it is."""
        for agent in self._in_turn():
            if callable(hold := getattr(agent, "freeze", None)):
                hold()

    def learn(self, days: Sequence[dict[str, Any] | None]) -> None:
        """Hand agents that have `learn` their day; None is for those that are stopped."""
        for b, (agent, day) in enumerate(zip(self.agents, days, strict=True)):
            if day is not None and callable(learn := getattr(agent, "learn", None)):
                self.episode = b
                self._begin(b, self.seconds * len(day["valid"]))
                learn(day)
        self.episode = None

    def clear(self) -> None:
        """Let the agents go; what they are made of stays loaded."""
        self.agents = []

    def _in_turn(self) -> Iterator[Any]:
        """Each agent, with time of its own for what is asked of it between days."""
        for b, agent in enumerate(self.agents):
            self.episode = b
            self._begin(b, START_SECONDS)
            yield agent
        self.episode = None

    def _begin(self, episode: int, seconds: float) -> None:
        """Note which episode it is the turn of, and give it this long."""
        self.begun += 1
        struct.pack_into("<qq", self.page, 0, self.begun, episode)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def failure(self, error: BaseException) -> dict[str, Any]:
        return failure(error, self.episode)


def saved(agent: Any) -> bytes | None:
    """The state of an agent; None if it has no `save` and its attributes cannot be written down.
    Raises `CannotBeSaved`."""
    if callable(save := getattr(agent, "save", None)):
        state = save()
        if not isinstance(state, bytes | bytearray):
            raise CannotBeSaved(f"save() gave {shown(state)}: it returns bytes")
        return bytes(state)
    try:
        return pickle.dumps(vars(agent))
    except Exception:
        return None


def restored(agent: Any, state: bytes) -> None:
    if callable(load := getattr(agent, "load", None)):
        load(state)
    else:
        vars(agent).update(pickle.loads(state))


def answer(value: Any, width: int) -> Any:
    """An agent's answer as it is sent: its action [K], or a mapping with "action" (None where it
    could not be read) and texts "thought", "say", "note", "unreadable". Raises `NotAnAction`."""
    if inspect.isawaitable(value):
        raise NotAnAction("something to wait for")
    if not isinstance(value, Mapping):
        return whole_numbers(value, width)
    unknown = sorted(map(str, set(value) - {"action", *REMARKS}))
    if unknown:
        raise NotAnAction(f"an answer with {', '.join(unknown)}")
    remarks = {kind: text_of(value[kind]) for kind in REMARKS if value.get(kind) is not None}
    action = value.get("action")
    if "unreadable" in remarks:
        with contextlib.suppress(NotAnAction):
            return {"action": whole_numbers(action, width), **remarks}
        return {"action": None, **remarks}
    return {"action": whole_numbers(action, width), **remarks}


def text_of(value: Any) -> str:
    """A remark as text: control characters are left out, and what is too long is cut."""
    return printable(str(value), REMARK_LENGTH)


def _reset(reset: Any, seed: int) -> None:
    try:
        inspect.signature(reset).bind(seed)
    except TypeError:
        try:
            inspect.signature(reset).bind(seed=seed)
        except TypeError:
            reset()
        else:
            reset(seed=seed)
    except ValueError:
        reset(seed)
    else:
        reset(seed)


def whole_numbers(value: Any, width: int) -> list[int]:
    """An agent's answer as `width` whole numbers. Raises `NotAnAction` with the value as text.

    Taken: int, bool, a float that is whole, anything with `tolist` (NumPy, JAX, torch), and for
    actions of several components a list or tuple of those.
    """
    given = value
    if type(value) is int and width == 1:
        parts: Sequence[Any] = (value,)
    else:
        if isinstance(value, types.GeneratorType | types.AsyncGeneratorType):
            raise NotAnAction(f"{shown(value)}, for it has a yield: an action is returned")
        if hasattr(value, "tolist"):
            value = value.tolist()
        parts = value if isinstance(value, list | tuple) else (value,)
        if len(parts) != width:
            raise NotAnAction(shown(given))
    found = []
    for part in parts:
        if hasattr(part, "tolist"):
            part = part.tolist()
        if isinstance(part, float) and part.is_integer():
            part = int(part)
        if not isinstance(part, int) or not -LARGEST <= part <= LARGEST:
            raise NotAnAction(shown(given))
        found.append(int(part))
    return found


def shown(value: Any) -> str:
    """`repr`, shortened, of a value whose `repr` may be hostile."""
    try:
        return printable(reprlib.repr(value), 120)
    except TookTooLong:
        raise
    except BaseException:
        return f"a {type(value).__name__} that cannot be shown"


def where(error: BaseException) -> str:
    """ "my_agent.py:14", the agent's own last line in a traceback, or ""."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not any(f"{part}{os.sep}" in frame.filename for part in OURS)
    ]
    theirs = [f for f in own if not f.filename.startswith(_LIBRARY) and os.sep in f.filename]
    inner = [f for f in theirs if "site-packages" not in f.filename] or theirs or own
    return f"{Path(inner[-1].filename).name}:{inner[-1].lineno}" if inner else ""


def failure(error: BaseException, episode: int | None) -> dict[str, Any]:
    """What the parent is told of an exception."""
    told: dict[str, Any] = {"episode": episode}
    if isinstance(error, TookTooLong):
        count = error.args[0] if error.args else 0
        return told | {"kind": "timeout", "where": where(error), "children": count}
    if isinstance(error, NotAnAction):
        return told | {"kind": "action", "value": error.args[0]}
    if isinstance(error, CannotBeSaved):
        return told | {"kind": "save", "text": printable(str(error), 600)}
    if isinstance(error, Outside):
        return told | {"kind": "outside", "text": printable(str(error), 600)}
    if isinstance(error, BadAgent):
        return told | {"kind": "load", "text": printable(str(error), 600)}
    try:
        text = printable(str(error))
    except BaseException:
        text = ""
    name = type(error).__name__
    return told | {"kind": "exception", "type": name, "text": text, "where": where(error)}


def read(channel: socket.socket) -> Any:
    """The next frame, or None when the parent has gone."""
    head = _exactly(channel, 4)
    body = _exactly(channel, struct.unpack("<I", head)[0]) if head else b""
    return pickle.loads(body) if body else None


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = channel.recv(min(size, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def write(channel: socket.socket, frame: dict[str, Any]) -> None:
    body = json.dumps(frame).encode()
    channel.sendall(struct.pack("<I", len(body)) + body)


def _alarm(signum: int, frame: Any) -> None:
    # Counted now: what waits for a process may end it as soon as the exception passes.
    raise TookTooLong(children())


def children() -> int:
    """How many processes this one has started that still run; 0 where the system does not say."""
    count = 0
    with contextlib.suppress(OSError):
        for task in Path("/proc/self/task").iterdir():
            count += len((task / "children").read_text().split())
    return count


def main(arguments: Sequence[str], made: Callable[..., Any], commands: Sequence[str]) -> None:
    """Answer the parent until it has gone. `made(page, tell)` has the commands, and `failure`."""
    wear(int(arguments[2]))
    channel = socket.socket(fileno=int(arguments[0]))
    page = mmap.mmap(int(arguments[1]), 16)
    os.close(int(arguments[1]))
    os.set_inheritable(channel.fileno(), False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _alarm)
    asked = made(page, lambda note: write(channel, {"note": note}))
    # From here on the agent's code runs: nothing it prints may reach our terminal.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    os.close(nowhere)
    tail = Tail()
    sys.stdout = sys.stderr = tail
    known = {name: getattr(asked, name) for name in commands}
    while (frame := read(channel)) is not None:
        command, payload = frame
        try:
            try:
                answer: dict[str, Any] = {"ok": known[command](*payload)}
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:
            answer = {"failed": asked.failure(error)}
        if tail.text:
            answer["printed"] = tail.take()
        write(channel, answer)


def run(made: Callable[..., Any], commands: Sequence[str]) -> None:
    """`main` of a child process, up to its end."""
    try:
        main(sys.argv[1:], made, commands)
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        # No atexit hooks and no waiting for threads of the agent.
        os._exit(0 if sys.exc_info()[0] is None else 70)


COMMANDS = (
    *("load", "reset", "act", "ask", "learn", "save", "load_states", "freeze"),
    *("fingerprints", "lost", "clear"),
)

if __name__ == "__main__":
    run(Agents, COMMANDS)
