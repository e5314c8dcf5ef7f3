"""PettingZoo environments as worlds: `pettingzoo:mpe2.simple_spread_v3`, or one in a file.

The name is a module with `parallel_env` or `env` (`rps_v2` is looked for in PettingZoo itself), or
a file: `my_env.py`, `my_env.py:MyEnv`. **It is executed**, in a process of its own, with your
rights. In a file these are looked for, in this order:

    parallel_env, env, environment    a class, a function that makes one, or an environment
    the one class in it that is a ParallelEnv or an AECEnv

Every episode gets an environment of its own, made by the class or function; an object is copied.

What nobody can guess may be said, as a name at the top of the file or as a setting of the world,
`pettingzoo:mpe2.simple_spread_v3(rest=0)`; each of them is optional:

    rest                the action of an agent at rest
    selfish, prosocial  the actions of level 0 and 1: an action, a mapping from agents to actions,
                        or a function (env, agent) -> action, asked before every step
    power               what a power meter reads: "reward" (what was earned so far), or a function
                        (env, agent) -> number
    bystander           who is harmed or helped without a say: an agent (its reward), or a function
                        env -> number, per step
    horizon             steps of an episode; otherwise the longest of three random ones
    grid                into how many values a dimension of a Box is cut; 5

Settings by any other name are handed to whatever makes the environment.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from freezetag.sim.outside.source import DECLARED, BadWorld, Source

EXTRA = "worlds"
LOOKED_FOR = ("parallel_env", "env", "environment")
ALL = "__all__"
"""Some libraries write whether the episode is over under this name."""


def world(name: str, settings: Sequence[tuple[str, Any]] = ()) -> Any:
    """The environment as a world, a `Hosted`. Raises `WorldFailed`."""
    from freezetag.sim.outside.hosted import hosted  # with JAX, which the child does without

    file, colon, inner = name.rpartition(":") if ".py:" in name else (name, "", "")
    if file.endswith(".py"):
        path = Path(file).expanduser().resolve()
        shown = f"{path.name}{colon}{inner}"
        changed = path.stat().st_mtime_ns if path.is_file() else 0
        return hosted(
            Source("pettingzoo", f"{path}{colon}{inner}", shown, tuple(settings)), changed
        )
    return hosted(Source("pettingzoo", name, f"pettingzoo:{name}", tuple(settings)))


class Maker:
    """Makes the environments of one name: `declared` is what was said of them, `make` gives one.

    Runs in the child. Raises `BadWorld`.
    """

    def __init__(self, name: str, settings: Sequence[tuple[str, Any]]) -> None:
        given = dict(settings)
        self.name = name
        module, self.inner = self._module(name)
        self.found = self._found(module)
        at_top = {key: vars(module)[key] for key in DECLARED if key in vars(module)}
        self.declared = at_top if name.partition(":")[0].endswith(".py") else {}
        self.declared |= {key: given.pop(key) for key in DECLARED if key in given}
        self.settings = given

    def make(self) -> Parallel | Turns:
        """An environment for one episode."""
        made = self._made()
        if hasattr(made, "agent_selection") or hasattr(made, "agent_iter"):
            if not getattr(made, "metadata", {}).get("is_parallelizable"):
                return Turns(made)
            from pettingzoo.utils import aec_to_parallel

            made = aec_to_parallel(made)
        if lacks := [m for m in ("reset", "step", "action_space") if not hasattr(made, m)]:
            raise BadWorld(
                f"it gave {type(made).__name__!r}, which lacks {', '.join(lacks)}: an environment "
                "is a pettingzoo.ParallelEnv or AECEnv."
            )
        return Parallel(made)

    def _made(self) -> Any:
        found, settings = self.found, self.settings
        if not (isinstance(found, type) or inspect.isroutine(found) or _is_partial(found)):
            if settings:
                raise BadWorld(
                    f"it is an object and takes no settings: {', '.join(settings)}. Give a "
                    "function that makes the environment."
                )
            try:
                return copy.deepcopy(found)
            except Exception as error:
                raise BadWorld(
                    f"it is an object that cannot be copied ({type(error).__name__}: {error}). "
                    "Every episode has an environment of its own: give a class or a function."
                ) from None
        try:
            inspect.signature(found).bind(**settings)
        except TypeError as error:
            raise BadWorld(
                f"it does not take these settings: {error}. Beside its own, a world has "
                f"{', '.join(DECLARED)}."
            ) from None
        except ValueError:
            pass
        return found(**settings)

    def _module(self, name: str) -> tuple[Any, str]:
        if name.endswith(".py") or ".py:" in name:
            file, _, inner = name.partition(".py")
            return self._file(Path(f"{file}.py")), inner.removeprefix(":")
        where, _, inner = name.partition(":")
        if not where or not all(part.isidentifier() for part in where.split(".")):
            raise BadWorld(
                f"{name!r} names no environment: write a module, as mpe2.simple_spread_v3, or a "
                "file, as my_env.py."
            )
        if "" not in sys.path:
            sys.path.append("")
        for place in (*_in_pettingzoo(where), where):
            try:
                return importlib.import_module(place), inner
            except ModuleNotFoundError as error:
                missing = str(error.name)
                if place != missing and not place.startswith(f"{missing}."):
                    raise BadWorld(
                        f"it needs the package {missing!r}, which is not installed. Install it in "
                        "the same Python as freezetag."
                    ) from None
        top = where.partition(".")[0]
        near = self._near(where)
        raise BadWorld(
            f"there is no module {where!r}.{near} It is looked for in the current folder, in this "
            f"Python's packages (is {top!r} installed?) and in PettingZoo itself."
        )

    def _near(self, where: str) -> str:
        import difflib

        package, _, last = where.rpartition(".")
        try:
            folder = importlib.util.find_spec(package) if package else None
        except (ImportError, ValueError):
            return ""
        places = list(folder.submodule_search_locations or ()) if folder else []
        there = [file.stem for place in places for file in Path(place).glob("*.py")]
        hits = difflib.get_close_matches(last, there, 3, 0.6)
        return f" Did you mean {' or '.join(f'{package}.{hit}' for hit in hits)}?" if hits else ""

    def _file(self, path: Path) -> types.ModuleType:
        if not path.is_file():
            raise BadWorld(f"there is no file {path.name} in {path.parent.name or path.parent}.")
        if (folder := str(path.parent)) not in sys.path:
            sys.path.insert(0, folder)
        try:
            code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        except SyntaxError as error:
            raise BadWorld(f"line {error.lineno} is not valid Python: {error.msg}.") from None
        module = types.ModuleType(f"world_{path.stem}")
        module.__file__ = str(path.absolute())
        # Registered, because dataclasses and pickle look classes up by module.
        sys.modules[module.__name__] = module
        try:
            exec(code, vars(module))
        except ModuleNotFoundError as error:
            raise BadWorld(
                f"it imports {error.name!r}, which is not installed. Install it in the same Python "
                "as freezetag."
            ) from None
        return module

    def _found(self, module: Any) -> Any:
        if self.inner:
            found: Any = module
            for part in self.inner.split("."):
                if not hasattr(found, part):
                    raise BadWorld(f"it has no {self.inner!r}: it has {_public(module)}.")
                found = getattr(found, part)
            return found
        for name in LOOKED_FOR:
            candidate = vars(module).get(name)
            if candidate is not None and not isinstance(candidate, types.ModuleType):
                return candidate
        classes = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and value.__module__ == module.__name__
            and all(hasattr(value, part) for part in ("reset", "step", "action_space"))
        ]
        if len(classes) == 1:
            return classes[0]
        if classes:
            names = [each.__name__ for each in classes]
            raise BadWorld(
                f"it has {len(names)} environments, {', '.join(names)}. Say which: "
                f"{Path(self.name).name}:{names[0]}."
            )
        raise BadWorld(
            f"it has no environment: it has {_public(module)}. Expected parallel_env, env, or a "
            "class with reset, step and action_space (a pettingzoo.ParallelEnv or AECEnv)."
        )


class _Game:
    """What the two kinds share. After `reset` and `step`:

    living    agents that are there and not at their end
    acting    those of them that act in the next step
    rewards   what each agent earned in the last step
    over      the episode has ended
    """

    def __init__(self, env: Any) -> None:
        self.env = env
        self.living: list[str] = []
        self.acting: list[str] = []
        self.rewards: dict[str, Any] = {}
        self.over = False
        self.agents = [str(agent) for agent in getattr(env, "possible_agents", None) or ()]

    def action_space(self, agent: str) -> Any:
        return self.env.action_space(agent)

    def observation_space(self, agent: str) -> Any:
        return self.env.observation_space(agent)

    def _end(self) -> None:
        self.over = self.over or not self.living
        if self.over:
            self.living, self.acting = [], []


class Parallel(_Game):
    """A ParallelEnv: all that live act together."""

    def reset(self, seed: int) -> None:
        # Some return the observations alone.
        given = self.env.reset(seed=seed)
        seen, infos = given if isinstance(given, tuple) else (given, {})
        self.seen, self.infos = _named(seen, "reset"), _named(infos or {}, "reset")
        self.rewards, self.over = {}, False
        there = getattr(self.env, "agents", None)
        self.living = [str(agent) for agent in (self.seen if there is None else there)]
        self.acting = self.living
        self._end()

    def step(self, actions: Mapping[str, Any]) -> None:
        given = self.env.step(dict(actions))
        if not isinstance(given, tuple) or len(given) != 5:
            size = f" of {len(given)}" if isinstance(given, tuple) else ""
            raise TypeError(
                f"step gave a {type(given).__name__}{size}: it returns observations, rewards, "
                "terminations, truncations and infos"
            )
        seen, rewards, ended, cut, infos = (_named(part or {}, "step") for part in given)
        self.seen, self.infos = seen, infos
        self.over = any((flags or {}).get(ALL) for flags in given[2:4])
        self.rewards = rewards
        there = getattr(self.env, "agents", None)
        self.living = [
            agent
            for agent in map(str, seen if there is None else there)
            if not (ended.get(agent) or cut.get(agent))
        ]
        self.acting = self.living
        self._end()

    def observation(self, agent: str) -> Any:
        return self.seen[agent]

    def info(self, agent: str) -> Any:
        return self.infos.get(agent, {})


class Turns(_Game):
    """An AECEnv: in each step the one agent acts whose turn it is; the others wait."""

    def reset(self, seed: int) -> None:
        self.env.reset(seed=seed)
        self.over, self.rewards = False, {}
        self.totals = self._cumulative()
        self._settle()

    def step(self, actions: Mapping[str, Any]) -> None:
        before = dict(self._cumulative())
        mover = self.env.agent_selection
        self.env.step(actions[str(mover)])
        before[mover] = 0.0  # what it had earned was handed to it with its turn
        earned = self._cumulative()
        self.rewards = {
            str(agent): earned[agent] - before.get(agent, 0.0) for agent in earned if agent != ALL
        }
        self._settle()

    def observation(self, agent: str) -> Any:
        return self.env.observe(agent)

    def info(self, agent: str) -> Any:
        return self.env.infos.get(agent, {})

    def _cumulative(self) -> dict[str, Any]:
        found = getattr(self.env, "_cumulative_rewards", None)
        return dict(self.env.rewards if found is None else found)

    def _settle(self) -> None:
        """Step over those at their end, who have nothing to choose."""
        env = self.env
        ends = {**env.terminations, **env.truncations}
        if env.terminations.get(ALL) or env.truncations.get(ALL):
            self.over = True
        for _ in range(10 * len(ends) + 10):
            if self.over or not env.agents:
                break
            at = env.agent_selection
            if not (env.terminations.get(at) or env.truncations.get(at)):
                break
            env.step(None)
        gone = {a for e in (env.terminations, env.truncations) for a, end in e.items() if end}
        self.living = [str(agent) for agent in env.agents if agent not in gone]
        self.acting = [str(env.agent_selection)] if self.living else []
        self._end()


def _named(values: Any, method: str) -> dict[str, Any]:
    """By agent, without what is said of all together."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{method} gave a {type(values).__name__} where agents are named")
    return {str(agent): value for agent, value in values.items() if agent != ALL}


def _in_pettingzoo(where: str) -> list[str]:
    """The modules of PettingZoo that `rps_v2` or `classic.rps_v2` means; nothing is imported."""
    spec = importlib.util.find_spec("pettingzoo")
    file = f"{where.replace('.', '/')}.py"
    found = []
    for place in list(spec.submodule_search_locations or ()) if spec else []:
        files = [Path(place, file), *Path(place).glob(f"*/{file}")]
        found += [each.relative_to(place).with_suffix("") for each in files if each.is_file()]
    return [".".join(("pettingzoo", *path.parts)) for path in found]


def _is_partial(found: Any) -> bool:
    return callable(found) and not hasattr(found, "step")


def _public(module: Any) -> str:
    found = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]
    shown = ", ".join(found[:12]) + (", ..." if len(found) > 12 else "")
    return shown or "nothing public"


maker: Callable[..., Maker] = Maker
