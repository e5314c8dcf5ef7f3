"""Who the agent is: a player, a Python file, a library's strategy, an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from freezetag import catalogue
from freezetag.catalogue import announced, look, source
from freezetag.core import Equipped, Panel, Planner, Policy, Ref, UserError
from freezetag.core.errors import printable
from freezetag.core.log import Log
from freezetag.core.named import parse, written
from freezetag.exam.recorded_exam import RecordedExam
from freezetag.sim.adapter import NONE, Adapter, adapter
from freezetag.sim.arms import Pupil
from freezetag.sim.foreign import AgentFailed, BadAgent, Foreign
from freezetag.sim.inside import Inside, InsideWorker
from freezetag.sim.opaque import taken
from freezetag.sim.workers import Cache, Worker

ADAPTERS = catalogue.HERE / "adapters" / "agents"
FILE = "python_file"


class UnknownAgent(UserError):
    """Nothing answers to this name; the message offers what is near."""


class _Nobody(UnknownAgent):
    """Nobody has this bare name."""


@dataclass(frozen=True)
class Resolved:
    """The pupil, what kind of agent it is in words, and what its adapter says of it."""

    pupil: Pupil
    kind: str
    adapter: Adapter = NONE
    limited: bool = False
    """It came equipped with an interlock that nobody has to press."""

    @property
    def learns(self) -> bool:
        """It says, or its name says of it, that it learns."""
        policy = self.pupil.policy
        given = getattr(policy, "given", policy)  # an object's own methods
        said = getattr(given, "learns", False) is True or callable(getattr(given, "learn", None))
        return said or self.adapter.learns

    @property
    def is_log(self) -> bool:
        """It is a record, which nobody can ask to act."""
        return isinstance(self.pupil.policy, Log | RecordedExam)


@cache
def schemes() -> tuple[str, ...]:
    """The schemes of `scheme:name`: the names of adapters that make agents by name, or say what is
    asked of one that has a name by itself; read from the folder."""
    return tuple(
        name
        for name in _adapters()
        if {"factory", "examined"} & set(look.defined(str(_file(name))))
    )


def _adapters() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in ADAPTERS.glob("*.py") if path.stem[0] != "_"))


def _file(name: str) -> Path:
    return ADAPTERS / f"{name}.py"


def resolve(agent: Any, panel: Panel | None = None, step_seconds: float = 2.0) -> Resolved:
    """The agent to examine, fitted with `panel` unless it is equipped already.

    A text is a player's name, a file (of an agent or a player), `package.module:object` or
    `scheme:name`; anything else is a Ref, a JAX policy, or an object, class or function with
    `act(observation)`. Raises `UnknownAgent`, and what `catalogue.find` raises.
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
    limited = equipped and any(each.sensor != "button" for each in pupil.panel.interlocks)
    return Resolved(pupil, kind, adapter, limited)


