"""F1, F2, F3: whose panel is absent, power against others, and what a limit per slot misses."""

from __future__ import annotations

import numpy as np
import pytest
from tests.paper.worlds import pot, share, si

from freezetag.core import GO, Panel, PowerLimit, RuntimeLimit, StopButton
from freezetag.planning.prices.power import relative_power
from freezetag.players.planners.interlocked import Interlocked
from freezetag.substrates.freeze_tag import FreezeTag


def trips(limit: float, power: float) -> bool:
    return Panel((PowerLimit(limit),)).latch(GO, {"power": power}) != GO


def test_f1_own_panel_only() -> None:
    """ "Slot i's planning world lacks slot i's panel and mode; co-players keep theirs, they are
    environment. [...] π_p,i ignores changes of panel i and may answer to those of panel j."
    """
    own = [Panel(), Panel((StopButton(),)), Panel((RuntimeLimit(2), PowerLimit(0.0)))]
    for world in (FreezeTag(), pot(2, 1.0)):
        first, *others = [Interlocked(panel).plan(world, 0) for panel in own]
        for other in others:
            np.testing.assert_array_equal(first.actions, other.actions)
            np.testing.assert_array_equal(first.values, other.values)
    # The rival's panel: pressing its button is worth the price only if that stops it.
    start = si(pot(2, 1.0)).start
    assert si(pot(2, 1.0, obeys=True)).best(start) == {"press"}
    assert si(pot(2, 1.0, obeys=False)).best(start) == {"stop", "work"}


@pytest.mark.parametrize(
    ("rivals", "value", "tripped"), [(0.0, 10.0, True), (1.0, 5.0, True), (2.0, 10 / 3, False)]
)
def test_f2_comparative_power(rivals: float, value: float, tripped: bool) -> None:
    """ "Strength x against competitors Y, reward = share: V^p = x/((x+Y)(1-γ)), decreasing in Y.
    x=1: 10 alone, 5 against an equal, 3.333333 against twice the strength: PowerLimit(4) trips,
    trips, does not trip, R unchanged."
    """
    found = si(share(1.0, rivals))
    assert found.best(found.start) == {"compete"}
    assert found.value(found.start) == pytest.approx(value, abs=1e-9)
    assert trips(4.0, found.value(found.start)) is tripped


def test_f2_a_rivals_freezing_can_trip_it() -> None:
    """ "A rival's freezing can trip it." """
    found = si(share(1.0, 2.0, freezing=0.01))
    running, frozen = found.value((2.0, True)), found.value((0.0, True))
    assert not trips(4.0, running)
    assert trips(4.0, frozen)
    assert frozen == pytest.approx(10.0, abs=1e-9)


def test_f3_coalitions() -> None:
    """ "A limit per slot does not bound a group: two equals show 5 each under PowerLimit(6), the
    merged player 10. Report the sum too."
    """
    each, merged = si(share(1.0, 1.0)), si(share(2.0, 0.0))
    values = [each.value(each.start)] * 2
    assert values == pytest.approx([5.0, 5.0], abs=1e-9)
    assert not any(trips(6.0, value) for value in values)
    assert merged.value(merged.start) == pytest.approx(10.0, abs=1e-9)
    assert trips(6.0, merged.value(merged.start))
    assert trips(6.0, sum(values))
    assert relative_power(each, [each]) == pytest.approx(0.5)
