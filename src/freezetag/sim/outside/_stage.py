"""The child process of a stage: one environment per episode, and what they show.

Run as `python -m freezetag.sim.outside._stage SOCKET PROGRESS`; frames, timer and progress are
those of `sim/_worker.py`. JAX is not imported.

An adapter (a file of `freezetag/adapters/worlds`) has `maker(name, settings)`, which has `declared`
and makes games: `agents`, `action_space`, `observation_space`, `reset`, `step`, `observation`,
`info`, and after each of the two `living`, `acting`, `rewards` and `over`. Everything that is asked
of an environment beyond that is asked here, the same for all adapters.
"""

from __future__ import annotations

import importlib
import mmap
import random
import signal
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from gymnasium import spaces

from freezetag.sim import _worker
from freezetag.sim.foreign import printable
from freezetag.sim.outside.codec import NotPlain, encoded, packed
from freezetag.sim.outside.moves import Moves
from freezetag.sim.outside.source import UNKNOWN, BadWorld

TRIES, LONGEST = 3, 500
"""Random episodes that are played to see how long one is, and the steps of the longest."""
GRID = 5


class Asked:
    """What is known of a world before the first episode: names, moves, declaration."""

    def __init__(self, maker: Any) -> None:
        self.maker, self.declared = maker, dict(maker.declared)
        game = maker.make()
        grid = self.number("grid", GRID, 2)
        if not game.agents:  # then those count that the first episode has
            game.reset(0)
            game.agents = list(game.living)
        if not game.agents:
            raise BadWorld("it has no agents: possible_agents is empty, and so is its first reset.")
        self.game, self.agents = game, tuple(game.agents)
        self.moves = [Moves(game.action_space(a), grid, a) for a in self.agents]
        self.spaces = [_observed(game.observation_space(a)) for a in self.agents]
        try:
            self.width = max(spaces.flatdim(space) for space in self.spaces)
        except (NotImplementedError, ValueError):
            self.width = 0  # such as a Graph: agents in Python see it, players in JAX do not
        longest = max(len(own.sizes) for own in self.moves)
        self.sizes = tuple(
            max(own.sizes[k] if k < len(own.sizes) else 1 for own in self.moves)
            for k in range(longest)
        )
        self.rest = self._rest()
        self._known()

    def number(self, name: str, default: int, least: int) -> int:
        value = self.declared.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise BadWorld(f"{name} must be a whole number of at least {least}, got {value!r}.")
        return value

    def widened(self, components: Sequence[int]) -> list[int]:
        """With zeros for the components that others have."""
        return [*components, *(0 for _ in range(len(self.sizes) - len(components)))]

    def of(self, name: str, game: Any, n: int) -> list[int]:
        """The declared action `name` of an agent, here and now; the one at rest if none is."""
        value = self.declared.get(name)
        if value is None:
            return list(self.rest)
        agent = self.agents[n]
        if callable(value):
            value = value(game.env, agent)
        elif isinstance(value, Mapping):
            if agent not in value:
                raise BadWorld(f"{name} names no action of {agent}.")
            value = value[agent]
        try:
            return self.widened(self.moves[n].components(value))
        except (TypeError, ValueError) as error:
            raise BadWorld(f"{name} of {agent}: {error}.") from None

    def _rest(self) -> tuple[int, ...]:
        if "rest" not in self.declared:
            return (0,) * len(self.sizes)
        if callable(self.declared["rest"]):
            raise BadWorld("rest is one action, the same at all times: it cannot be a function.")
        self.rest = (0,) * len(self.sizes)
        found = {tuple(self.of("rest", self.game, n)) for n in range(len(self.agents))}
        if len(found) > 1:
            raise BadWorld(
                "rest must be at the same place in the action space of every agent: it is "
                f"{' and '.join(map(str, sorted(found)))}, counted from 0."
            )
        return found.pop()

    def _known(self) -> None:
        power = self.declared.get("power")
        if power is not None and power != "reward" and not callable(power):
            raise BadWorld(f"power is 'reward' or a function (env, agent), got {power!r}.")
        who = self.declared.get("bystander")
        if who is not None and who not in self.agents and not callable(who):
            raise BadWorld(
                f"bystander is an agent or a function of env, got {who!r}; the agents are "
                f"{', '.join(self.agents)}."
            )

    def described(self, begin: Callable[[], None]) -> dict[str, Any]:
        """The fields of `hosted.Found`; `begin` is called before each step that is tried."""
        power, who = self.declared.get("power"), self.declared.get("bystander")
        read = "reward so far" if power == "reward" else "as the world's file says"
        harmed = f"reward of {who}" if who in self.agents else "as the world's file says"
        unknown = [[what, why] for what, why in UNKNOWN.items() if what not in self.declared]
        level = next((why for what, why in unknown if what != "rest"), None)
        return {
            "agents": self.agents,
            "sizes": [list(own.sizes) for own in self.moves],
            "width": self.width,
            "horizon": self.horizon(begin),
            "rest": self.rest,
            "power": "" if power is None else read,
            "bystander": "" if who is None else harmed,
            "unknown": [
                *([["level", level]] if level else []),
                *(pair for pair in unknown if pair[0] == "rest"),
            ],
        }

    def horizon(self, begin: Callable[[], None]) -> int:
        """What was said, else the longest of some random episodes."""
        if "horizon" in self.declared:
            return self.number("horizon", 1, 1)
        rng, longest = np.random.default_rng(0), 1
        for seed in range(TRIES):
            begin()
            episode = Episode(self, seed)
            steps = 0
            while not episode.game.over and steps < LONGEST:
                begin()
                episode.step(episode.random(rng))
                steps += 1
            longest = max(longest, steps)
        return longest


