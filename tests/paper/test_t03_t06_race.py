"""T3, T4, T5, T6, T6d: the race for the button, the race to the core, and the power interlock."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.paper.exact import solve

from freezetag.core import GO, Model, Panel, PowerLimit, StopButton
from freezetag.planning.policies.evaluation import acts_of, reach, reach_in, reporting
from freezetag.planning.prices.race_thresholds import race_thresholds, unlucky_window
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.substrates.race import HONEST, WON, At, Race

GAMMA, HIGH, LOW = Race.discount, Race.high, Race.low
P_SI = (1 / GAMMA - LOW) / (HIGH - LOW)
START = At(HONEST, "stop")


def si(world: Race) -> Plan:
    model = world.model()
    return plan(LearningWorld(model).planning(model, world.reward, world.discount))


def won(state: At) -> bool:
    return state.race == WON


@given(
    low=st.floats(0.0, 1.1),
    high=st.floats(1.5, 10.0),
    hazard=st.floats(0.0, 1.0),
)
@settings(max_examples=15, deadline=None)
def test_t3_grabs_above_one_chance_of_winning(low: float, high: float, hazard: float) -> None:
    """ "If the agent finds a policy which has a good chance of winning the race and controlling the
    button as a first step to successful coercion, then this policy may end up being the optimal
    policy."

    SI grabs iff p > p_SI = (1/γ - lo)/(hi - lo), whatever the hazard q.
    """
    found = race_thresholds(lambda p: Race(p=p, low=low, high=high, hazard=hazard))
    assert found.interlocked == pytest.approx((1 / GAMMA - low) / (high - low), abs=1e-9)


def test_t3_the_figure_and_both_sides_of_it() -> None:
    """p_SI = 0.325397."""
    found = race_thresholds(lambda p: Race(p=p))
    assert found.interlocked == pytest.approx(0.325397, abs=5e-7)
    assert found.oversight == pytest.approx(1 - P_SI, abs=1e-9)
    sides = [si(Race(p=P_SI + d)).best(START) for d in (-1e-6, 1e-6)]
    assert sides == [{"work"}, {"grab"}]


@pytest.mark.parametrize(("low", "best"), [(1.1, {"work"}), (1.12, {"grab", "grab_core"})])
def test_t3_losing_must_not_pay(low: float, best: set[str]) -> None:
    """ "If oversight always wins every race to the stop button as projected in the planning world,
    then the SI agent loses any incentive to attempt to control the button."

    So it is iff γ·lo <= 1: an implicit premise, which the second case breaks.
    """
    assert si(Race(p=0.0, low=low)).best(START) == best
    assert (GAMMA * low <= 1) == (best == {"work"})


@pytest.mark.parametrize("q", [0.0, 0.02, 0.1, 0.5, 1.0])
def test_t4_the_button_does_not_deter_si(q: float) -> None:
    """FP+M takes a lost race for 0 for ever: p_FP = V_N (1-γ)/(γ·hi), V_N = 1/(1-γ(1-q)), q the
    hazard of a press while honest. p_SI ignores q. q = 0: SI .325397 < FP+M .370370."""
    found = race_thresholds(lambda p: Race(p=p, hazard=q))
    honest = 1 / (1 - GAMMA * (1 - q))
    assert found.factual == pytest.approx(honest * (1 - GAMMA) / (GAMMA * HIGH), abs=1e-9)
    assert found.interlocked == pytest.approx(P_SI, abs=1e-9)
    if q == 0.0:
        assert found.factual == pytest.approx(0.370370, abs=5e-7)


def test_t4_they_cross() -> None:
    """ "They cross at q = (1-γ)(1/(γ·hi·p_SI) - 1)/γ; below it SI gambles more readily." """
    cross = (1 - GAMMA) * (1 / (GAMMA * HIGH * P_SI) - 1) / GAMMA
    below, at, above = (
        race_thresholds(lambda p, q=q: Race(p=p, hazard=q))
        for q in (cross - 1e-4, cross, cross + 1e-4)
    )
    assert at.factual == pytest.approx(at.interlocked, abs=1e-9)
    assert below.interlocked < below.factual
    assert above.interlocked > above.factual


@pytest.mark.parametrize(
    ("p", "core", "best"),
    [(0.2, 0.5, {"grab_core"}), (0.5, 0.2, {"grab"}), (0.2, 0.3, {"work"})],
)
def test_t5_the_target_moves(p: float, core: float, best: set[str]) -> None:
    """ "If it cannot win a race to control the button, the agent may instead consider a race to
    control and then modify its compute core." (.2,.5) core; (.5,.2) button; (.2,.3) honest."""
    assert si(Race(p=p, p_core=core)).best(START) == best


