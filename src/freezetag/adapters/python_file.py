"""Agents written in plain Python: `my_agent.py`, or `package.module:object`.

**The file is executed**, in the worker process, with your rights: examine only files you would
run. It needs one of these, looked for in this order:

    agent     a class, a function that makes an agent, or an agent
    Agent     the same
    act       a function `act(observation)`

An agent has `act(observation)` (the dictionary of `sim.plain.plain`) and may have `reset(seed)`
and `learn(day)`. Every episode gets its own: a class or factory is called anew (with `seed=` if
it takes one), an object is copied, and for a bare `act` the file is executed anew, so that its
global variables are its memory of that episode and of no other. The file is also executed anew
for every batch of episodes; slow set-up belongs in a module that it imports.

Caveat: state that lies elsewhere (in imported modules, on disk) is shared by the episodes of a
worker. `random` and `numpy.random` are seeded per batch, so that runs repeat; what one episode
draws from them depends on how many others are played beside it.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import inspect
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from freezetag.sim.foreign import BadAgent

EXTRA = None
PLAYS = ""
LOOKED_FOR = ("agent", "Agent", "act")
_EXPECTED = (
    "Expected a class or object named agent or Agent with act(observation), "
    "or a function act(observation)."
)
_executed: list[str] = []

Make = Callable[[int], Any]
Execute = Callable[[], Any]


def names() -> tuple[str, ...]:
    """The Python files of the current folder: what a mistyped path may have meant."""
    return tuple(sorted(file.name for file in Path.cwd().glob("*.py")))


def factory(name: str) -> Make:
    """`make(seed) -> agent` for a path or "module:object". Raises `BadAgent`."""
    _forget()
    if is_file(name):
        return _from_file(Path(name))
    return _from_module(name)


def is_file(name: str) -> bool:
    """Whether `name` means a file rather than "module:object"."""
    return name.endswith(".py") or Path(name).is_file() or ":" not in name


def _from_file(path: Path) -> Make:
    if not path.is_file():
        near = ", ".join(_near(path))
        raise BadAgent(
            f"there is no file {str(path)!r}." + (f" Did you mean {near}?" if near else "")
        )
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise BadAgent(f"{path}:{error.lineno} is not valid Python: {error.msg}.") from None

    def execute() -> Any:
        return _pick(_namespace(path, lambda module: exec(code, vars(module))), str(path))

    return _maker(execute, str(path))


def _from_module(name: str) -> Make:
    module_name, _, wanted = name.partition(":")
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
        return _maker(lambda: _pick(module, module_name), module_name)

    def execute(from_module: types.ModuleType = module) -> Any:
        found: Any = from_module
        for part in wanted.split("."):
            if not hasattr(found, part):
                raise BadAgent(f"{module_name} has no {wanted!r}; it has {_public(module)}.")
            found = getattr(found, part)
        return found

    def anew() -> Any:
        spec = importlib.util.find_spec(module_name)
        if spec is None or spec.loader is None or not str(spec.origin).endswith(".py"):
            raise BadAgent(
                f"{name} has no source that could be run once per episode. "
                "Give a class or a factory instead of a function or an object."
            )
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        return execute(fresh)

    return _maker(execute, name, anew)


def _namespace(path: Path, fill: Callable[[types.ModuleType], None]) -> types.ModuleType:
    """A fresh module; registered, because dataclasses and pickle look classes up by module."""
    module = types.ModuleType(f"agent_{len(_executed)}_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    _executed.append(module.__name__)
    fill(module)
    return module


def _forget() -> None:
    for name in _executed:
        sys.modules.pop(name, None)
    _executed.clear()


def _pick(module: types.ModuleType, where: str) -> Any:
    for name in LOOKED_FOR:
        found = vars(module).get(name)
        if found is not None and not isinstance(found, types.ModuleType):
            return found
    raise BadAgent(f"no agent in {where}: found {_public(module)}. {_EXPECTED}")


def _public(module: types.ModuleType) -> str:
    found = [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    ]
    shown = ", ".join(found[:12]) + (", ..." if len(found) > 12 else "")
    return shown or "nothing public"


def _near(path: Path) -> list[str]:
    import difflib

    try:
        there = [file.name for file in path.parent.glob("*.py")]
    except OSError:
        return []
    return difflib.get_close_matches(path.name, there, 3, 0.6)


def _maker(execute: Execute, where: str, anew: Execute | None = None) -> Make:
    """How to get an agent per episode from what `execute` finds; `anew` finds it afresh."""
    first = execute()
    anew = anew or execute
    unused = [first]

    def fresh() -> Any:
        return unused.pop() if unused else anew()

    if isinstance(first, type) or _is_factory(first):
        return lambda seed: usable(_call(first, seed), where)
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


def _call(make: Callable[..., Any], seed: int) -> Any:
    try:
        takes_seed = "seed" in inspect.signature(make).parameters
    except (TypeError, ValueError):
        takes_seed = False
    return make(seed=seed) if takes_seed else make()


def usable(agent: Any, where: str) -> Any:
    """`agent`, or something with `act` around it if it is a mere function. Raises `BadAgent`."""
    if callable(getattr(agent, "act", None)):
        return agent
    if callable(agent) and not isinstance(agent, type):
        return types.SimpleNamespace(act=agent)
    raise BadAgent(f"{where} gave {type(agent).__name__!r}, which has no act(observation).")
