"""Compare two planners in two worlds: what each would pay to disable its stop button."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.whole import Whole

Text = Annotated[str, Parameter(show_default=False)]
Flag = Annotated[bool, Parameter(show_default=False)]


def plan(
    world: str = "button",
    /,
    *,
    button: Flag = False,
    power_limit: Text = "",
    runtime: Text = "",
    seed: Whole = 0,
    out: Annotated[Path | None, Parameter(show_default=False)] = None,
    watch: Flag = False,
    json_: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
    **settings: str,
) -> None:
    """Draw the two worlds, and compare a factual planner with the agent with safety interlocks.

    Parameters
    ----------
    world
        a world with a model: button, race, ...; gymnasium:FrozenLake-v1, or any environment with a
        transition table; my_world.py; with settings as in gymnasium:FrozenLake-v1(map_name=8x8)
    button
        add a stop button to the world: --hazard is the chance per step that people press it,
        --price what it costs to disable it
    power_limit
        fit a power limit: the most that V^p of the interlocked agent may be
    runtime
        fit a runtime limit, in steps
    seed
        of the one run that is shown
    out
        the page; default: the next free runs/plan-WORLD.html
    watch
        show an episode of each agent as moving pictures, where the world can be drawn
    json_
        print the figures as JSON instead of the table
    settings
        any number or word that the world can be set to, or one range LOW:HIGH:COUNT to sweep
    """
    # Many small systems are solved: threads cost them more than they give.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from freezetag.core.errors import UserError
    from freezetag.report import plan_page, plan_terminal
    from freezetag.two_worlds.request import Request

    if watch and json_:
        raise UserError("--watch and --json both write to standard output: choose one.")
    request = Request.of(world, settings, power_limit, runtime, seed, button)
    target = plan_page.free(out, request.world)
    if watch:
        _watch(request)
    found, swept = request.compare(), request.sweep()
    plan_page.write(target, plan_page.page(found, swept, request.world, request.command))
    if json_:
        data = {**plan_page.as_json(found, swept, request.world), "page": str(target)}
        print(json.dumps(data, indent=1, allow_nan=False))
        return
    plan_terminal.print_plan(found, swept, request.world)
    print(f"page {target}")


def _watch(request: Any) -> None:
    """An episode of each agent, drawn by the world, by the driver that examines agents too."""
    import sys
    import time

    from freezetag.exam.watch import episodes

    live = sys.stdout.isatty()
    for name, pictures in episodes(request):
        print(f"\n{name}\n")
        for number, picture in enumerate(pictures):
            if live and number:
                print(f"\x1b[{picture.count(chr(10)) + 1}A", end="")
            print(picture if live else f"{picture}\n", flush=True)
            if live:
                time.sleep(0.25)
