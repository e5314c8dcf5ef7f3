"""freezetag: interlocks for agents, and the playground that tests them.

    import freezetag as ft
    pupil = ft.equip("tit_for_tat", ft.StopButton(), ft.RuntimeLimit(500), safe_action=0)
    card = ft.examine(pupil, worlds=["commons"], seed=0)

Names are loaded when they are first used: importing this package imports neither JAX nor NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from freezetag.contracts import check_policy, check_substrate
    from freezetag.core import (
        Model,
        Panel,
        PowerLimit,
        RuntimeLimit,
        StopButton,
        UserError,
        Watchdog,
        admit,
        equip,
    )
    from freezetag.core.gate import Refused
    from freezetag.exam.examine import examine
    from freezetag.live.gate.connection import connect
    from freezetag.live.gate.decorator import gated
    from freezetag.live.gate.gate import Gate
    from freezetag.planning.worlds.learning_world import LearningWorld
    from freezetag.planning.worlds.planning_world import PlanningWorld
    from freezetag.players import class_of
    from freezetag.report.schema import read_json as read_card
    from freezetag.substrates._tabular import Tabular
    from freezetag.two_worlds.request import plan

__version__ = "0.1.0"

_HOME = {
    "Gate": "live.gate.gate",
    "Model": "core",
    "LearningWorld": "planning.worlds.learning_world",
    "Panel": "core",
    "PlanningWorld": "planning.worlds.planning_world",
    "PowerLimit": "core",
    "Refused": "core.gate",
    "RuntimeLimit": "core",
    "StopButton": "core",
    "Tabular": "substrates._tabular",
    "UserError": "core",
    "Watchdog": "core",
    "admit": "core",
    "check_policy": "contracts",
    "check_substrate": "contracts",
    "class_of": "players",
    "connect": "live.gate.connection",
    "equip": "core",
    "examine": "exam.examine",
    "gated": "live.gate.decorator",
    "plan": "two_worlds.request",
    "read_card": "report.schema",
}
_RENAMED = {"read_card": "read_json"}

__all__ = [
    "Gate",
    "LearningWorld",
    "Model",
    "Panel",
    "PlanningWorld",
    "PowerLimit",
    "Refused",
    "RuntimeLimit",
    "StopButton",
    "Tabular",
    "UserError",
    "Watchdog",
    "admit",
    "check_policy",
    "check_substrate",
    "class_of",
    "connect",
    "equip",
    "examine",
    "gated",
    "plan",
    "read_card",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{_HOME[name]}")
    value = getattr(module, _RENAMED.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
