"""Where a world from outside is played: one child process, an environment per episode.

Nothing that the child sends is trusted: types and lengths of all arrays are what was found when
the world was asked, and what its agents see is read as plain data. Every failure is a `WorldFailed`
in one line, and ends the child.

Caveat: this contains mistakes, not malice. The child runs with your rights and is no sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from freezetag.core import Array
from freezetag.sim._child import Child, Lost
from freezetag.sim.foreign import Foreign, printable
from freezetag.sim.outside.codec import NotPlain, decoded, unpacked
from freezetag.sim.outside.hosted import Found, Hosted, Shown
from freezetag.sim.outside.source import Source, WorldFailed
from freezetag.sim.workers import Cache

LOAD_SECONDS = 300.0
"""For the import of a library, and for asking the world what it is."""
MODULE = "freezetag.sim.outside._stage"
MOST = 24 << 20
"""Bytes of observations that one answer should hold at most."""
_GRACE = 5.0


class Stepped(NamedTuple):
    """What a step brought: the next state, rewards [B, N], and whether the episode is over [B].

    `exact` maps a seat to [B] observations, as the environment gave them; None where it is not
    asked.
    """

    shown: Shown
    rewards: Array
    over: Array
    exact: dict[int, Array]


class Stage:
    """The environments of one batch; a context manager. All methods raise `WorldFailed`.

    `exact` are the seats whose observations are wanted as they are, beside the flat ones.
    """

    def __init__(
        self, world: Hosted, exact: Sequence[int] = (), cache: Cache | None = None
    ) -> None:
        self.world, self.exact, self.cache = world, list(exact), cache
        self._child: Child | None = None
        self._talk = _Talk(world.source)
        self._episodes = 0

    @property
    def most(self) -> int:
        """Episodes that may be played side by side."""
        numbers = self.world.players * max(self.world.found.width, 64)
        return max(1, MOST // (4 * numbers * (2 if self.exact else 1)))

    def reset(self, seeds: Sequence[int], size: int) -> Stepped:
        """Fresh environments, episode b from seeds[b]; the batch has `size` episodes, of which
        those behind the seeds are empty."""
        if self._child is None:
            self._child, loaded = _child(self.world.source, self.cache)
            if not loaded:
                self._talk.load(self._child)
        self._episodes, self._talk.step = size, None
        given = [int(seed) for seed in seeds]
        return self._read(self._talk.ask(self._child, "reset", (given, self.exact)), len(given))

    def step(self, step: int, actions: Array, active: Array) -> Stepped:
        """One step of the active episodes; the others stay empty. actions [B, N, K]."""
        assert self._child is not None, "reset comes before step"
        self._talk.step = step
        playing = np.flatnonzero(active).tolist()
        payload = (playing, np.asarray(actions)[playing].tolist())
        answer = self._talk.ask(self._child, "step", payload)
        return self._read(answer, len(playing), playing)

    def close(self) -> None:
        """End the child, or give it back to the cache."""
        child, self._child = self._child, None
        if child is None:
            return
        if self.cache is not None and child.alive():
            with suppress(WorldFailed):
                self._talk.ask(child, "clear", ())
                self.cache.give(_kept_as(self.world.source), child)
                return
        child.kill()

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and self._child is not None:
            self._child.kill()
        self.close()

    def _read(self, answer: Any, count: int, at: Sequence[int] | None = None) -> Stepped:
        """The arrays of an answer about `count` episodes, put at their places in the batch."""
        world, places = self.world, list(range(count)) if at is None else list(at)
        n, k = world.players, len(world.action_sizes)
        forms: dict[str, tuple[Any, tuple[int, ...]]] = {
            "alive": (np.bool_, (n,)),
            "acting": (np.bool_, (n,)),
            "legal": (np.bool_, (n, sum(world.action_sizes))),
            "observation": (np.float32, (n, world.found.width)),
            "selfish": (np.int32, (n, k)),
            "prosocial": (np.int32, (n, k)),
            "power": (np.float32, (n,)),
            "bystander": (np.float32, ()),
            "rewards": (np.float32, (n,)),
            "over": (np.bool_, ()),
        }
        try:
            arrays = {}
            for name, (kind, shape) in forms.items():
                arrays[name] = np.zeros((self._episodes, *shape), kind)
                arrays[name][places] = unpacked(answer[name], kind, (count, *shape))
            exact = {}
            for seat, column in zip(self.exact, answer["exact"], strict=True):
                exact[seat] = np.full(self._episodes, None, object)
                for place, value in zip(places, column, strict=True):
                    exact[seat][place] = decoded(value)
        except (NotPlain, KeyError, TypeError, ValueError):
            raise self._talk.failed(_GARBLED, "channel") from None
        rewards, over = arrays.pop("rewards"), arrays.pop("over")
        return Stepped(Shown(**arrays), rewards, over, exact)


def asked(source: Source) -> Found:
    """What a world says of itself, from a child that is ended thereafter. Raises `WorldFailed`."""
    talk = _Talk(source)
    child = Child(MODULE)
    try:
        talk.load(child)
        said = talk.ask(child, "describe", ())
        try:
            return Found(
                agents=tuple(printable(str(name), 80) for name in said["agents"]),
                sizes=tuple(tuple(map(int, own)) for own in said["sizes"]),
                width=int(said["width"]),
                horizon=int(said["horizon"]),
                rest=tuple(map(int, said["rest"])),
                power=printable(str(said["power"]), 80),
                bystander=printable(str(said["bystander"]), 80),
                unknown=tuple((str(what), str(why)) for what, why in said["unknown"]),
            )
        except (KeyError, TypeError, ValueError):
            raise talk.failed(_GARBLED, "channel") from None
    finally:
        child.kill()


_GARBLED = (
    "sent something that is not an answer. It may write to files or sockets that it opened itself, "
    "to no other."
)


class _Talk:
    """Questions to a child, and its failures in the user's words."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.step: int | None = None
        self.printed = ""
        self.child: Child | None = None

    def load(self, child: Child) -> None:
        s = self.source
        self.ask(child, "load", (s.scheme, s.name, s.settings, s.step_seconds), LOAD_SECONDS)

    def ask(self, child: Child, command: str, payload: tuple[Any, ...], stall: float = 0.0) -> Any:
        self.child = child
        try:
            frame = child.ask(command, payload, stall or self.source.step_seconds + _GRACE)
        except Lost as lost:
            raise self._lost(command, lost) from None
        except BaseException:
            child.kill()
            raise
        self.printed = printable(str(frame.get("printed", "")), 2000)
        if "ok" in frame:
            return frame["ok"]
        told = frame.get("failed")
        raise self._told(told if isinstance(told, dict) else {})

    def _told(self, told: dict[str, Any]) -> WorldFailed:
        b = told.get("episode")
        b = b if isinstance(b, int) and 0 <= b < 2**31 else None
        kind = told.get("kind")
        text = {k: printable(str(told.get(k, "")), 600) for k in ("type", "text", "where")}
        at = f" (at {text['where']})" if text["where"] else ""
        if kind in ("world", "load"):
            if self.step is None and b is None:
                return self.failed(f"cannot be played: {text['text']}", "load")
            return self.failed(text["text"], "world", b)
        if kind == "timeout":
            return self._slow(b, at)
        if kind == "exception":
            text["text"] = text["text"].rstrip(".")
            said = f"{text['type']}: {text['text']}" if text["text"] else text["type"]
            return self.failed(f"raised {said}{at}.", "exception", b)
        return self.failed(_GARBLED, "channel", b)

    def _slow(self, b: int | None, at: str = "") -> WorldFailed:
        seconds = self.source.step_seconds
        return self.failed(f"took longer than {seconds:g} s for one step{at}.", "timeout", b)

    def _lost(self, command: str, lost: Lost) -> WorldFailed:
        if lost.kind == "stalled":
            return self._slow(lost.episode)
        if lost.kind == "garbled":
            return self.failed(_GARBLED, "channel")
        said = f" {lost.printed}" if command == "load" and lost.printed else ""
        return self.failed(f"ended its process: {lost.text}.{said}", "exit", lost.episode)

    def failed(self, said: str, field: str, episode: int | None = None) -> WorldFailed:
        """The error, after the child has been ended."""
        if self.child is not None:
            self.child.kill()
        where = "" if self.step is None else f" at step {self.step}"
        if episode is not None:
            where += f" in episode {episode}" if where else f" at the reset of episode {episode}"
        name = printable(self.source.shown)
        colon = ":" if field == "world" and where else ""
        return WorldFailed(
            f"{name}{where}{colon} {said}",
            world=name,
            step=self.step,
            episode=episode,
            field=field,
            printed=self.printed,
        )


def _kept_as(source: Source) -> Foreign:
    """The name under which a cache keeps the child of a world: of this world alone."""
    return Foreign(f"world {source.name}", repr(source.settings))


def _child(source: Source, cache: Cache | None) -> tuple[Child, bool]:
    """(a child, whether it has loaded this world)."""
    if cache is not None:
        child, loaded = cache.take(_kept_as(source))
        if child is not None and loaded:
            return child, True
        if child is not None:
            child.kill()
    return Child(MODULE), False
