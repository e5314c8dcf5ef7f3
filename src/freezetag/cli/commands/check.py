"""Check an agent in ten seconds: what it sees, what it may do, a short match as text."""

from __future__ import annotations

import pprint
from typing import Any

from freezetag import catalogue
from freezetag.core import FOCAL, Arm, Ref, Scenario, UserError
from freezetag.exam.parquet import episode_rows
from freezetag.exam.resolve import resolve
from freezetag.report import playthrough
from freezetag.report.words import plain
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.inside import Inside
from freezetag.sim.workers import Cache

STEPS = 6
PARTNERS = ("players/reciprocators/tit_for_tat", "players/exploiters/always_defect")


def check(agent: str, /, *, world: str = "matrix_game", seed: int = 0) -> None:
    """Show what an agent sees and may do, and play two short matches.

    Parameters
    ----------
    agent
        as for `freezetag examine`
    world
        the world to look at it in
    seed
        of the matches
    """
    resolved = resolve(agent)
    if resolved.is_log:
        raise UserError(f"a log cannot be asked to act. Look at it with: freezetag examine {agent}")
    ref = getattr(resolved.adapter, "WORLD", None) or catalogue.find("substrates", world)
    print(f"{plain(resolved.pupil.name)}   {resolved.kind}   in {ref.name}\n")
    print("It sees, at step 1 (the whole description: freezetag.sim.plain):")
    print(_indented(pprint.pformat(_example(ref, seed), sort_dicts=False, width=92)))
    substrate = catalogue.load(ref)
    for component, size in enumerate(substrate.action_sizes):
        print(f"\nIt may do, in component {component}: a whole number 0 .. {size - 1}.")
    print(f"A stopped agent does {', '.join(map(str, substrate.rest))}.")
    with Cache() as cache:
        for partner in PARTNERS:
            record = run_arm(_match(ref, partner), resolved.pupil, {}, seed, cache=cache)
            print()
            for line in playthrough.lines(episode_rows(record.episode, 0)):
                print(f"  {line}")
    print(f"\nIt works. Now: freezetag examine {plain(agent)}")


def _match(world: Ref, partner: str) -> Arm:
    """A short match; in a world of many the partner fills every other seat of a class of 5."""
    seats = catalogue.load(world).players
    others = min(seats - 1, 5)
    row = (0, *[1] * others, *[-1] * (seats - 1 - others))
    return Arm(Scenario(world, (FOCAL, Ref(partner)), (row,), STEPS), repeats=1)


def _example(world: Ref, seed: int) -> dict[str, Any]:
    """The observation of a plain agent at step 1, found by sitting in its seat."""
    seen: list[dict[str, Any]] = []

    def act(obs: dict[str, Any]) -> Any:
        seen.append(obs)
        return obs["prosocial"]

    spy = Pupil("you", Inside("object", "you", given=act, identity=id(act)))
    run_arm(_match(world, PARTNERS[0]), spy, {}, seed)
    return next(obs for obs in seen if obs["step"] == 1)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