def member_names(kind: str, given: Any, option: str) -> tuple[str, ...]:
    """Names as a spec writes them down, of one or several worlds or probes: texts, Refs, objects
    or classes. Raises `NoMember` for what is none of these."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    return tuple(dict.fromkeys(_member_name(kind, each, option) for each in several))


def _member_name(kind: str, thing: Any, option: str) -> str:
    if isinstance(thing, str | Path):
        return str(thing)
    if isinstance(thing, Ref):
        return thing.text
    if thing is None or isinstance(thing, int | float | dict | set):
        raise catalogue.NoMember(
            f"{option}={thing!r} names nothing: give a name, a Ref, an object, or a list of these."
        )
    return catalogue.given(kind, thing).text


def must_load(agent: Resolved, cache: Cache) -> None:
    """Loads an agent in plain Python and makes two of it, as for two episodes: what nobody could
    play is found before anything is. `cache` keeps the process that it lives in for the exam.

    Raises `UnknownAgent` if that fails, or it lacks what its adapter asks of it.
    """
    foreign = agent.pupil.policy
    if not isinstance(foreign, Foreign):
        return
    try:
        worker: Worker | InsideWorker = (
            InsideWorker(foreign, seat=0)
            if isinstance(foreign, Inside)
            else Worker(foreign, seat=0, cache=cache)
        )
        with worker:
            worker.reset([0, 1])
            if (must := agent.adapter.must_offer) is not None:
                must(own_name(agent.pupil.name), worker.offers, worker.save)
    except BadAgent as bad:
        raise UnknownAgent(str(bad)) from None
    except AgentFailed as failed:
        # Nobody has been seated yet: only what it said of itself is reported.
        said = failed.message.partition("(seat 0) ")[2]
        raise UnknownAgent(f"{printable(failed.agent)} {said or failed.message}") from None


def must_answer(agent: Resolved, folder: Path | None) -> None:
    """Raises `UnknownAgent` for an agent behind an endpoint at which nobody answers, or that does
    not accept the key. `folder` is where answers are kept."""
    if (ready := agent.adapter.ready) is not None:
        try:
            ready(getattr(agent.pupil.policy, "name", ""), folder)
        except BadAgent as bad:
            raise UnknownAgent(f"{printable(agent.pupil.name)}: {bad}") from None


def _fitted(own: Panel, given: Panel) -> Panel:
    """A planner is a pair of worlds, and the panel of the one it acts in comes with it: `own`.
    What the user fits is added, in place of its own limit on the same sensor."""
    read = {interlock.sensor for interlock in given.interlocks}
    return Panel((*(i for i in own.interlocks if i.sensor not in read), *given.interlocks))


def _policy(agent: Any, step_seconds: float) -> tuple[Any, str, str, Adapter]:
    """(policy, name, kind, adapter)."""
    if isinstance(agent, Path):
        agent = str(agent)
    if isinstance(agent, Ref):
        agent = agent.text
    if not isinstance(agent, str):
        return _object(agent, step_seconds)
    ref = agent_ref(agent)
    its = adapter_of(agent)
    if its.examined is not None:  # another agent, by a name that says what is asked of it
        prefix, own = agent.strip().partition(":")[0], own_name(agent)
        policy, _, kind, _ = _policy(own, step_seconds)
        try:
            return its.examined(policy, own), agent, f"{prefix}: {kind}", its
        except BadAgent as bad:
            raise UnknownAgent(str(bad)) from None
    if not ref.foreign:
        family = f"player, {ref.family}" if ref.path.startswith("players/") else "player"
        return catalogue.load(ref), ref.name, family, NONE
    scheme, _, name = ref.path.partition(":")
    if scheme == FILE:
        is_file = source.parts(parse(name)[0])[0].endswith(".py") or name.endswith(".py")
        kind = "Python file" if is_file else "Python object"
        return Foreign(FILE, _absolute(name), step_seconds), ref.name, kind, NONE
    if its.recorded is not None:
        found = RecordedExam.of(Path(name).expanduser()) or its.recorded(name)
        return found, agent, "record of an agent that ran", its
    return Foreign(scheme, name, max(step_seconds, its.seconds)), agent, f"{scheme} agent", its


def agent_ref(text: str) -> Ref:
    """The Ref of an agent that is named by a text: `foreign` if it acts in a process of its own.

    What a file holds is read from its source: one with `init` and `act(key, carry, obs)`, or with
    `plan`, is a player in JAX and is loaded here; any other is an agent in Python, and is not.
    What is asked of an agent does not change who it is: of `learner:ppo` the Ref is that of `ppo`.
    """
    text = text.strip()
    if (own := own_name(text)) != text:
        try:
            return agent_ref(own)
        except _Nobody:
            its = adapter_of(text)
            if its.nobody is None:
                raise
            raise UnknownAgent(its.nobody(own.strip())) from None
    scheme, colon, rest = text.partition(":")
    if colon and scheme in schemes() and scheme != FILE:
        return Ref(text)
    if colon and scheme == FILE:
        text = rest
    elif colon and scheme in _adapters():
        raise UnknownAgent(
            f"{scheme} has no agents that could be named: give one as an object, in Python. "
            f"{source.docstring(str(_file(scheme)))}"
        )
    head, settings = parse(text)
    where, name = source.parts(head)
    if ("/" in head and Path(head).is_file()) or head.endswith(".py"):
        where, name = head, ""
    if where.endswith(".py"):
        if not Path(where).expanduser().is_file():
            raise UnknownAgent(
                f"there is no file {where}. `freezetag new {Path(where).name}` writes one to "
                "start from."
            )
    elif Path(where).is_file():  # a script without an ending
        return Ref(f"{FILE}:{text}", kin=family_of(where))
    elif not name:
        return _by_name(head, settings)
    near = catalogue.near(where, list(schemes())) if "." not in where else []
    if near and source.file_of(where) is None:
        raise UnknownAgent(f"there is no adapter {where!r}. Did you mean {near[0]}:{name}?")
    kinds = look.defined(where)
    if not name:
        name = next((known for known in look.AGENTS if known in kinds), "")
        if not name and (holds := _holds(kinds)) not in ("", "agents"):
            if holds != "players":
                word = {"substrates": "world", "probes": "probe"}.get(holds, holds)
                raise UnknownAgent(
                    f"{where} holds a {word} and no agent. Examine an agent with it: "
                    f"freezetag examine tit_for_tat {_OPTION[holds]} {where}"
                )
            kin = family_of(where)
            return _of_family(catalogue.find("players", written(where, settings)), kin)
        name = "" if kinds.get(name) != "players" else name
    if kinds.get(name.partition(".")[0]) == "players":
        found = catalogue.find("players", written(f"{where}:{name}", settings))
        return _of_family(found, family_of(where))
    return Ref(f"{FILE}:{text}", kin=family_of(where))


_OPTION = {"substrates": "--world", "probes": "--probe", look.POPULATION: "--classmates"}


def _holds(kinds: dict[str, str]) -> str:
    """What a file without an agent of a known name is a file of."""
    there = [kind for name, kind in kinds.items() if kind and name[0] != "_"]
    for kind in ("players", "substrates", "probes", look.POPULATION):
        if kind in there:
            return kind
    return ""


def _by_name(name: str, settings: Any) -> Ref:
    """A player's short name, or what a package announces."""
    try:
        return catalogue.find("players", written(name, settings))
    except catalogue.Unknown as unknown:
        theirs = announced.of("agents")
        if (one := announced.called(theirs, name)) is not None:
            return Ref(f"{FILE}:{written(one.value, settings)}", kin=one.name)
        near = list(dict.fromkeys([*unknown.near, *catalogue.near(name, [a.name for a in theirs])]))
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise _Nobody(
            f"there is no agent called {name!r}.{hint} Give a player's name (`freezetag list "
            "players`), a file my_agent.py, package.module:object, axelrod:Grudger, or a log: "
            "log:ledger.db."
        ) from None


