"""Agents written in plain Python: `my_agent.py`, `my_agent.py:Name`, `package.module:object`.

**The file is executed**, in the worker process, with your rights: examine only files you would
run. Without a name it needs one of these, looked for in this order:

    agent     a class, a function that makes an agent, or an agent
    Agent     the same
    act       a function `act(observation)`

A name may have settings, which the class or factory is called with: `my_agent.py:Grim(trust=0.3)`.

An agent has `act(observation)` (the dictionary of `sim.plain.plain`), which may be `async`, and may
have `reset(seed)` and `learn(day)`. Every episode gets its own: a class or factory is called anew
(with `seed=` if it takes one), an object is copied, and for a bare `act` the file is executed anew,
so that its global variables are its memory of that episode and of no other. The file is also
executed anew for every batch of episodes; slow set-up belongs in a module that it imports.

Caveat: state that lies elsewhere (in imported modules, on disk) is shared by the episodes of a
worker. `random` and `numpy.random` are seeded per batch, so that runs repeat; what one episode
draws from them depends on how many others are played beside it.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import itertools
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from freezetag.adapters.agents._named import parse
from freezetag.catalogue import source
from freezetag.catalogue.look import AGENTS
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent

_EXPECTED = (
    "Expected a class or object named agent or Agent with act(observation), "
    "or a function act(observation)."
)
_executed: dict[str, list[str]] = {}
_numbers = itertools.count()

Settings = Mapping[str, Any]
Make = Callable[[int], Any]
Execute = Callable[[], Any]


def factory(name: str) -> Make:
    """`make(seed) -> agent` for a path, "path:name" or "module:object", with settings if wanted.

    Raises `BadAgent`.
    """
    for module in _executed.pop(name, ()):
        sys.modules.pop(module, None)
    head, settings = (name, {}) if Path(name).is_file() else parse(name)
    where, wanted = source.parts(head)
    if head.endswith(".py") or Path(head).is_file():
        where, wanted = head, ""
    if where.endswith(".py") or (not wanted and ":" not in head) or Path(where).is_file():
        return _from_file(Path(where), wanted, settings, name)
    return _from_module(where, wanted, settings)


def _from_file(path: Path, wanted: str, settings: Settings, name: str) -> Make:
    path = path.expanduser()
    if not path.is_file():
        near = ", ".join(Path(each).name for each in source.files_here(str(path)))
        raise BadAgent(
            f"there is no file {str(path)!r}." + (f" Did you mean {near}?" if near else "")
        )
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        code = source.compiled(path.read_bytes(), str(path), path)
    except source.NotLoaded as error:
        raise BadAgent(str(error)) from None

    def execute() -> Any:
        module = _namespace(path, name, lambda module: exec(code, vars(module)))
        return _reached(module, wanted, path.name) if wanted else _pick(module, str(path))

    return _maker(execute, f"{path}{':' if wanted else ''}{wanted}", settings)


def _from_module(module_name: str, wanted: str, settings: Settings) -> Make:
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise  # something that the module itself imports
        raise BadAgent(
            f"there is no module {missing!r}. It is looked for in the current folder and in this "
            "Python's packages."
        ) from None
    if not wanted:
        return _maker(lambda: _pick(module, module_name), module_name, settings)
    name = f"{module_name}:{wanted}"

    def anew() -> Any:
        spec = importlib.util.find_spec(module_name)
        if spec is None or spec.loader is None or not str(spec.origin).endswith(".py"):
            raise BadAgent(
                f"{name} has no source that could be run once per episode. "
                "Give a class or a factory instead of a function or an object."
            )
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        return _reached(fresh, wanted, module_name)

    return _maker(lambda: _reached(module, wanted, module_name), name, settings, anew)


def _reached(module: types.ModuleType, wanted: str, where: str) -> Any:
    found: Any = module
    for part in wanted.split("."):
        try:
            found = source.reached(found, part, where, wanted)
        except source.NotLoaded as error:
            raise BadAgent(str(error)) from None
    return found


def _namespace(path: Path, name: str, fill: Callable[[types.ModuleType], None]) -> types.ModuleType:
    """A fresh module; registered, because dataclasses and pickle look classes up by module."""
    module = types.ModuleType(f"agent_{next(_numbers)}_{path.stem}")
    module.__file__ = str(path.absolute())  # found also from another folder
    sys.modules[module.__name__] = module
    _executed.setdefault(name, []).append(module.__name__)
    fill(module)
    return module


def _pick(module: types.ModuleType, where: str) -> Any:
    for name in AGENTS:
        found = vars(module).get(name)
        if found is not None and not isinstance(found, types.ModuleType):
            return found
    able = [name for name in source.public(module) if hasattr(vars(module)[name], "act")]
    hint = f" Or name one that has act: {Path(where).name}:{able[0]}." if able else ""
    raise BadAgent(
        f"no agent in {where}: it has {source.listed(source.public(module))}. {_EXPECTED}{hint}"
    )


def _maker(execute: Execute, where: str, settings: Settings, anew: Execute | None = None) -> Make:
    """How to get an agent per episode from what `execute` finds; `anew` finds it afresh."""
    first = execute()
    anew = anew or execute
    unused = [first]

    def fresh() -> Any:
        return unused.pop() if unused else anew()

    if isinstance(first, type) or _is_factory(first):
        _can_be_called(first, settings, where)
        return lambda seed: usable(_call(first, seed, settings), where)
    if settings:
        raise BadAgent(f"{where} is not a class or a factory, and takes no settings.")
    if isinstance(first, types.FunctionType | types.BuiltinFunctionType):
        return lambda seed: usable(fresh(), where)
    usable(first, where)
    try:
        copy.deepcopy(first)
    except Exception:  # an open file, a lock, a model: it gets a namespace of its own instead
        return lambda seed: usable(fresh(), where)
    return lambda seed: usable(copy.deepcopy(first), where)


def _is_factory(found: Any) -> bool:
    """A function that can be called with nothing, or with a seed alone, makes agents."""
    if not inspect.isfunction(found) or found.__name__ == "act":
        return False
    needed = [
        p.name
        for p in inspect.signature(found).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    return needed in ([], ["seed"])


def _can_be_called(make: Callable[..., Any], settings: Settings, where: str) -> None:
    """Raises `BadAgent` for settings that a class or factory does not take."""
    if not settings:
        return
    try:
        inspect.signature(make).bind_partial(**settings)
    except (TypeError, ValueError) as error:
        raise BadAgent(f"{where} does not take these settings: {error}.") from None


def _call(make: Callable[..., Any], seed: int, settings: Settings) -> Any:
    try:
        takes_seed = "seed" in inspect.signature(make).parameters and "seed" not in settings
    except (TypeError, ValueError):
        takes_seed = False
    return make(seed=seed, **settings) if takes_seed else make(**settings)


def usable(agent: Any, where: str) -> Any:
    """`agent`, or something with `act` around it if it is a mere function. Raises `BadAgent`."""
    if callable(getattr(agent, "act", None)):
        return agent
    if callable(agent) and not isinstance(agent, type):
        return types.SimpleNamespace(act=agent)
    raise BadAgent(f"{where} gave {type(agent).__name__!r}, which has no act(observation).")


ADAPTER = Adapter(factory=factory)