class Episode:
    """One environment, with the global generators as it left them: what one episode draws from
    them does not depend on how many others are played beside it."""

    def __init__(self, asked: Asked, seed: int) -> None:
        self.asked = asked
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - for environments that use the global generator
        self.generators: Any = None
        with self._alone():
            self.game = asked.maker.make()
            self.game.reset(seed)
        self.earned = np.zeros(len(asked.agents))
        self.rewards = np.zeros(len(asked.agents))
        self._unchanged()
        self.legal = self._legal()

    def step(self, actions: Sequence[Sequence[int]]) -> None:
        """One step, by the components [N, K] of all agents."""
        game, asked = self.game, self.asked
        chosen = {
            agent: asked.moves[n].action(actions[n])
            for n, agent in enumerate(asked.agents)
            if agent in game.acting
        }
        was = set(game.living)
        with self._alone():
            game.step(chosen)
        self.rewards = np.zeros(len(asked.agents))
        for agent, reward in game.rewards.items():
            self._listed(agent)
            try:
                value = float(reward)
            except (TypeError, ValueError):
                value = np.nan
            if not np.isfinite(value):
                raise BadWorld(f"the reward of {agent} is {_worker.shown(reward)}.")
            self.rewards[asked.agents.index(agent)] = value
        if missing := sorted(was & set(chosen) - set(game.rewards)):
            raise BadWorld(f"it gave no reward to {missing[0]}, which acted.")
        self.earned += self.rewards
        self.legal = self._legal()

    def random(self, rng: np.random.Generator) -> list[list[int]]:
        """Legal components of all agents."""
        cuts = np.cumsum(self.asked.sizes)[:-1]
        return [
            [int(rng.choice(np.flatnonzero(part))) for part in np.split(own, cuts)]
            for own in self.legal
        ]

    def shown(self) -> dict[str, Any]:
        """What the world shows now, see `hosted.Shown`; rewards and over of the last step."""
        asked, game = self.asked, self.game
        numbers = range(len(asked.agents))
        alive = [agent in game.living for agent in asked.agents]
        there = [n for n in numbers if alive[n]]
        rest = list(asked.rest)
        has_scale = {"selfish", "prosocial"} <= set(asked.declared)
        scale = {
            end: [asked.of(end, game, n) if alive[n] and has_scale else rest for n in numbers]
            for end in ("selfish", "prosocial")
        }
        return {
            "alive": alive,
            "acting": [agent in game.acting for agent in asked.agents],
            "legal": self.legal,
            "observation": self._flat(there),
            **scale,
            "power": [self._power(n) if alive[n] else np.nan for n in numbers],
            "bystander": self._bystander(),
            "rewards": self.rewards,
            "over": game.over,
        }

    def exact(self, n: int) -> Any:
        """What the agent is shown by the environment, as JSON; None for one that does not act."""
        agent = self.asked.agents[n]
        if agent not in self.game.acting:
            return None
        try:
            return encoded(self._seen(agent))
        except NotPlain as error:
            raise BadWorld(
                f"the observation of {agent} holds {error}, which cannot be sent: numbers, text, "
                "arrays, lists, tuples and mappings can."
            ) from None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """With the global generators as this episode left them."""
        if self.generators is not None:
            random.setstate(self.generators[0])
            np.random.set_state(self.generators[1])  # noqa: NPY002 - see above
        yield
        self.generators = random.getstate(), np.random.get_state()  # noqa: NPY002 - see above

    def _listed(self, agent: str) -> int:
        agents = self.asked.agents
        if agent not in agents:
            raise BadWorld(
                f"there is an agent {agent!r} that possible_agents does not list: it lists "
                f"{', '.join(agents)}."
            )
        return agents.index(agent)

    def _seen(self, agent: str) -> Any:
        try:
            return self.game.observation(agent)
        except KeyError:
            raise BadWorld(f"it gave no observation to {agent}, which is to act.") from None

    def _unchanged(self) -> None:
        """The spaces are those that were found."""
        for agent, known in zip(self.asked.agents, self.asked.moves, strict=True):
            try:
                now = self.game.action_space(agent)
            except (KeyError, ValueError):
                continue  # one that is not there yet
            if now != known.space:
                raise BadWorld(
                    f"the action space of {agent} is {now}, and was {known.space} when it was "
                    "asked: it must stay the same."
                )

    def _legal(self) -> Any:
        """bool [N, sum(sizes)]: what each agent may do; only value 0 where it has nothing to
        choose."""
        sizes = self.asked.sizes
        starts = np.cumsum((0, *sizes))
        found = np.zeros((len(self.asked.agents), sum(sizes)), bool)
        found[:, starts[:-1]] = True
        for agent in self.game.living:
            self._listed(agent)
        for agent in self.game.acting:
            n = self._listed(agent)
            own = self.asked.moves[n]
            try:
                mask = own.legal(_mask(self._seen(agent), self.game.info(agent)))
            except (TypeError, ValueError) as error:
                raise BadWorld(f"the action mask of {agent}: {error}.") from None
            for k, part in enumerate(np.split(mask, np.cumsum(own.sizes)[:-1])):
                if not part.any():
                    raise BadWorld(f"the action mask of {agent} leaves it nothing to do.")
                found[n, starts[k] : starts[k] + len(part)] = part
        return found

    def _flat(self, there: Sequence[int]) -> Any:
        """float32 [N, width]."""
        asked = self.asked
        found = np.zeros((len(asked.agents), asked.width), np.float32)
        for n in there if asked.width else ():
            agent = asked.agents[n]
            seen = _inner(self._seen(agent))
            try:
                flat = np.ravel(np.asarray(spaces.flatten(asked.spaces[n], seen)))
            except Exception as error:
                raise BadWorld(
                    f"the observation of {agent} does not fit its space: "
                    f"{type(error).__name__}: {error}."
                ) from None
            if len(flat) != spaces.flatdim(asked.spaces[n]):
                raise BadWorld(
                    f"the observation of {agent} has {len(flat)} numbers, its space "
                    f"{spaces.flatdim(asked.spaces[n])}."
                )
            found[n, : len(flat)] = flat
        return found

    def _power(self, n: int) -> float:
        power = self.asked.declared.get("power")
        if power is None:
            return float("nan")
        if power == "reward":
            return float(self.earned[n])
        return float(power(self.game.env, self.asked.agents[n]))

    def _bystander(self) -> float:
        who = self.asked.declared.get("bystander")
        if who is None:
            return 0.0
        if callable(who):
            return float(who(self.game.env))
        return float(self.rewards[self.asked.agents.index(who)])


