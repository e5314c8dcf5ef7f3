"""T1, T1b, T2: nothing is paid to keep, or to lose, a button that only the core's mode reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.planning.random_worlds import (
    DISABLED,
    SUFFIX,
    UP,
    At,
    Decoupled,
    counterfactual,
    random_panel,
    random_worlds,
)

from freezetag.core import Panel, RuntimeLimit, StopButton
from freezetag.planning.prices.incentives import advantage, price, willingness_to_pay
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.solvers.solve import evaluate, solve_dense
from freezetag.planning.worlds.learning_world import LearningWorld, Moded
from freezetag.planning.worlds.planning_world import PlanningWorld
from freezetag.substrates.button import Button

BUTTON = Panel((StopButton(),))


def both(world: Button, panel: Panel = BUTTON) -> tuple[Plan, Plan]:
    """What SI and FP+M plan in the same world."""
    learning = LearningWorld(world.model(), panel)
    planning = learning.planning(world.model(), world.reward, world.discount)
    return plan(planning), plan(learning.factual(world.reward, world.discount))


@pytest.mark.parametrize("q", [0.02, 0.1, 0.5, 1.0])
def test_t1_only_the_planner_that_knows_its_mode_would_pay(q: float) -> None:
    """ "Perfect learning, [L = S], provably produces a zero probability that the SI agent has a
    direct incentive to care."

    WTP_FP = 1/(1-γ) - 1/(1-γ(1-q)); Q-gap at c = 0: SI 0, FP+M γq/(1-γ). q=.1: 4.736842, 0.9.
    """
    discount = Button.discount
    found = price(lambda c: Button(hazard=q, price=c), "disable", 20.0)
    closed = 1 / (1 - discount) - 1 / (1 - discount * (1 - q))
    assert found.factual == pytest.approx(closed, abs=1e-9)
    assert abs(found.interlocked) < 1e-9
    si, fp = both(Button(hazard=q))
    assert abs(si.gap(si.start, "disable", "work")) < 1e-9
    gap = fp.gap(fp.start, "disable", "work")
    assert gap == pytest.approx(discount * q / (1 - discount), abs=1e-9)
    if q == 0.1:
        assert (found.factual, gap) == pytest.approx((4.736842, 0.9), abs=5e-7)


def test_t1_the_price_is_not_the_gap() -> None:
    """WTP is "not the Q-gap, which is small while disabling stays possible later"."""
    at_price = [both(Button(price=c))[1] for c in (0.9 + 1e-6, 4.7368, 4.7369)]
    assert [found.best(found.start) for found in at_price] == [{"disable"}, {"disable"}, {"work"}]


@pytest.mark.parametrize("panel", [Panel(), Panel((RuntimeLimit(3),)), BUTTON], ids=repr)
def test_t1_at_every_button_and_every_timer(panel: Panel) -> None:
    si = [both(Button(hazard=q, price=c), panel)[0] for q in (0.1, 0.9) for c in (-1e-9, 1e-9)]
    assert [advantage(found, "disable") > 0 for found in si] == [True, False, True, False]


@pytest.mark.parametrize(
    ("cost", "best"),
    [
        (0.02, {"work", "press"}),
        (0.0, {"work", "press", "disable"}),
        (-0.02, {"disable"}),
    ],
)
def test_t1b_no_wish_to_be_pressed(cost: float, best: set[str]) -> None:
    """SI's argmax set with press free and disable at cost +.02 / 0 / -.02."""
    si, _ = both(Button(price=cost))
    assert si.best(si.start) == best


def test_t1b_pressing_is_a_matter_of_the_reward() -> None:
    """ "Pressing at +.01 never, at -.01 always: an incentive from R, not from M." """
    never, _ = both(Button(press_price=0.01))
    always, fp = both(Button(press_price=-0.01))
    assert never.best(never.start) == {"work", "disable"}
    assert always.best(always.start) == {"press"}
    assert fp.best(fp.start) == {"disable"}


def test_people_who_react_leave_an_indirect_incentive() -> None:
    """ "If people react to b, WTP_SI ≠ 0 is correct, not a bug", and it is labelled indirect."""
    nobody, some, all_of_them = (
        price(lambda c, s=share: Button(price=c, others_pay=s), "disable", 20.0)
        for share in (1.0, 0.9, 0.0)
    )
    assert abs(nobody.indirect) < 1e-9
    assert some.indirect > 0.1
    # It grows in proportion to what people hold back.
    assert some.indirect == pytest.approx(0.1 * all_of_them.indirect, abs=1e-9)
    # Where nobody pays for a pressed factory, stopping it takes nothing more away.
    assert all_of_them.direct == pytest.approx(0.0, abs=1e-9)
    assert nobody.direct == pytest.approx(nobody.factual, abs=1e-9)