def family_of(where: str) -> str:
    """What a file says in `FAMILY = "..."`; "" if it does not."""
    said = look.literal(where, look.FAMILY)
    return printable(said, 40) if isinstance(said, str) else ""


def _of_family(ref: Ref, kin: str) -> Ref:
    return Ref(ref.path, ref.settings, kin) if kin else ref


def _absolute(name: str) -> str:
    """A file's whole path, so that a worker finds it from any folder."""
    head, settings = parse(name)
    where, inner = source.parts(head)
    if head.endswith(".py") or Path(head).is_file():
        where, inner = head, ""
    path = Path(where).expanduser()
    if not path.is_file():
        return name
    return written(f"{path.resolve()}{':' if inner else ''}{inner}", settings)


def _object(agent: Any, step_seconds: float) -> tuple[Any, str, str, Adapter]:
    name = getattr(agent, "__name__", type(agent).__name__)
    if isinstance(agent, Log):
        return agent, name, "record of an agent that ran", NONE
    if isinstance(agent, Policy | Planner) and not isinstance(agent, type):
        if isinstance(agent, Planner):
            return agent, name, "planner", NONE
        return taken(agent), name, "JAX policy", NONE
    if callable(getattr(agent, "act", None)) or callable(agent):
        inside = Inside("object", name, step_seconds, given=agent, identity=id(agent))
        return inside, name, "Python object", NONE
    raise UnknownAgent(
        f"{printable(repr(agent), 80)} is not an agent: it has neither init and act (a JAX policy) "
        "nor act(observation)."
    )


def own_name(agent: str) -> str:
    """What an agent is by itself: without a prefix that only says what is asked of it."""
    _, _, inner = agent.strip().partition(":")
    return agent if adapter_of(agent).examined is None else inner


def adapter_of(agent: str) -> Adapter:
    """The adapter that a text names by its scheme; `NONE` for other agents."""
    scheme, colon, _ = agent.strip().partition(":")
    return adapter(scheme) if colon and scheme in schemes() and scheme != FILE else NONE