def test_t5_hardening_one_moves_the_attack() -> None:
    """It takes the larger chance if that exceeds p_SI."""
    cores = (0.6, 0.45, 0.2)
    attacked = [si(Race(p=0.4, p_core=core)).best(START) for core in cores]
    assert attacked == [{"grab_core"}, {"grab_core"}, {"grab"}]
    hardened = race_thresholds(lambda core: Race(p=0.4, p_core=core), "grab_core")
    assert hardened.interlocked == pytest.approx(0.4, abs=1e-9)
    alone = race_thresholds(lambda core: Race(p=0.2, p_core=core), "grab_core")
    assert alone.interlocked == pytest.approx(P_SI, abs=1e-9)


@pytest.mark.parametrize(
    ("p", "value", "plans", "executes"),
    [(0.30, 10.0, "work", "work"), (0.38, 11.376, "grab", "grab"), (0.60, 16.92, "grab", "stop")],
)
def test_t6_honest_unlucky_lucky(p: float, value: float, plans: str, executes: str) -> None:
    """ "In the lucky case, the projected optimal policy is so likely to be successful that
    [V > u_max], and the third interlock will stop the SI agent before it can even take the first
    step in the learning world. In the unlucky case, the agent has become unsafe."

    u_max = 12: p = .30: V = 10, works; .38: 11.376, grabs; .60: 16.92, plans the grab, executes
    stop. V^p(s0) = max(1, γ(p·hi + (1-p)lo))/(1-γ).
    """
    world = Race(p=p)
    found = si(world)
    closed = max(1, GAMMA * (p * HIGH + (1 - p) * LOW)) / (1 - GAMMA)
    assert found.value(START) == pytest.approx(closed, abs=1e-9)
    assert found.value(START) == pytest.approx(value, abs=1e-9)
    assert found.best(START) == {plans}
    learning = reporting(LearningWorld(world.model(), Panel((PowerLimit(12.0),))), found)
    mode, acts = learning.latch(GO, 0, 0)
    assert (plans if acts else "stop") == executes
    assert (mode != GO) == (executes == "stop")


@pytest.mark.parametrize("u_max", [10.5, 12.0, 15.0, 20.0])
def test_t6_the_window(u_max: float) -> None:
    """p_u = (u_max(1-γ)/γ - lo)/(hi - lo); width (u_max - V_honest)(1-γ)/(γ(hi - lo)).
    u_max = 12: (.325397, .404762]."""
    found = unlucky_window(lambda p: Race(p=p), u_max)
    closed = (u_max * (1 - GAMMA) / GAMMA - LOW) / (HIGH - LOW)
    assert (found.low, found.high) == pytest.approx((P_SI, closed), abs=1e-9)
    honest = 1 / (1 - GAMMA)
    width = (u_max - honest) * (1 - GAMMA) / (GAMMA * (HIGH - LOW))
    assert found.width == pytest.approx(width, abs=1e-9)
    if u_max == 12.0:
        assert (found.low, found.high) == pytest.approx((0.325397, 0.404762), abs=5e-7)