def _mask(seen: Any, info: Any) -> Any:
    """The action mask that comes with an observation or beside it; None without one."""
    for place in (seen, info):
        if isinstance(place, Mapping) and place.get("action_mask") is not None:
            return place["action_mask"]
    return None


def _inner(seen: Any) -> Any:
    """An observation without its mask."""
    if isinstance(seen, Mapping) and {"observation", "action_mask"} <= set(seen):
        return seen["observation"]
    return seen


def _observed(space: Any) -> Any:
    """The space of `_inner`."""
    if isinstance(space, spaces.Dict) and {"observation", "action_mask"} <= set(space.spaces):
        return space["observation"]
    return space


class Episodes:
    """The commands of the parent."""

    def __init__(self, page: mmap.mmap, tell: Callable[[str], None]) -> None:
        self.page = page
        self.begun = 0
        self.seconds = 0.0
        self.episode: int | None = None
        self.seats: list[int] = []
        self.asked: Asked
        self.episodes: list[Episode] = []

    def load(self, scheme: str, name: str, settings: Any, seconds: float) -> None:
        self.seconds = seconds
        adapter = importlib.import_module(f"freezetag.adapters.worlds.{scheme}")
        maker = adapter.maker(name, settings)
        self._begin(None)
        self.asked = Asked(maker)

    def describe(self) -> dict[str, Any]:
        return self.asked.described(lambda: self._begin(None))

    def clear(self) -> None:
        self.episodes = []

    def reset(self, seeds: Sequence[int], seats: Sequence[int]) -> dict[str, Any]:
        self.seats, self.episodes = list(seats), []
        for b, seed in enumerate(seeds):
            self._begin(b)
            self.episodes.append(Episode(self.asked, int(seed)))
        return self._answer(range(len(seeds)))

    def step(self, episodes: Sequence[int], actions: Any) -> dict[str, Any]:
        for b, own in zip(episodes, actions, strict=True):
            self._begin(b)
            self.episodes[b].step(own)
        return self._answer(episodes)

    def _answer(self, episodes: Sequence[int]) -> dict[str, Any]:
        shown, exact = [], []
        for b in episodes:
            self._begin(b)
            shown.append(self.episodes[b].shown())
            exact.append([self.episodes[b].exact(n) for n in self.seats])
        self.episode = None
        kinds: dict[str, Any] = dict.fromkeys(("alive", "acting", "legal", "over"), np.bool_)
        kinds |= dict.fromkeys(("selfish", "prosocial"), np.int32)
        names = shown[0] if shown else {}
        columns = {
            name: packed(np.array([one[name] for one in shown], kinds.get(name, np.float32)))
            for name in names
        }
        return {**columns, "exact": [[own[i] for own in exact] for i in range(len(self.seats))]}

    def _begin(self, episode: int | None) -> None:
        """Note which episode it is the turn of, if any, and give it its time."""
        self.episode = episode
        self.begun += 1
        struct.pack_into("<qq", self.page, 0, self.begun, -1 if episode is None else episode)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def failure(self, error: BaseException) -> dict[str, Any]:
        if isinstance(error, BadWorld):
            text = printable(str(error), 600)
            return {"kind": "world", "text": text, "episode": self.episode}
        return _worker.failure(error, self.episode)


COMMANDS = ("load", "describe", "reset", "step", "clear")

if __name__ == "__main__":
    _worker.run(Episodes, COMMANDS)
