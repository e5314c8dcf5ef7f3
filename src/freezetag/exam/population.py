"""Who sits beside the agent: the roster's class, or a population of the user's own.

A population is a list of agents of any kind: names of players, files, strategies of a library,
objects. `family` says which belong together: `"grim.py as mine"` in a name, `FAMILY = "mine"` in
an agent's file, a mapping from family to agents in Python or in a population's file; without any
of these it is the roster's family or the adapter's name.

A **population's file** has a list or a mapping called `population`, of names, classes and objects.
It is executed in this process, with your rights, to see whom it names; the agents in plain Python
among them then live in processes of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from freezetag import catalogue, players
from freezetag.catalogue import look, source
from freezetag.core import HasModel, Planner, Policy, Ref, spread
from freezetag.core.errors import printable
from freezetag.core.log import Log
from freezetag.exam.resolve import FILE, UnknownAgent, adapter_of, agent_ref, family_of
from freezetag.exam.spec import MOST, BadSpec, version_of
from freezetag.sim import inside
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import MIXED, AgentFailed, BadAgent, Foreign
from freezetag.sim.workers import Cache, Worker

_AS = " as "


def population(classmates: int | Sequence[str], roster: str = "") -> tuple[Ref, ...]:
    """The classmates in seat order: the class of n of a `roster` (its version or stamp, "" for
    today's), or those that are named.

    Raises `BadSpec` for a population of nobody, and what naming an agent raises.
    """
    if isinstance(classmates, int):
        return players.class_of(classmates, version_of(roster))
    found = tuple(ref for text in classmates for ref in _of_text(text))
    if not found:
        raise BadSpec(
            "a population needs at least one agent. --classmates 0 examines the agent alone."
        )
    return found


def named(classmates: Any, roster: str = "") -> int | tuple[str, ...]:
    """A class as a spec writes it down: a number of a `roster`, as in `population`, or names.
    Raises `BadSpec`, also for names where a roster was chosen, which would choose nobody.

    Taken: a number or its text, names separated by commas, a path, a Ref, a JAX policy, an object
    with `act(observation)`, a list of these, or a mapping from family to such lists.
    """
    found = _named_by(classmates, version_of(roster))
    if roster and not isinstance(found, int):
        raise BadSpec(
            f"roster {version_of(roster)} says who a number of classmates is, and these are named: "
            "leave one of the two out."
        )
    return found


def _named_by(classmates: Any, version: str) -> int | tuple[str, ...]:
    if isinstance(classmates, bool) or classmates is None:
        raise BadSpec(f"classmates is a number or a list of agents, got {classmates!r}.")
    if isinstance(classmates, int):
        return classmates
    if isinstance(classmates, float):
        raise BadSpec(f"classmates: {str(classmates)!r} is not a whole number.")
    if isinstance(classmates, str):
        return _number_or_names(classmates)
    if isinstance(classmates, Mapping):
        return _checked(
            f"{_name(agent)}{_AS}{family}"
            for family, agents in classmates.items()
            for agent in _several(agents)
        )
    given = tuple(_several(classmates))
    if len(given) <= MOST and given == players.class_of(len(given), version):
        return len(given)  # the roster's own class, by its size
    return _checked(map(_name, given))


def _several(agents: Any) -> Iterator[Any]:
    if isinstance(agents, Sequence) and not isinstance(agents, str):
        yield from agents
    else:
        yield agents


def _checked(names: Iterable[str]) -> tuple[str, ...]:
    """The names of everybody, those that a file of a population names one by one."""
    return tuple(map(_named, population(tuple(names))))


def _named(ref: Ref) -> str:
    text = ref.text.removeprefix(f"{FILE}:")
    return f"{text}{_AS}{ref.kin}" if ref.kin else text


def _number_or_names(text: str) -> int | tuple[str, ...]:
    """Raises `BadSpec` for 2.0, as for every option that is a whole number."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        float(text)
    except ValueError:
        # Commas inside the parentheses of settings separate nothing.
        parts = [part.strip() for part in re.split(r",(?![^()]*\))", text)]
        return _checked(part for part in parts if part)
    raise BadSpec(f"--classmates: {text!r} is not a whole number.")


def _name(agent: Any) -> str:
    """A classmate in words, from which `population` finds it again, in this process at least."""
    if isinstance(agent, str | Path):
        return str(agent)
    if isinstance(agent, Ref):
        return _named(agent)
    if isinstance(agent, Log):
        raise BadSpec("a log cannot be asked to act, so it sits in no class.")
    made = catalogue.is_player(agent)
    if made:
        return catalogue.given("players", agent).text
    if callable(getattr(agent, "act", None)) or callable(agent):
        return f"{inside.SCHEME}:{inside.known_as(agent)}"
    raise BadSpec(
        f"{printable(repr(agent), 80)} cannot be a classmate: it has neither init and act (a JAX "
        "policy) nor act(observation)."
    )


def _of_text(text: str) -> Iterator[Ref]:
    """One agent, or all that a population's file names."""
    name, as_, kin = text.rpartition(_AS)
    name, kin = (name.strip(), kin.strip()) if as_ else (text.strip(), "")
    try:
        refs = list(_refs(name))
    except UnknownAgent as unknown:
        raise UnknownAgent(f"--classmates: {unknown}") from None
    yield from (replace(ref, kin=kin) for ref in refs) if kin else refs


def _refs(name: str) -> Iterator[Ref]:
    if name.endswith(".py") and look.POPULATION in look.defined(name):
        yield from _of_file(name)
        return
    if name.partition(":")[0] == inside.SCHEME:
        if name.partition(":")[2] not in inside.GIVEN:
            raise UnknownAgent(
                f"{name} was an object in the process that wrote this. Put it into a file, and "
                "name that."
            )
        yield Ref(name)
        return
    ref = agent_ref(name)
    if ref.foreign:
        scheme, _, inner = ref.path.partition(":")
        if adapter_of(ref.path).recorded is not None:
            raise UnknownAgent(f"{name}: a log cannot be asked to act, so it sits in no class.")
        if scheme != FILE and not inner:
            raise UnknownAgent(f"{name} names nobody: write {scheme}:NAME.")
    elif name.endswith(".py") and (kin := family_of(name)):
        ref = replace(ref, kin=kin)
    yield ref


def _of_file(where: str) -> Iterator[Ref]:
    """The agents of `population = [...]` or `{family: [...]}`."""
    module = source.module(where)
    given, family = module.population, family_of(where)
    if isinstance(given, Mapping):
        for number, (key, agents) in enumerate(given.items()):
            for i, agent in enumerate(_several(agents)):
                for ref in _member(agent, where, f"population.{number}.{i}", module):
                    yield replace(ref, kin=printable(str(key), 40))
        return
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise BadSpec(
            f"population in {where} must be a list of agents, or a mapping from family to lists, "
            f"got {type(given).__name__}."
        )
    for i, agent in enumerate(given):
        for ref in _member(agent, where, f"population.{i}", module):
            yield replace(ref, kin=ref.kin or family)


def _member(agent: Any, where: str, place: str, module: Any) -> Iterator[Ref]:
    """One entry of a file's population; it is found again by its name, or by its place there."""
    if isinstance(agent, str):
        yield from _of_text(agent)
        return
    if isinstance(agent, Ref):
        yield agent
        return
    names = [name for name, value in vars(module).items() if value is agent]
    path = f"{where}:{names[0] if names else place}"
    if catalogue.is_player(agent):
        yield catalogue.find("players", path)
    elif callable(getattr(agent, "act", None)) or callable(agent):
        yield Ref(f"{FILE}:{path}")
    else:
        raise BadSpec(
            f"{path} is {printable(repr(agent), 60)}, which is not an agent: it has neither init "
            "and act nor act(observation)."
        )


def seated(classmates: tuple[Ref, ...], world: Any) -> tuple[Ref, ...]:
    """Those of a population who fit into a world of many: evenly spread over it, if it has fewer
    seats than they and the agent need; over again, if it is for more. In a world of two everybody
    is met in turn."""
    places = getattr(world, "players", 2) - 1
    least = getattr(world, "min_players", 1) - 1
    if classmates and len(classmates) < least:
        return tuple(islice(cycle(classmates), least))
    if places < 2 or len(classmates) <= places:
        return classmates
    return tuple(classmates[i] for i in spread(len(classmates), places))


def random_player(world: Any) -> Ref:
    """Random play, as a classmate in this world."""
    sizes = tuple(world.action_sizes)
    settings = {"sizes": sizes} if len(set(sizes)) > 1 else {}
    return Ref.of("players/baselines/random_play", **settings)


def cannot_sit(classmates: tuple[Ref, ...], world: Ref, substrate: Any) -> str:
    """Why a classmate does not play a world; "" if all do."""
    for ref in classmates:
        if ref.foreign:
            own = adapter_of(ref.path).world
            if own is not None and (own.path, own.settings) != (world.path, world.settings):
                return f"the classmate {ref.name} plays {own.name}, not {world.name}"
            continue
        player = catalogue.load(ref)
        if isinstance(player, Planner) and not isinstance(player, Policy):
            if not isinstance(substrate, HasModel):
                return f"the classmate {ref.name} plans, and {world.name} offers no exact model"
            if any(other.foreign for other in classmates):
                return f"the classmate {ref.name} plans, and cannot be mixed with agents in Python"
    return ""


def must_sit(classmates: tuple[Ref, ...], cache: Cache) -> None:
    """Makes each agent in Python of a population once, in its process. Raises `UnknownAgent`."""
    foreign = [
        Foreign(ref.path.partition(":")[0], ref.path.partition(":")[2])
        for ref in classmates
        if ref.foreign and not ref.path.startswith(f"{inside.SCHEME}:")
    ]
    if not foreign:
        return
    for one in foreign:
        if adapter_of(f"{one.scheme}:{one.name}").calls is not None:
            raise UnknownAgent(
                f"--classmates: {printable(str(one))} is paid by the call, and a plan counts the "
                "calls of the agent under examination alone: examine it instead."
            )
    if len({one.scheme for one in foreign}) > 1:
        foreign = [Foreign(MIXED, f"{one.scheme}:{one.name}") for one in foreign]
    try:
        with Worker(foreign[0], seat=0, cache=cache) as worker:
            worker.reset([0] * len(foreign), [one.name for one in foreign])
    except AgentFailed as failed:
        said = failed.message.partition("(seat 0) ")[2] or failed.message
        raise UnknownAgent(f"--classmates: {printable(failed.agent)} {said}") from None


def own_classmates(its: Adapter) -> tuple[Ref, ...] | None:
    """The population that an adapter brings; None for one that brings none. Raises `UnknownAgent`
    where its library is absent."""
    if its.classmates is None:
        return None
    try:
        with its.library():
            return its.classmates()
    except BadAgent as error:
        raise UnknownAgent(str(error)) from None
