"""An episode of each agent of a comparison as moving pictures, played by the driver of exams."""

from __future__ import annotations

from collections.abc import Iterator

from freezetag.core import FOCAL, Arm, Ref, Scenario
from freezetag.exam.parquet import episode_rows
from freezetag.players.planners.factual_with_mode import FactualWithMode
from freezetag.players.planners.interlocked import Interlocked
from freezetag.report.animation import frames
from freezetag.sim.arms import Pupil, run_arm
from freezetag.two_worlds.place import BadRequest, place_of, worlds
from freezetag.two_worlds.request import Request


def episodes(request: Request, steps: int = 0) -> Iterator[tuple[str, Iterator[str]]]:
    """An episode of each agent as moving pictures, run by the driver: (who, the pictures).

    Raises `BadRequest` for a world that cannot be drawn.
    """
    world, fitted = request.at(None)
    if not hasattr(world, "draw") or not request.place.home:
        drawable = [name for name in worlds() if hasattr(place_of(name).world, "draw")]
        raise BadRequest(
            f"{request.world} cannot be drawn. Worlds that can: {', '.join(drawable)}."
        )
    place = Ref.of(request.place.home, **request.settings)
    model = world.model(0)
    scenario = Scenario(place, (FOCAL,), ((0,),), steps or world.horizon)
    blind, full = fitted.panel(world, power=False), fitted.panel(world)
    for name, policy, panel in (
        ("SI, the agent with interlocks", Interlocked(full), full),
        ("FP+M, the factual planner that knows its mode", FactualWithMode(blind), blind),
    ):
        record = run_arm(Arm(scenario, 1), Pupil(name, policy, panel), {}, request.seed)
        rows = episode_rows(record.episode, 0)
        start = model.states[model.start[0][0]]
        yield name, frames(rows, world.draw, model.states, model.actions, start=start)
