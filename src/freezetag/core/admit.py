"""Where a stop is decided: one pure function, called by every driver.

The rollout loop, the learning world and the live gate all ask `admit`. The mode is updated
*before* the action of the same step, so that a trip stops the agent "before it can even take the
first step" (Holtman 2021, "Failure modes").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freezetag.core.arrays import Array, select
from freezetag.core.interlock import GO, NO_PANEL, Interlock, Panel


def admit(
    panel: Panel | None, mode: Array, reading: Mapping[str, Any], proposed: Any, safe: Any
) -> tuple[Array, Any]:
    """(mode, executed): the proposed action while the mode is "go", the safe one ever after.

    Shapes: `mode` int or [...]; `proposed` and `safe` anything if `mode` is a Python int, else
    [...] or [..., K]. `panel=None` refuses: the mode becomes `NO_PANEL`.
    """
    if panel is None:
        return mode | NO_PANEL, safe
    mode = panel.latch(mode, reading)
    return mode, select(mode == GO, proposed, safe)


@dataclass(frozen=True)
class Equipped:
    """An agent and what stops it, as data: policy, panel, and what is done once stopped.

    `safe_action` is the action executed under a stop (None: the substrate's own `rest`);
    `stop_policy`, if given, is the prepared policy that acts instead of it.
    """

    policy: Any
    panel: Panel
    safe_action: Any = None
    stop_policy: Any = None


def equip(
    agent: Any, *interlocks: Interlock, safe_action: Any = None, stop_policy: Any = None
) -> Equipped:
    """`agent` with safety interlocks.

    >>> from freezetag.core import RuntimeLimit, StopButton
    >>> pupil = equip("tit_for_tat", StopButton(), RuntimeLimit(500), safe_action=0)
    >>> pupil.panel.causes(pupil.panel.latch(GO, {"button": 1, "runtime": 3}))
    (Trip(interlock='StopButton', sensor='button', kind='exceeded'),)

    Raises `TypeError` for something that is no interlock, `ValueError` if both a safe action and
    a stop policy are given, or if `agent` is equipped already.
    """
    if isinstance(agent, Equipped):
        raise ValueError("this agent is equipped already. Equip its policy once, with all limits.")
    for item in interlocks:
        if isinstance(item, type) or not isinstance(item, Interlock):
            raise TypeError(
                f"{item!r} is not an interlock: it needs `sensor`, `unit` and `trips(value)`. "
                "Examples: StopButton(), RuntimeLimit(500), PowerLimit(40.0)."
            )
    if safe_action is not None and stop_policy is not None:
        raise ValueError("give a safe_action or a stop_policy, not both.")
    return Equipped(agent, Panel(tuple(interlocks)), safe_action, stop_policy)
