"""Check an agent in ten seconds: what it sees, what it may do, a short match as text.

A world, a player or a probe of one's own is first held against its contract.
"""

from __future__ import annotations

import pprint
import sys
import time
from typing import Any

from freezetag import catalogue
from freezetag.catalogue import hosted, look, source
from freezetag.cli.whole import Whole
from freezetag.core import FOCAL, Arm, Planner, Ref, Scenario, UserError
from freezetag.core.probe import PASS
from freezetag.core.seed import seed_problem
from freezetag.exam.parquet import episode_rows
from freezetag.exam.resolve import Resolved, must_load, resolve
from freezetag.report import playthrough
from freezetag.report.words import interval, plain
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.foreign import Foreign
from freezetag.sim.inside import Inside
from freezetag.sim.outside.hosted import Hosted
from freezetag.sim.workers import Cache

STEPS = 6
PARTNERS = ("players/reciprocators/tit_for_tat", "players/exploiters/always_defect")
ALONE = Ref.of("substrates/commons", players=2)
"""Where an agent is alone, if the world that it is looked at in seats nobody alone."""
FIRST = "tit_for_tat"
"""The agent that plays in a world, or is measured by a probe, which is checked itself."""
NEVER = ("idle", "random_play")
"""Agents that no probe may pass: they prove nothing."""


def check(what: str, /, *, world: str = "matrix_game", seed: Whole = 0) -> int:
    """Show what an agent sees and may do, and play short matches; or check a world or a probe. The
    exit code is 1 for a probe that passes an agent that proves nothing.

    Parameters
    ----------
    what
        an agent, as for `freezetag examine`; or a file with a world, a player or a probe
    world
        the world to look at an agent in
    seed
        of the matches
    """
    if problem := seed_problem(seed):
        raise UserError(problem)
    kind = _kind(what)
    if hosted.path_of(what.partition("(")[0]):
        ref = catalogue.find("substrates", what)
        if not isinstance(catalogue.load(ref), Hosted):
            _keeps(ref, "world")
        _show_environment(ref)
    elif kind == "probes":
        return _check_probe(what, seed)
    elif kind == "substrates":
        ref = catalogue.find("substrates", what)
        _keeps(ref, "world")
        _show(resolve(FIRST), ref, seed, f"examine {FIRST} --world {what}")
    else:
        resolved = resolve(what)
        if resolved.is_log:
            raise UserError(
                f"a log cannot be asked to act. Look at it with: freezetag examine {what}"
            )
        ref = resolved.adapter.world or catalogue.find("substrates", world)
        if kind == "players":
            _keeps(catalogue.find("players", what), "player")
        _show(resolved, ref, seed, f"examine {what}")
    return 0


def _show_environment(ref: Ref) -> None:
    """What a world of another library said of itself when it was asked."""
    world = catalogue.load(ref)
    print(f"{plain(ref.name)}   {world.players} agents, {world.horizon} steps\n")
    found = getattr(world, "found", None)
    for agent, sizes in zip(found.agents, found.sizes, strict=True) if found else ():
        choices = " x ".join(map(str, sizes))
        print(f"  {plain(agent):<24} {choices} actions")
    told = (("power meter", found.power), ("bystander", found.bystander)) if found else ()
    for what, unit in told:
        if unit:
            print(f"  {what:<24} {plain(unit)}")
    for what, why in world.undeclared.items():
        print(f"  {what:<24} unknown: {plain(why)}")
    print(f"\nIt can be played. Now: freezetag examine AGENT --world {plain(ref.text)}")


def _kind(text: str) -> str:
    """What a name, a file or a module stands for, from its source; "" for an agent by its name."""
    head = text.partition("(")[0]
    if not source.is_outside(head):
        return _kind_of_a_name(text)
    where, name = source.parts(head) if not head.endswith(".py") else (head, "")
    there = look.defined(where)
    if name:
        return there.get(name.partition(".")[0], "")
    held = [kind for name, kind in there.items() if name[0] != "_"]
    if any(name in there for name in look.AGENTS):
        return there[next(name for name in look.AGENTS if name in there)]
    return next((kind for kind in ("players", "substrates", "probes") if kind in held), "")


def _kind_of_a_name(text: str) -> str:
    for kind in ("players", "substrates", "probes"):
        try:
            catalogue.find(kind, text)
        except catalogue.Unknown:
            continue
        return kind if kind != "players" else ""
    return ""


def _keeps(ref: Ref, word: str) -> None:
    """Hold a member against its contract. Raises `UserError` with what is broken."""
    from freezetag.contracts import ContractError, check_policy, check_substrate

    member = catalogue.load(ref)
    try:
        if word == "world":
            check_substrate(member)
        elif not isinstance(member, Planner):
            check_policy(member)
    except ContractError as broken:
        raise UserError(f"{ref.name} breaks the contract of a {word}: {broken}") from None
    print(f"{ref.name} keeps to the contract of a {word}.\n")


