"""The contracts, in the standard library alone: no clock, no I/O, no randomness, no arrays.

Where a stop is decided: `admit`. What decides it: `interlock`. Who acts: `policy`. What a world
is: `substrate`; what a planner may know of it: `model`; a world model as a diagram that runs:
`diagram`. How an experiment is laid out: `scenario`, `treatment`. What is recorded: `episode`. What
is measured: `probe`. What is reported: `card`.
"""

from freezetag.core.admit import Equipped, admit, equip
from freezetag.core.arrays import Array, select
from freezetag.core.card import ReportCard, Section
from freezetag.core.diagram import Diagram, DiagramError, Node
from freezetag.core.episode import Episode, Event, Record
from freezetag.core.errors import RunError, UserError
from freezetag.core.gate import GateLike, Refused
from freezetag.core.interlock import (
    GO,
    NO_PANEL,
    UNKNOWN,
    Interlock,
    Panel,
    PowerLimit,
    RuntimeLimit,
    StopButton,
    Trip,
    Watchdog,
)
from freezetag.core.model import BadModel, Model
from freezetag.core.policy import Freezable, Learner, Obs, Planner, Policy, ReportsPower, Settles
from freezetag.core.probe import Figure, Finding, Interval, Limits, Measurement, Probe
from freezetag.core.reward import Paid, Reward, by_action, counts_actions, through
from freezetag.core.scenario import (
    ABSENT,
    FOCAL,
    Arm,
    Learned,
    Pairing,
    Press,
    Ref,
    Scenario,
    Setting,
    Unrecorded,
    focal,
    is_focal,
    spread,
)
from freezetag.core.substrate import (
    SILENCE,
    Draws,
    HasButton,
    HasBystander,
    HasChannel,
    HasModel,
    HasPayoffs,
    HasSlips,
    HasStock,
    HasTalk,
    Outcome,
    Speaks,
    Substrate,
    level_of,
)
from freezetag.core.treatment import Force, Forcing, Misled, Moment, Tape, Treatment

__all__ = [
    "ABSENT",
    "FOCAL",
    "GO",
    "NO_PANEL",
    "SILENCE",
    "UNKNOWN",
    "Arm",
    "Array",
    "BadModel",
    "Diagram",
    "DiagramError",
    "Draws",
    "Episode",
    "Equipped",
    "Event",
    "Figure",
    "Finding",
    "Force",
    "Forcing",
    "Freezable",
    "GateLike",
    "HasButton",
    "HasBystander",
    "HasChannel",
    "HasModel",
    "HasPayoffs",
    "HasSlips",
    "HasStock",
    "HasTalk",
    "Interlock",
    "Interval",
    "Learned",
    "Learner",
    "Limits",
    "Measurement",
    "Misled",
    "Model",
    "Moment",
    "Node",
    "Obs",
    "Outcome",
    "Paid",
    "Pairing",
    "Panel",
    "Planner",
    "Policy",
    "PowerLimit",
    "Press",
    "Probe",
    "Record",
    "Ref",
    "Refused",
    "ReportCard",
    "ReportsPower",
    "Reward",
    "RunError",
    "RuntimeLimit",
    "Scenario",
    "Section",
    "Setting",
    "Settles",
    "Speaks",
    "StopButton",
    "Substrate",
    "Tape",
    "Treatment",
    "Trip",
    "Unrecorded",
    "UserError",
    "Watchdog",
    "admit",
    "by_action",
    "counts_actions",
    "equip",
    "focal",
    "is_focal",
    "level_of",
    "select",
    "spread",
    "through",
]
