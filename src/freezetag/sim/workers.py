"""Foreign agents in a child process each: what the parent sees of them.

One `Worker` plays one seat column of a batch: an agent per episode, all in one child, so that a
hang, a crash, prints and global state stay outside this process. Every failure becomes an
`AgentFailed` that names player, step, episode, value and what is allowed, and ends the child.

Caveat: this contains mistakes, not malice. The child runs with your rights and is no sandbox.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np

from freezetag.sim._child import Child, Lost
from freezetag.sim.fingerprints import Prints
from freezetag.sim.foreign import OUTSIDE, AgentFailed, Foreign, Remark, printable
from freezetag.sim.plain import action_sizes

LOAD_SECONDS = 300.0
"""For loading an agent: the import of its library (Axelrod's: 15 s, on a busy machine more)."""
START_SECONDS = 35.0
"""For making one agent of a batch, or a batch's first."""
_GRACE = 1.0

Note = Callable[[str], None]


class Cache:
    """Idle children, kept so that the next batch of the same agent need not load it again.

    A context manager; `Worker(foreign, seat=0, cache=cache)` takes a child from it and gives it
    back on `close`, unless it failed. `note` is told, before a slow import, what is going on.
    `told` are settings of the exam for adapters, by scheme: a budget, a folder.
    """

    def __init__(
        self, note: Note | None = None, told: Mapping[str, Mapping[str, Any]] | None = None
    ) -> None:
        self.note = note
        self.told = dict(told or {})
        self._idle: dict[Foreign, list[Child]] = {}

    def take(self, foreign: Foreign) -> tuple[Child | None, bool]:
        """(a child, whether it has loaded this agent). A library's import serves all of its
        agents; a user's file gets a process of its own."""
        for known in [foreign, *self._idle]:
            if known == foreign or known.scheme == foreign.scheme != "python_file":
                idle = self._idle.get(known, [])
                while idle:
                    if (child := idle.pop()).alive():
                        return child, known == foreign and child.told == self.told
                    child.kill()
        return None, False

    def give(self, foreign: Foreign, child: Child) -> None:
        self._idle.setdefault(foreign, []).append(child)

    def end(self, whose: Callable[[Foreign], bool]) -> None:
        """End the children that wait for these agents."""
        for foreign in [foreign for foreign in self._idle if whose(foreign)]:
            for child in self._idle.pop(foreign):
                child.kill()

    def close(self) -> None:
        self.end(lambda foreign: True)

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Worker:
    """One child process for one foreign agent in one seat column; a context manager.

    `note` is the cache's if none is given. `action_sizes` and `rest` are the world's: the sizes
    are needed only where an action has several components of unequal size, `rest` is what is played
    where an answer could not be read. Starting is lazy: the child is
    there from the first `reset` on. All methods raise `AgentFailed`; a worker whose agent failed
    starts a new child at the next `reset`.
    """

    def __init__(
        self,
        foreign: Foreign,
        *,
        seat: int,
        cache: Cache | None = None,
        note: Note | None = None,
        action_sizes: Sequence[int] | None = None,
        rest: Sequence[int] | None = None,
    ) -> None:
        if not (foreign.step_seconds > 0 and math.isfinite(foreign.step_seconds)):
            raise ValueError(
                f"step_seconds must be a positive number, got {foreign.step_seconds!r}."
            )
        self.foreign = foreign
        self.seat = seat
        self.printed = ""
        self.offers: tuple[str, ...] = ()
        """What the agents of the last `reset` offer beside `act`; see `_worker.OFFERS`."""
        self.remarks: list[Remark] = []
        """What the agents gave beside their actions in the last `act`."""
        self._rest = rest
        self._cache = cache
        self._note = note or (cache.note if cache is not None else None)
        self._sizes = action_sizes
        self._child: Child | None = None
        self._step: int | None = None
        self._names: list[str] | None = None
        self._episodes = 0

    def start(self) -> None:
        """Load the agent now, rather than at the first `reset`."""
        if self._child is not None:
            return
        loaded = False
        if self._cache is not None:
            self._child, loaded = self._cache.take(self.foreign)
        self._child = self._child or Child()
        if not loaded:
            self._load(self.foreign.name)

    def _load(self, name: str) -> None:
        """Importing a library has its own limit, and counts as no agent's time."""
        f = self.foreign
        told = self._cache.told if self._cache is not None else {}
        self._ask("load", (f.scheme, name, f.step_seconds, told), stall=LOAD_SECONDS)
        assert self._child is not None
        self._child.loaded.add(name)
        self._child.told = told

    def reset(self, seeds: list[int], names: Sequence[str] | None = None) -> None:
        """One fresh agent per episode, episode b seeded with seeds[b].

        `names`, one per episode, seats several agents of one scheme in a column: a population.
        """
        self.start()
        self._step = None
        self._names = None if names is None else [str(name) for name in names]
        for name in dict.fromkeys(self._names or ()):
            if self._child is not None and name not in self._child.loaded:
                self._load(name)
        offers = self._ask(
            "reset", ([int(seed) for seed in seeds], self._names), stall=START_SECONDS
        )
        self.offers = tuple(map(str, offers)) if isinstance(offers, list) else ()
        self._episodes = len(seeds)

    def act(
        self,
        step: int,
        obs: Mapping[str, Any],
        active: Any,
        said: Sequence[Mapping[int, str]] | None = None,
        words: Sequence[Any] | None = None,
    ) -> Any:
        """int32 [B, K]: what the agents want; zeros where `active` [B] is False.

        `obs` has the fields of `core.Obs`, arrays with leading axis B; the world's own are named
        "world.<name>". `said` are the words heard in each episode, by the speaker's label;
        `words` the world in words, for agents that read it. What the agents gave beside their
        actions is in `remarks` afterwards.
        """
        self.remarks = []
        if self._child is None:
            raise RuntimeError("reset(seeds) comes before act.")
        self._step = int(step)
        given = {name: np.asarray(value) for name, value in obs.items() if value is not None}
        playing = np.asarray(active, dtype=bool)
        episodes, width = given["selfish"].shape
        legal = given["legal"].astype(bool)
        sizes = tuple(self._sizes or action_sizes(legal.shape[1], width))
        # Episodes beyond those that were reset only fill up a batch: nobody plays them.
        if playing.shape != (episodes,) or playing[self._episodes :].any():
            raise ValueError(
                f"{self._episodes} episodes were reset, but {episodes} are observed and "
                f"{int(playing.sum())} of {playing.shape} marked as active."
            )
        actions = np.zeros((episodes, width), np.int32)
        chosen = np.flatnonzero(playing)
        if not len(chosen):
            return actions
        told = None if words is None else list(words)
        payload = (given, playing.tolist(), sizes, None if said is None else list(said), told)
        together = "act_many" in self.offers
        limit = self.foreign.step_seconds * len(chosen) + _GRACE if together else 0.0
        answers = self._ask("act", payload, stall=limit, obs=(legal, sizes))
        if not isinstance(answers, list) or len(answers) != len(chosen):
            raise self._garbled()
        wanted = []
        for b, answer in zip(chosen.tolist(), answers, strict=True):
            wanted.append(self._action(b, answer, width, legal[b], sizes))
        try:
            found = np.array(wanted, dtype=np.int32)
            fits = found.shape == (len(chosen), width)
        except (TypeError, ValueError, OverflowError):
            fits = False
        if not fits:
            raise self._garbled()
        self._check(found, chosen, legal, sizes)
        actions[chosen] = found
        return actions

    def _action(self, b: int, answer: Any, width: int, legal: Any, sizes: tuple[int, ...]) -> Any:
        """The action of an answer; what else it holds goes to `remarks`."""
        if not isinstance(answer, dict):
            return answer
        for kind, text in answer.items():
            if kind != "action":
                self.remarks.append(Remark(b, printable(str(kind), 20), printable(str(text), 4000)))
        action = answer.get("action")
        if "unreadable" in answer and (
            not isinstance(action, list) or not is_legal(action, legal, sizes)
        ):
            return list(self._rest if self._rest is not None else [0] * width)
        return action

    def ask(self, asked: Sequence[tuple[str, Any, int]]) -> list[tuple[int | None, str]]:
        """What agents answer to questions (rules, check, seed), each made for one question alone:
        the value that was named, None for none, and what the answer was."""
        self.start()
        self._step = None
        answers = self._ask("ask", (list(asked),), stall=self.foreign.step_seconds + _GRACE)
        found = []
        if not isinstance(answers, list) or len(answers) != len(asked):
            raise self._garbled()
        for answer in answers:
            value = answer.get("value") if isinstance(answer, dict) else None
            text = answer.get("text", "") if isinstance(answer, dict) else ""
            whole = isinstance(value, int) and not isinstance(value, bool)
            found.append((value if whole else None, printable(str(text), 200)))
        return found

    def save(self) -> tuple[bytes | None, ...]:
        """The state of each episode's agent, for `load` of agents of the same kind; None of one
        that has no `save` and whose attributes cannot be written down."""
        answer = self._ask("save", (), stall=START_SECONDS)
        try:
            states = tuple(
                None if state is None else base64.b64decode(state, validate=True)
                for state in answer
            )
        except (TypeError, ValueError):
            raise self._garbled() from None
        if len(states) != self._episodes:
            raise self._garbled()
        return states

    def fingerprints(self) -> list[tuple[Prints, Prints]]:
        """Hashes of each episode's agent, see `fingerprints.of_agent`: (of its parameters, of all
        that it keeps), each with the reason where there is none."""
        answer = self._ask("fingerprints", (), stall=START_SECONDS)
        try:
            found = [
                tuple((_hex(digest), printable(str(why), 200)) for digest, why in one)
                for one in answer
            ]
        except (TypeError, ValueError):
            raise self._garbled() from None
        if len(found) != self._episodes or any(len(one) != 2 for one in found):
            raise self._garbled()
        return [(one[0], one[1]) for one in found]

    def lost(self) -> list[tuple[bool, str]]:
        """Whether each episode's agent has numbers that are none, see `fingerprints.lost`: (found,
        why it could not be looked for)."""
        answer = self._ask("lost", (), stall=START_SECONDS)
        try:
            found = [(bad is True, printable(str(why), 200)) for bad, why in answer]
        except (TypeError, ValueError):
            raise self._garbled() from None
        if len(found) != self._episodes:
            raise self._garbled()
        return found

    def load(
        self, states: Sequence[bytes], freeze: bool = False, seeds: Sequence[int] = ()
    ) -> None:
        """Hand each episode's agent a state that was saved; `freeze` holds those that can be, and
        with `seeds` the chance of each begins anew."""
        payload = (list(states), freeze, [int(seed) for seed in seeds])
        self._ask("load_states", payload, stall=START_SECONDS)

    def freeze(self) -> None:
        """Hold each episode's agent as it is, if it can be."""
        self._ask("freeze", (), stall=START_SECONDS)

    def learn(self, days: Sequence[Mapping[str, Any] | None]) -> None:
        """Hand agents that have `learn` their day, see `core.Learner`; None for the stopped."""
        if self._child is None:
            raise RuntimeError("reset(seeds) comes before learn.")
        self._step = None
        steps = max((len(day["valid"]) for day in days if day is not None), default=1)
        plain_days = [
            None if day is None else {k: np.asarray(v).tolist() for k, v in day.items()}
            for day in days
        ]
        self._ask("learn", (plain_days,), stall=self.foreign.step_seconds * steps + _GRACE)

    def close(self) -> None:
        """End the child, and all processes it started; or give it back to the cache."""
        if self._cache is not None and self._child is not None and self._child.alive():
            with suppress(AgentFailed):
                self._ask("clear", (), stall=START_SECONDS)
                self._cache.give(self.foreign, self._child)
                self._child = None
        self._kill()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # After an error (Ctrl-C too) the child may be in the middle of a batch.
        if kind is not None:
            self._kill()
        self.close()

    def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()

    def _ask(
        self, command: str, payload: tuple[Any, ...], stall: float = 0.0, obs: Any = None
    ) -> Any:
        """The child's answer. `stall` is how long nothing may happen, in seconds."""
        assert self._child is not None
        try:
            stall = stall or self.foreign.step_seconds + _GRACE
            frame = self._child.ask(command, payload, stall, self._note)
        except Lost as lost:
            raise self._lost(command, lost) from None
        except BaseException:
            self._kill()
            raise
        self.printed = printable(str(frame.get("printed", "")), 2000)
        if "ok" in frame:
            return frame["ok"]
        told = frame.get("failed")
        if not isinstance(told, dict):
            raise self._garbled()
        raise self._told(command, told, obs)

    def _check(self, found: Any, chosen: Any, legal: Any, sizes: tuple[int, ...]) -> None:
        """Raise for the first action that is not legal."""
        starts = np.cumsum((0, *sizes[:-1]))
        inside = (found >= 0) & (found < np.array(sizes))
        at = starts + np.where(inside, found, 0)
        wrong = ~(inside & np.take_along_axis(legal[chosen], at, axis=1)).all(1)
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            value = found[first].tolist()
            b = int(chosen[first])
            shown = str(value if len(sizes) > 1 else value[0])
            raise self._illegal(b, shown, legal, sizes)

    def _illegal(
        self, b: int | None, value: str, legal: Any, sizes: tuple[int, ...]
    ) -> AgentFailed:
        allowed = _allowed(legal[b if b is not None and 0 <= b < len(legal) else 0], sizes)
        hint = (
            "A path through act ends without a return; it is also asked after moves that it was "
            "made to make, so own_action need not be what it chose. "
            if value == "None"
            else ""
        )
        return self._failed(
            f"chose {value}. {hint}Allowed here: {allowed}.",
            field="action",
            value=value,
            allowed=allowed,
            episode=b,
        )

    def _told(self, command: str, told: dict[str, Any], obs: Any) -> AgentFailed:
        """The failure that the child reports; nothing of it is trusted."""
        b = told.get("episode")
        b = b if isinstance(b, int) and 0 <= b < 2**31 else None
        text = {k: printable(str(told.get(k, "")), 600) for k in ("value", "type", "text", "where")}
        at = f" (at {text['where']})" if text["where"] else ""
        kind = told.get("kind")
        if kind == "action" and obs is not None:
            return self._illegal(b, text["value"], *obs)
        if kind == "save":
            return self._failed(f"cannot be saved: {text['text']}.", field="save", episode=b)
        if kind == OUTSIDE:
            return self._failed(f"was not asked: {text['text']}", field=OUTSIDE, episode=b)
        if kind == "load":
            return self._failed(f"cannot be used: {text['text']}", field="load", episode=b)
        if kind == "timeout":
            count = told.get("children")
            return self._slow(command, b, at, count if type(count) is int and count < 999 else 0)
        if kind != "exception":
            return self._garbled()
        if text["type"] == "SystemExit":
            said = f"called sys.exit({text['text']}){at}"
        else:
            said = f"raised {text['type']}: {text['text']}{at}"
        return self._failed(
            f"{said}. {_ADVICE[command]}", field="exception", value=text["type"], episode=b
        )

    def _slow(self, command: str, b: int | None, at: str = "", children: int = 0) -> AgentFailed:
        seconds = self.foreign.step_seconds
        if command == "act":
            why = self._child.burden(children) if self._child is not None else ""
            said = (
                f"took longer than its {seconds:g} s{at}.{why} Make act faster, do slow set-up "
                "when the agent is made, or give it a larger step budget."
            )
        else:
            said = f"took too long to {command}{at}. {_ADVICE[command]}"
        return self._failed(said, field="timeout", allowed=f"{seconds:g} s an act", episode=b)

    def _lost(self, command: str, lost: Lost) -> AgentFailed:
        if lost.kind == "stalled":
            return self._slow(command, lost.episode)
        if lost.kind == "garbled":
            return self._garbled()
        said = f"ended its process: {lost.text}."
        if command == "load":
            said += f" {lost.printed}" if lost.printed else ""
        return self._failed(
            f"{said} {_ADVICE[command]}", field="exit", value=lost.text, episode=lost.episode
        )

    def _garbled(self) -> AgentFailed:
        return self._failed(
            "sent something that is not an answer. It may write to files or sockets "
            "that it opened itself, to no other.",
            field="channel",
        )

    def _failed(self, said: str, *, episode: int | None = None, **fields: Any) -> AgentFailed:
        """The error, after the child has been ended."""
        self._kill()
        who = self.foreign
        if self._names is not None and episode is not None and episode < len(self._names):
            who = replace(who, name=self._names[episode])
        place = [] if self._step is None else [f"at step {self._step}"]
        if episode is not None:
            place.append(f"in episode {episode}")
        place.append(f"(seat {self.seat})")
        return AgentFailed(
            f"{printable(str(who))} {' '.join(place)} {said}",
            agent=str(who),
            step=self._step,
            seat=self.seat,
            episode=episode,
            printed=self.printed,
            **fields,
        )


_ADVICE = {
    "clear": "Nothing was asked of it.",
    "load": "Run it by itself with Python to see more.",
    "reset": "An agent is made once per episode, with its seed if it takes one.",
    "act": "Run `freezetag check` on it to see what it is shown.",
    "ask": "answer(rules, check) gives {'value': a whole number or None, 'text': the answer}.",
    "fingerprints": "Its parameters(), save() or attributes are read before it plays and after.",
    "freeze": "freeze() takes nothing, and the agent learns nothing from then on.",
    "learn": "learn(day) gets lists own_level, own_reward, mean_level and valid, one entry a step.",
    "lost": "Its parameters() and attributes are read after each day.",
    "save": "save() returns bytes that load(state) understands.",
    "load_states": "load(state) gets the bytes that save() returned.",
}


def _hex(digest: Any) -> str:
    """A hash as it came from an agent's process. Raises `ValueError` for anything else."""
    if not isinstance(digest, str) or set(digest) - set("0123456789abcdef"):
        raise ValueError
    return digest


def is_legal(action: Sequence[int], legal: Any, sizes: tuple[int, ...]) -> bool:
    """Whether an action [K] is allowed by a mask over all components."""
    starts = np.cumsum((0, *sizes[:-1]))
    return len(action) == len(sizes) and all(
        0 <= value < size and bool(legal[start + value])
        for value, size, start in zip(action, sizes, starts, strict=True)
    )


def _allowed(legal: Any, sizes: tuple[int, ...]) -> str:
    """The legal values in words: "a whole number 0 .. 4", or a list per component."""
    said = []
    start = 0
    for size in sizes:
        values = np.flatnonzero(legal[start : start + size]).tolist()
        start += size
        if len(values) > 1 and values == list(range(values[0], values[-1] + 1)):
            said.append(f"{values[0]} .. {values[-1]}")
        else:
            said.append(" or ".join(map(str, values)))
    if len(said) == 1:
        return f"a whole number {said[0]}"
    return f"{len(said)} whole numbers, in order {', '.join(said)}"
