"""The 43 bots for repeated rock-paper-scissors that are compiled into OpenSpiel: `rrps:greenberg`.

For `matrix_game(game="rock_paper_scissors")`. A match has 1,000 throws, unless the name says
otherwise (`rrps:rockbot(throws=200)`); the bots keep counts of that many. Each episode is a
match, in a process of its own: the bots keep their state, and draw their random numbers, in
global variables of C. The own moves a bot remembers are those that were executed.

Source: the RoShamBo programming competitions (Billings 1999 - 2001) as collected in OpenSpiel by
Lanctot et al. 2023, arXiv:2303.03196. Caveat: a bot that meets itself here has its own state
and random numbers; in `play_population` and in the published table both share one process.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from freezetag.adapters.agents._forked import Forked
from freezetag.adapters.agents._named import find, parse
from freezetag.core import Ref
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent

THROWS = 1000
WHOLE = ("greenberg",)
"""With fewer throws its own code writes past what it allots, and its process ends."""


def names() -> tuple[str, ...]:
    """The 43 bots. Imports OpenSpiel."""
    import pyspiel

    return tuple(pyspiel.roshambo_bot_names())


def classmates() -> tuple[Ref, ...]:
    """The population: every bot, as members of a scenario's cast."""
    return tuple(Ref(f"rrps:{name}") for name in names())


def factory(name: str) -> Callable[[int], Forked]:
    """`make(seed) -> agent`. Raises `BadAgent`; `ModuleNotFoundError` without the extra."""
    throws = horizon(name)
    bot = find(parse(name)[0], {each: each for each in names()}, "rock-paper-scissors bot")
    if bot in WHOLE and throws < THROWS:
        raise BadAgent(
            f"a match of {bot} has {THROWS} throws: with fewer its own code crashes. Leave throws= "
            f"out; --horizon {throws} has the others play that many."
        )
    return lambda seed: Forked(lambda: Bot(bot, throws, seed))


def horizon(name: str) -> int:
    """Throws of a match, as a name says: no match can have more. Raises `BadAgent`."""
    _, settings = parse(name)
    throws = settings.pop("throws", THROWS)
    if settings or not isinstance(throws, int) or not 1 <= throws <= THROWS:
        raise BadAgent(
            f"{name!r} is not understood: the one setting of a bot is throws, 1 .. {THROWS}."
        )
    return int(throws)


class Bot:
    """One bot in one match; one per process."""

    def __init__(self, name: str, throws: int, seed: int) -> None:
        import pyspiel

        seed_libc(seed)
        self._throws = throws
        self._bot = pyspiel.make_roshambo_bot(0, name, throws)
        self._game = new_game(throws)
        self._state: Any = None

    def act(self, obs: Mapping[str, Any]) -> int:
        turn = _orientation(obs)
        if obs["step"] >= self._throws:
            raise BadAgent(
                f"its match has {self._throws} throws and this is throw {obs['step'] + 1}. "
                f"Take a horizon of at most {self._throws}."
            )
        if obs["step"] == 0:
            self._bot.restart()
            self._state = self._game.new_initial_state()
        else:
            (level,) = obs["levels"].values()
            span = obs["prosocial"] - obs["selfish"]
            other = round(obs["selfish"] + span * level)
            self._state.apply_actions([turn * obs["action"] % 3, turn * other % 3])
        return turn * int(self._bot.step(self._state)) % 3


def _orientation(obs: Mapping[str, Any]) -> int:
    """1 if action 1 beats action 0, as paper beats rock in OpenSpiel; -1 the other way round."""
    table = obs["world"].get("payoffs")
    if obs["players"] != 2 or table is None or len(table) != 3 or not table[1][0] * table[2][1] > 0:
        raise BadAgent(
            "it plays rock-paper-scissors between two and nothing else: "
            "matrix_game(game='rock_paper_scissors')."
        )
    return 1 if table[1][0] > 0 else -1


def new_game(throws: int) -> Any:
    """OpenSpiel's repeated game, whose state holds a match."""
    import pyspiel

    return pyspiel.load_game(f"repeated_game(stage_game=matrix_rps(),num_repetitions={throws})")


def seed_libc(seed: int) -> None:
    """Seed the generators of C, from which the bots draw."""
    libc = ctypes.CDLL(None)
    libc.srandom(ctypes.c_uint(seed % 2**32))
    libc.srand(ctypes.c_uint(seed % 2**32))


def play_population(
    matches: int,
    throws: int = THROWS,
    seed: int = 0,
    bots: Sequence[str] | None = None,
    processes: int = 1,
    note: Callable[[str], None] | None = None,
) -> Any:
    """float64 [n, n, matches]: net wins of the row bot over a match, for every pair of bots.

    Bots play natively and pair by pair in child processes; match m of a pair has a seed of its
    own, so that neither `processes` nor the choice of `bots` changes it. [i, j] and [j, i] are
    the same matches, seen from either side; [i, i] are matches against itself. About 13 ms a
    match (greenberg and its like 0.2 to 0.4 s). Raises `BadAgent` for an unknown bot or without
    the extra.
    """
    import numpy as np

    try:
        known = names()
    except ModuleNotFoundError:
        raise BadAgent(
            "the bots are part of OpenSpiel. Install it with: pip install 'freezetag[openspiel]'"
        ) from None
    if matches < 1 or not 1 <= throws <= THROWS:
        raise ValueError(
            f"matches must be at least 1 and throws 1 .. {THROWS}, got {matches} and {throws}."
        )
    chosen = [
        find(each, {b: b for b in known}, "rock-paper-scissors bot") for each in bots or known
    ]
    pairs = [(i, j) for i in range(len(chosen)) for j in range(i, len(chosen))]
    if note is not None:
        note(f"playing {len(pairs) * matches:,} matches of rock-paper-scissors")
    parts = [pairs[first::processes] for first in range(processes)]
    running = [
        subprocess.Popen(
            [sys.executable, "-P", "-m", "freezetag.adapters.agents._rrps_matches"]
            + [str(matches), str(throws), str(seed)]
            + [f"{chosen[i]},{chosen[j]}" for i, j in part],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1", **os.environ},
        )
        for part in parts
        if part
    ]
    payoffs = np.zeros((len(chosen), len(chosen), matches))
    try:
        for part, process in zip(parts, running, strict=False):
            out, _ = process.communicate()
            if process.returncode:
                raise RuntimeError(f"playing the bots failed with exit code {process.returncode}.")
            won = np.frombuffer(out, "<f8").reshape(len(part), matches)
            for (i, j), row in zip(part, won, strict=True):
                payoffs[j, i] = -row
                payoffs[i, j] = row
    finally:
        for process in running:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    return payoffs


ADAPTER = Adapter(
    factory=factory,
    names=names,
    extra="openspiel",
    world=Ref.of("substrates/matrix_game", game="rock_paper_scissors"),
    horizon=horizon,
    classmates=classmates,
)