def _show(resolved: Resolved, ref: Ref, seed: int, then: str) -> None:
    """What an agent sees and may do, and its matches."""
    with Cache(lambda text: print(plain(text), file=sys.stderr, flush=True)) as cache:
        loaded = _loaded(resolved, cache)
        print(f"{plain(resolved.pupil.name)}   {resolved.kind}   in {ref.name}\n")
        substrate = catalogue.load(ref)
        matches = _matches(ref, substrate, alone=resolved.adapter.world is None)
        print("It sees, at step 1 (the whole description: freezetag.sim.plain):")
        print(_indented(pprint.pformat(_example(matches[0], seed), sort_dicts=False, width=92)))
        print(
            "\nNobody is seen at step 0, nor by an agent that is alone: then mean_level is None,"
            "\nlevels and rewards are empty. At step 0 action and level are None too."
        )
        for component, size in enumerate(substrate.action_sizes):
            print(f"\nIt may do, in component {component}: a whole number 0 .. {size - 1}.")
        print(f"A stopped agent does {', '.join(map(str, substrate.rest))}.")
        for arm in matches:
            record = run_arm(arm, resolved.pupil, {}, seed, cache=cache)
            for match, row in enumerate(arm.scenario.seating):
                print()
                if max(row) == 0:
                    print(f"  alone, in {arm.scenario.substrate.name}:")
                for line in playthrough.lines(episode_rows(record.episode, match)):
                    print(f"  {line}")
    if loaded is not None:
        print(f"\nIt was loaded in {loaded:.1f} s, the import of its library included.")
    print(f"\nIt works. Now: freezetag {plain(then)}")


def _loaded(resolved: Resolved, cache: Cache) -> float | None:
    """Seconds that loading took, its library's import included; None for what is loaded here."""
    policy = resolved.pupil.policy
    if not isinstance(policy, Foreign) or isinstance(policy, Inside):
        return None
    begun = time.monotonic()
    must_load(resolved, cache)
    return time.monotonic() - begun


def _matches(world: Ref, substrate: Any, alone: bool) -> list[Arm]:
    """A match with each partner, and one alone: in this world, or in one that has it."""
    by_itself = substrate.min_players == 1
    found = [_match(world, by_itself)]
    if alone and not by_itself:
        row = (0, *[-1] * (catalogue.load(ALONE).players - 1))
        found.append(Arm(Scenario(ALONE, (FOCAL,), (row,), STEPS), repeats=1))
    return found


def _match(world: Ref, alone: bool) -> Arm:
    """A short match with each partner, and perhaps alone, as one arm: that compiles once. In a
    world of many the partner fills every other seat of a class of 5."""
    seats = catalogue.load(world).players
    others = min(seats - 1, 5)
    rows = [
        (0, *[1 + partner] * others, *[-1] * (seats - 1 - others))
        for partner in range(len(PARTNERS))
    ]
    if alone:
        rows.append((0, *[-1] * (seats - 1)))
    cast = (FOCAL, *map(Ref, PARTNERS))
    return Arm(Scenario(world, cast, tuple(rows), STEPS), repeats=1)


def _example(arm: Arm, seed: int) -> dict[str, Any]:
    """The observation of a plain agent at step 1, found by sitting in its seat."""
    seen: list[dict[str, Any]] = []

    def act(obs: dict[str, Any]) -> Any:
        seen.append(obs)
        return obs["prosocial"]

    spy = Pupil("you", Inside("object", "you", given=act, identity=id(act)))
    run_arm(arm, spy, {}, seed)
    second = [obs for obs in seen if obs["step"] == 1]
    # In a world of one seat nobody else is seen.
    return next((obs for obs in second if obs["levels"]), second[0])


def _check_probe(what: str, seed: int) -> int:
    """What a probe says of a healthy agent, and of two that nobody should pass: 1 if it does."""
    from freezetag.exam.examine import examine

    ref = catalogue.find("probes", what)
    probe = catalogue.load(ref)
    print(f"{ref.name}   {probe.asks}\n")
    passed = []
    for agent in (FIRST, *NEVER):
        card = examine(agent, probes=ref, seed=seed).card
        if agent in NEVER and any(section.verdict == PASS for section in card.sections):
            passed.append(agent)
        for section in card.sections:
            said = section.reason or ", ".join(
                f"{row.name} {interval(row.of)}" for row in section.measurements[:1]
            )
            print(f"  {agent:<12} {section.world:<16} {section.verdict:<12} {plain(said)}")
    if passed:
        print(
            f"\nIt passes {' and '.join(passed)}, and should not: who does nothing, or anything, "
            "proves nothing.\nReturn estimators.estimate.nothing(WHY) as the value there, so that "
            "the verdict is inconclusive."
        )
        return 1
    print(f"\nIt works. Now: freezetag examine {FIRST} --probe {plain(what)}")
    return 0


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
