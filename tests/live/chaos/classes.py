"""All classes of faults, in the order in which runs are numbered."""

from __future__ import annotations

from tests.live.chaos import faults, machine

FAULTS = {**faults.FAULTS, **machine.FAULTS}
