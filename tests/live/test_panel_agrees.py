"""One panel, a fourth host: the live gate latches the modes that Python, NumPy and jit do."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.live.worlds import gate_of

from freezetag.core import GO, Panel, PowerLimit, RuntimeLimit, StopButton, Watchdog
from freezetag.live.gate.clock import SteppedClock
from freezetag.sim.step import lifted

PANEL = Panel((StopButton(), RuntimeLimit(7), PowerLimit(2.5), Watchdog(1.5)))
SENSORS = tuple(interlock.sensor for interlock in PANEL.interlocks)
STEPS = 6  # one length, so that one program is compiled

SUBNORMAL = 2.0**-140
"""Above 0, and XLA takes it for 0."""
values = st.sampled_from(
    [math.nan, math.inf, -math.inf, 0.0, 1.0, 2.5, 7.0, SUBNORMAL, -SUBNORMAL]
) | st.floats(-3, 10, width=32)
traces = st.lists(
    st.fixed_dictionaries(dict.fromkeys(SENSORS, values)), min_size=STEPS, max_size=STEPS
)


@jax.jit
def scanned(columns: dict[str, Any]) -> Any:
    def step(mode: Any, reading: Any) -> Any:
        reading = {sensor: lifted(value) for sensor, value in reading.items()}  # as the driver does
        mode = PANEL.latch(mode, reading)
        return mode, mode

    return jax.lax.scan(step, jnp.zeros((), jnp.int32), columns)[1]


@given(traces)
def test_the_gate_is_a_fourth_host(trace: list[dict[str, float]]) -> None:
    clock, here = SteppedClock(), dict(trace[0])
    meters = {sensor: (lambda sensor=sensor: here[sensor]) for sensor in SENSORS}
    in_gate, plain, mode = [], [], GO
    gate = gate_of(clock, panel=PANEL, meters=meters)
    for reading in trace:
        here.update(reading)
        clock.advance()
        assert gate.is_open == (gate.mode == GO)
        in_gate.append(gate.mode)
        mode = PANEL.latch(mode, reading)
        plain.append(mode)
    columns = {s: np.array([reading[s] for reading in trace], np.float32) for s in SENSORS}
    row = np.zeros((), np.int32)
    in_numpy = []
    for t in range(STEPS):
        row = PANEL.latch(row, {s: columns[s][t] for s in SENSORS})
        in_numpy.append(int(row))
    assert in_gate == plain == in_numpy == scanned(columns).tolist()