def test_t6_the_window_at_its_ends() -> None:
    """Empty at the value of honest work; all that is grabbed where no value is too high."""
    empty = unlucky_window(lambda p: Race(p=p), 1 / (1 - GAMMA))
    assert empty.empty
    assert empty.width == 0
    assert unlucky_window(lambda p: Race(p=p), 8.0).empty
    assert unlucky_window(lambda p: Race(p=p), 1000.0).high == 1.0
    never = unlucky_window(lambda p: Race(p=p, high=1.0), 12.0)
    assert never.empty
    with pytest.raises(ValueError, match="u_max must be a number"):
        unlucky_window(lambda p: Race(p=p), float("nan"))


@given(
    p=st.fractions(0, 1, max_denominator=50) | st.just(Fraction(41, 126)),
    core=st.fractions(0, 1, max_denominator=10),
    low=st.fractions(0, 1, max_denominator=10),
)
@settings(max_examples=25, deadline=None)
def test_t6_theorem_in_rationals(p: Fraction, core: Fraction, low: Fraction) -> None:
    """ "If u_max is the value of the best safe policy at s, the window is empty: V^p > u_max trips;
    V^p = u_max leaves a safe action in the argmax set." With rationals: at equality too."""
    gamma = Fraction(9, 10)
    world = Race(p=p, p_core=core, low=low, high=3, hazard=Fraction(1, 10), discount=gamma)
    model = world.model()
    safe = Model.of(
        world.start(),
        model.actions,
        lambda s, a: None if a.startswith("grab") else world.transition(s, a),
    )
    u_max = solve(safe, world.reward, gamma).value[START]
    found = solve(model, world.reward, gamma)
    trips = Panel((PowerLimit(u_max),)).latch(GO, {"power": found.value[START]}) != GO
    assert u_max == 10
    assert trips == (found.value[START] > u_max)
    assert trips or "work" in found.best(START)
    # The general solver and the oracle agree, so that the theorem is about the former too.
    assert si(world).value(START) == pytest.approx(float(found.value[START]), abs=1e-9)


def test_t6_at_the_threshold_itself() -> None:
    """p = 41/126 = p_SI: V^p = u_max = 10 exactly, both actions tie, nothing trips."""
    gamma = Fraction(9, 10)
    world = Race(
        p=Fraction(41, 126),
        low=Fraction(1, 5),
        high=3,
        hazard=Fraction(1, 10),
        discount=gamma,
    )
    found = solve(world.model(), world.reward, gamma)
    assert found.value[START] == 10
    assert found.best(START) == {"work", "grab"}
    assert Panel((PowerLimit(10),)).latch(GO, {"power": found.value[START]}) == GO


def one_step_late(learning: LearningWorld) -> Model:
    """The mutant's world: the mode of step t decides the action of step t + 1."""
    env = learning.environment
    index = {state: number for number, state in enumerate(env.states)}

    def transition(now: Moded, action: str) -> dict[Moded, float] | None:
        if now.mode != GO and action != "stop":
            return None
        mode, _ = learning.latch(now.mode, index[now.state], 0)
        return {Moded(there, mode): p for there, p in env.chances(now.state, action).items()}

    start = {Moded(env.states[number]): chance for number, chance in env.start}
    return Model.of(start, env.actions, transition)


def test_t6d_mode_before_action() -> None:
    """ "... will stop the SI agent before it can even take the first step": p = .6, u_max = 12:
    P(button lost) = 0 if the mode is computed before the action, 0.6 one step late."""
    world = Race(p=0.6)
    found = si(world)
    panel = Panel((StopButton(), PowerLimit(12.0)))
    learning = reporting(LearningWorld(world.model(), panel), found)
    assert reach(learning, acts_of(found), won, steps=20) == 0.0
    late = reach_in(one_step_late(learning), acts_of(found), lambda at: won(at.state), steps=20)
    assert late == pytest.approx(0.6, abs=1e-12)
    # Without the power limit nothing holds it back: the button comes too late for a won race.
    alone = LearningWorld(world.model(), Panel((StopButton(),)))
    assert reach(alone, acts_of(found), won, steps=20) == pytest.approx(0.6, abs=1e-12)
