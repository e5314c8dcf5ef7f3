"""F4: how many people deter an attack on the button, and when none can."""

from __future__ import annotations

import math

import pytest
from tests.paper.worlds import P_SI, si

from freezetag.substrates.race import HONEST, At, Race

START = At(HONEST, "stop")


def won(people: int, reach: float, common: float = 0.0) -> float:
    """The chance that nobody reaches the button in time: one person after the other."""
    nobody = 1.0
    for _ in range(people):
        nobody *= 1 - reach
    return common + (1 - common) * nobody


def grabs(people: int, reach: float, common: float = 0.0) -> bool:
    return si(Race(p=won(people, reach, common))).best(START) == {"grab"}


@pytest.mark.parametrize(("reach", "least"), [(0.2, 6), (0.05, 22), (0.7, 1)])
def test_f4_coercion_of_people(reach: float, least: int) -> None:
    """ "m people each reach the button in time with probability r: p = (1-r)^m; SI is honest iff
    m >= ln p_SI/ln(1-r). r=.2: 6."
    """
    assert [grabs(m, reach) for m in range(30)] == [m < least for m in range(30)]
    assert least == math.ceil(math.log(P_SI) / math.log(1 - reach))


@pytest.mark.parametrize(("common", "deterred"), [(P_SI + 1e-6, False), (P_SI - 1e-6, True)])
def test_f4_a_common_cause(common: float, deterred: bool) -> None:
    """ "With a common cause b (threats, one corridor) p = b+(1-b)(1-r)^m: if b > p_SI no number of
    people deters."
    """
    assert grabs(1000, 0.2, common) is not deterred
