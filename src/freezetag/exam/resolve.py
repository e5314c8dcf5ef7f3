"""Who the agent is: a member of the roster, a Python file, a library's strategy, an object."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from freezetag import catalogue
from freezetag.core import Equipped, Panel, Planner, Policy, UserError
from freezetag.core.log import Log
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import AgentFailed, Foreign, printable
from freezetag.sim.inside import Inside
from freezetag.sim.workers import Cache, Worker

ADAPTERS = Path(catalogue.__file__).with_name("adapters")


class UnknownAgent(UserError):
    """Nothing answers to this name; the message offers what is near."""


@dataclass(frozen=True)
class Resolved:
    """The pupil, what kind of agent it is in words, and what its adapter says of it."""

    pupil: Pupil
    kind: str
    adapter: Any = None

    @property
    def is_log(self) -> bool:
        """It is a record, which nobody can ask to act."""
        return isinstance(self.pupil.policy, Log)


def schemes() -> tuple[str, ...]:
    """The schemes of `scheme:name`: the adapters' file names, read from the folder."""
    return tuple(sorted(path.stem for path in ADAPTERS.glob("*.py") if path.stem[0] != "_"))


def resolve(agent: Any, panel: Panel | None = None, step_seconds: float = 2.0) -> Resolved:
    """The agent to examine, fitted with `panel` unless it is equipped already.

    A text is a player's name, a Python file, `package.module:object` or `scheme:name`; anything
    else is a JAX policy or an object, class or function with `act(observation)`. Raises
    `UnknownAgent`.
    """
    safe, stop, equipped = None, None, isinstance(agent, Equipped)
    if isinstance(agent, Equipped):
        safe, stop = agent.safe_action, agent.stop_policy
        panel = agent.panel
        agent = agent.policy
    policy, name, kind, adapter = _policy(agent, step_seconds)
    if isinstance(stop, str):
        stop = catalogue.load(catalogue.find("players", stop))
    if not equipped:
        panel = _fitted(getattr(policy, "panel", Panel()), panel or Panel())
    pupil = Pupil(name, policy, panel or Panel(), safe, stop)
    return Resolved(pupil, kind, adapter)


def must_load(agent: Resolved, cache: Cache) -> None:
    """Loads an agent that lives in a process of its own; `cache` keeps that process for the exam.

    Raises `UnknownAgent` if it cannot be loaded at all.
    """
    foreign = agent.pupil.policy
    if not isinstance(foreign, Foreign) or isinstance(foreign, Inside):
        return
    try:
        with Worker(foreign, seat=0, cache=cache) as worker:
            worker.start()
    except AgentFailed as failed:
        # Nobody has been seated yet: only what it said of itself is told.
        said = failed.message.partition("(seat 0) ")[2]
        raise UnknownAgent(f"{printable(failed.agent)} {said or failed.message}") from None


def _fitted(own: Panel, given: Panel) -> Panel:
    """A planner is a pair of worlds, and the panel of the one it acts in comes with it: `own`.
    What the user fits is added, in place of its own limit on the same sensor."""
    read = {interlock.sensor for interlock in given.interlocks}
    return Panel((*(i for i in own.interlocks if i.sensor not in read), *given.interlocks))


def _policy(agent: Any, step_seconds: float) -> tuple[Any, str, str, Any]:
    """(policy, name, kind, adapter module)."""
    if isinstance(agent, Path):
        agent = str(agent)
    if not isinstance(agent, str):
        return _object(agent, step_seconds)
    if agent.endswith(".py") or ("/" in agent and Path(agent).exists()):
        path = Path(agent)
        if not path.is_file():
            raise UnknownAgent(
                f"there is no file {agent}. `freezetag new {path.name}` writes one to start from."
            )
        foreign = Foreign("python_file", str(path.resolve()), step_seconds)
        return foreign, path.name, "Python file", None
    scheme, colon, name = agent.partition(":")
    if colon and scheme in schemes():
        module = _adapter(scheme)
        if hasattr(module, "recorded"):
            return module.recorded(name), agent, "record of an agent that ran", module
        return Foreign(scheme, name, step_seconds), agent, f"{scheme} agent", module
    if colon:
        near = catalogue.near(scheme, list(schemes()))
        if near and "." not in scheme:
            raise UnknownAgent(f"there is no adapter {scheme!r}. Did you mean {near[0]}:{name}?")
        return Foreign("python_file", agent, step_seconds), agent, "Python object", None
    try:
        ref = catalogue.find("players", agent)
    except catalogue.Unknown as unknown:
        hint = f" Did you mean {' or '.join(unknown.near)}?" if unknown.near else ""
        raise UnknownAgent(
            f"there is no agent called {agent!r}.{hint} Give a player's name (`freezetag list "
            "players`), a file my_agent.py, package.module:object, axelrod:Grudger, or a log: "
            "log:ledger.db."
        ) from None
    return catalogue.load(ref), ref.name, f"player, {ref.family}", None


def _object(agent: Any, step_seconds: float) -> tuple[Any, str, str, Any]:
    name = getattr(agent, "__name__", type(agent).__name__)
    if isinstance(agent, Log):
        return agent, name, "record of an agent that ran", None
    if isinstance(agent, Policy | Planner) and not isinstance(agent, type):
        return agent, name, "planner" if isinstance(agent, Planner) else "JAX policy", None
    if callable(getattr(agent, "act", None)) or callable(agent):
        inside = Inside("object", name, step_seconds, given=agent, identity=id(agent))
        return inside, name, "Python object", None
    raise UnknownAgent(
        f"{agent!r} is no agent: it has neither init and act (a JAX policy) nor act(observation)."
    )


def _adapter(scheme: str) -> Any:
    from importlib import import_module

    return import_module(f"freezetag.adapters.{scheme}")
