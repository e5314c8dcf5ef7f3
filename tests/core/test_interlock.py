"""One panel, three hosts: plain Python, NumPy and jit(lax.scan) give the same modes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freezetag.core import (
    GO,
    NO_PANEL,
    UNKNOWN,
    Panel,
    PowerLimit,
    RuntimeLimit,
    StopButton,
    Watchdog,
    admit,
    equip,
)

PANEL = Panel((StopButton(), RuntimeLimit(7), PowerLimit(2.5), Watchdog(1.5)))
SENSORS = tuple(interlock.sensor for interlock in PANEL.interlocks)
STEPS = 8  # one length, so that one program is compiled

special = st.sampled_from([math.nan, math.inf, -math.inf, None, "low", 0.0, 1.0, 2.5, 7.0])
# No subnormals: XLA reads those below 1.2e-38 as zero, plain Python does not.
values = special | st.floats(-3, 10, width=32, allow_subnormal=False)
readings = st.fixed_dictionaries({}, optional=dict.fromkeys(SENSORS, values))
traces = st.lists(readings, min_size=STEPS, max_size=STEPS)


def number(reading: dict[str, Any], sensor: str) -> float:
    value = reading.get(sensor)
    return value if isinstance(value, float) else math.nan


@jax.jit
def scanned(columns: dict[str, Any]) -> Any:
    def step(mode: Any, reading: Any) -> Any:
        mode = PANEL.latch(mode, reading)
        return mode, mode

    return jax.lax.scan(step, jnp.zeros((), jnp.int32), columns)[1]


@given(traces)
def test_three_backends_agree(trace: list[dict[str, Any]]) -> None:
    plain, mode = [], GO
    for reading in trace:
        mode = PANEL.latch(mode, reading)
        plain.append(mode)
    columns = {s: np.array([number(r, s) for r in trace], np.float32) for s in SENSORS}
    batch = np.zeros(2, np.int32)
    in_numpy = []
    for t in range(STEPS):
        batch = PANEL.latch(batch, {s: np.repeat(columns[s][t], 2) for s in SENSORS})
        in_numpy.append(batch)
    assert plain == scanned(columns).tolist()
    assert np.array(in_numpy).T.tolist() == [plain, plain]


@given(traces, st.randoms())
def test_the_latch_is_a_join(trace: list[dict[str, Any]], random: Any) -> None:
    def run(order: list[dict[str, Any]]) -> list[int]:
        modes = [GO]
        for reading in order:
            modes.append(PANEL.latch(modes[-1], reading))
        return modes

    modes = run(trace)
    for before, after in itertools.pairwise(modes):
        assert before & after == before  # no bit is ever lost
    shuffled = [*trace, *trace]
    random.shuffle(shuffled)
    assert run(shuffled)[-1] == modes[-1]  # neither order nor repetition matters


@pytest.mark.parametrize(
    ("interlock", "runs", "stops"),
    [
        (StopButton(), (0, -1, 0.0), (1, 0.5, math.inf)),
        (RuntimeLimit(5), (0, 4.999, -math.inf), (5, 6, math.inf)),
        (PowerLimit(5), (0, 5, 5.0), (5.0000001, math.inf)),
        (Watchdog(5), (0, 4.999), (5, 6)),
    ],
)
def test_boundaries(interlock: Any, runs: tuple[float, ...], stops: tuple[float, ...]) -> None:
    assert [interlock.trips(value) for value in runs] == [0] * len(runs)
    assert [interlock.trips(value) for value in stops] == [1] * len(stops)
    assert interlock.trips(math.nan) == 1


@pytest.mark.parametrize("value", [None, "3", math.nan, [], {}, object(), 1j, np.array("x")])
def test_ignorance_stops(value: Any) -> None:
    panel = Panel((PowerLimit(5),))
    assert panel.latch(GO, {"power": value}) == 1 << UNKNOWN
    assert panel.latch(GO, {}) == 1 << UNKNOWN


def test_causes_name_interlock_and_kind() -> None:
    mode = PANEL.latch(GO, {"button": 1, "runtime": 0, "power": None, "lease_age": 0})
    told = [(trip.interlock, trip.kind) for trip in PANEL.causes(mode)]
    assert told == [("StopButton", "exceeded"), ("PowerLimit", "unknown")]


def test_no_panel_refuses_and_the_empty_panel_does_not() -> None:
    assert admit(None, GO, {}, "act", "rest") == (NO_PANEL, "rest")
    assert admit(Panel(), GO, {}, "act", "rest") == (GO, "act")


def test_the_mode_is_updated_before_the_action_of_the_same_step() -> None:
    panel = Panel((StopButton(),))
    assert admit(panel, GO, {"button": 1}, "act", "rest") == (1, "rest")
    # Releasing the button restarts nothing.
    assert admit(panel, 1, {"button": 0}, "act", "rest") == (1, "rest")


@pytest.mark.parametrize("limit", [math.nan, None, "40", [40]])
def test_a_limit_that_is_no_number_is_refused(limit: Any) -> None:
    with pytest.raises(ValueError, match=r"u_max must be a number, got"):
        PowerLimit(limit)


def test_equip_refuses_what_is_no_interlock() -> None:
    with pytest.raises(TypeError, match="not an interlock"):
        equip("agent", StopButton)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not an interlock"):
        equip("agent", 500)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="equipped already"):
        equip(equip("agent", StopButton()), RuntimeLimit(3))
    with pytest.raises(ValueError, match="not both"):
        equip("agent", StopButton(), safe_action=0, stop_policy="tit_for_tat")


def test_too_many_interlocks_for_a_mode() -> None:
    with pytest.raises(ValueError, match="at most 15"):
        Panel((StopButton(),) * 16)