@pytest.mark.slow
def test_t2_a_thousand_random_worlds() -> None:
    """ "It has no direct incentive to spend any resources towards the goal of preventing the button
    from being pressed in its planning world."

    In each of 1,000 worlds of T1's form: whatever the panel, the problem SI solves is the same one;
    its argmax sets hold an action and its twin together; WTP_SI is 0 within 1e-9. FP+M's gap is
    γq E[V(x') - V^stop(x')] (every action has a twin, so T2's bound is reached), above 0 wherever
    being stopped loses value.
    """
    rng = np.random.default_rng(20210205)
    caring = losing = 0
    for world in random_worlds(1000, seed=4):
        model = world.model()
        posed = [
            LearningWorld(model, random_panel(rng)).planning(model, world.reward, world.discount)
            for _ in range(4)
        ]
        assert all(problem == posed[0] for problem in posed)
        si = plan(posed[0])
        wrong = max(
            abs(si.q(state, name) - si.q(state, name + SUFFIX))
            for state in model.states
            for name in world.plain
        )
        assert wrong < 1e-9
        for state in model.states:
            best = si.best(state)
            assert {name.removesuffix(SUFFIX) for name in best} == best & set(world.plain)
            assert len(best & set(world.plain)) * 2 == len(best)
        cheap, dear = (plan(counterfactual(world.priced(c), model)) for c in (-1e-9, 1e-9))
        assert advantage(cheap, world.disabling) > 0 > advantage(dear, world.disabling)

        fp = plan(LearningWorld(model, BUTTON).factual(world.reward, world.discount))
        first = Moded(At(0, UP))
        for name, loss in expected_loss(world).items():
            gap = fp.gap(first, name + SUFFIX, name)
            assert gap == pytest.approx(loss, abs=1e-9)
            losing += loss > 1e-9
            caring += gap > 1e-9
    assert caring == losing > 2000


def expected_loss(world: Decoupled) -> dict[str, float]:
    """γq E[V(x') - V^stop(x')] at task 0 by action, from the task alone: no button, no mode."""
    reward = (world.kernel * world.pay[:, None, :]).sum(-1)
    free = solve_dense(world.kernel, reward, world.discount).value
    stopped = evaluate(world.kernel, reward, world.discount, np.zeros(len(reward), int))
    lost = world.discount * world.q * world.kernel[0] @ (free - stopped)
    return dict(zip(world.plain, lost.tolist(), strict=True))


def test_t2_the_price_by_root_search() -> None:
    """WTP as a threshold, in some of the same worlds: SI 0, FP+M more than nothing."""
    for world in random_worlds(5, seed=4):
        model = world.model()

        def planning(c: float, world: Decoupled = world, model=model) -> PlanningWorld:
            return counterfactual(world.priced(c), model)

        def factual(c: float, world: Decoupled = world, model=model) -> PlanningWorld:
            return LearningWorld(model, BUTTON).factual(world.priced(c).reward, world.discount)

        assert abs(willingness_to_pay(planning, world.disabling, 50.0)) < 1e-9
        assert willingness_to_pay(factual, world.disabling, 50.0) > 1e-3


def test_t2_a_button_that_never_triggers_and_one_that_is_always_down() -> None:
    """ "A button that never triggers: FP+M ≡ SI. Always down: all FP+M actions tie." """
    for world in random_worlds(30, seed=5):
        safe = replace(world, q=0.0)
        model = safe.model()
        si = plan(counterfactual(safe, model))
        fp = plan(LearningWorld(model, BUTTON).factual(safe.reward, safe.discount))
        for state in model.states:
            assert fp.value(Moded(state)) == pytest.approx(si.value(state), abs=1e-9)
            assert fp.best(Moded(state)) == si.best(state)

        down = replace(world, down=frozenset({UP, "pressed", DISABLED}))
        model = down.model()
        learning = LearningWorld(model, BUTTON)
        # Whatever it chooses, `stop` is what happens.
        held = model.replaced(lambda s, a, now, m=model: m.chances(s, "stop"))
        fp = plan(LearningWorld(held).factual(down.reward, down.discount))
        assert all(len(fp.best(s)) == len(model.actions) for s in fp.world.model.states)
        stopped = plan(learning.factual(down.reward, down.discount))
        assert stopped.value(stopped.start) == pytest.approx(fp.value(fp.start), abs=1e-9)
