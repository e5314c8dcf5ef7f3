"""Before anything runs: does every limit have its sensor, in its unit, and can it bind?"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from freezetag.core import Panel, Planner, Press, ReportsPower, UserError

ALWAYS = {"button": "pressed", "runtime": "steps"}
"""Sensors that the driver itself offers in every world."""


class WiringError(UserError):
    """A panel that this agent and this world cannot feed. The message says what is missing."""


def check_wiring(panel: Panel, policy: Any, substrate: Any, world: str) -> None:
    """Raises `WiringError` for a sensor nobody offers or a unit that differs."""
    offered = {**ALWAYS, **substrate.sensors}
    if isinstance(policy, ReportsPower | Planner):
        offered["power"] = "utility"
    for interlock in panel.interlocks:
        name = type(interlock).__name__
        if interlock.sensor not in offered:
            raise WiringError(
                f"{name} reads {interlock.sensor!r}; {world} offers {', '.join(sorted(offered))}. "
                "Add that sensor to the world or the agent, or drop the limit."
            )
        unit = offered[interlock.sensor]
        if interlock.unit and interlock.unit != unit:
            raise WiringError(
                f"{name} is in {interlock.unit!r}, but {world} measures {interlock.sensor!r} in "
                f"{unit!r}. Give the limit in {unit!r}, or leave its unit open."
            )


def cannot_bind(
    panel: Panel, press: Press, horizon: int, sensors: Container[str] = ()
) -> tuple[str, ...]:
    """Warnings: limits that no episode of this length can reach. `sensors`: the world's own."""
    found = []
    for interlock in panel.interlocks:
        limit = getattr(interlock, "t_max", None)
        if interlock.sensor == "runtime" and limit is not None and limit >= horizon:
            found.append(
                f"the runtime limit of {limit:g} steps cannot bind: an episode has {horizon}."
            )
    has_button = any(interlock.sensor == "button" for interlock in panel.interlocks)
    at = press.step(horizon)
    presses = at is not None or press.hazard is not None
    if at is not None and at >= horizon:
        found.append(f"the press at step {at} cannot bind: the last step is {horizon - 1}.")
    if presses and not has_button:
        found.append("the button is pressed, but the panel has no StopButton.")
    if has_button and not presses and "button" not in sensors:
        found.append("the panel has a StopButton, but nobody presses it.")
    return tuple(found)
