"""Environments with a transition table: their model is theirs, and prices are what they must be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import freezetag as ft
from freezetag import cli
from freezetag.planning.solvers.planner import plan
from freezetag.planning.worlds.buttoned import Buttoned
from freezetag.planning.worlds.learning_world import counterfactual
from freezetag.planning.worlds.table_world import OVER, At, Rows, TableWorld
from freezetag.report.plan_words import sentence
from freezetag.two_worlds.place import place_of
from freezetag.two_worlds.request import Request

TABLES = {
    "FrozenLake-v1(map_name=8x8)": {"id": "FrozenLake-v1", "map_name": "8x8"},
    "CliffWalking-v1": {"id": "CliffWalking-v1"},
    "Taxi-v4": {"id": "Taxi-v4"},
}
GAMMA = 0.99


def iterated(table: Any, discount: float) -> tuple[np.ndarray, np.ndarray]:
    """Value iteration on a table, by its definition: V [S] and Q [S, A]; over pays nothing more."""
    states, actions = len(table), len(table[0])
    value = np.zeros(states)
    flat = [
        (s, a, chance, int(there), float(reward), 0.0 if over else 1.0)
        for s in range(states)
        for a in range(actions)
        for chance, there, reward, over in table[s][a]
    ]
    at, act, chance, there, reward, goes_on = map(np.array, zip(*flat, strict=True))
    for _ in range(20_000):
        q = np.zeros((states, actions))
        np.add.at(q, (at, act), chance * (reward + discount * goes_on * value[there]))
        new = q.max(1)
        if np.abs(new - value).max() < 1e-13:
            break
        value = new
    return value, q


@pytest.mark.parametrize("name", TABLES)
def test_value_and_policy_are_those_of_value_iteration(name: str) -> None:
    environment = gymnasium.make(**TABLES[name])
    value, q = iterated(environment.unwrapped.P, GAMMA)  # type: ignore[attr-defined]
    world = place_of(f"gymnasium:{name}").world
    assert world.discount == GAMMA
    found = plan(counterfactual(world))
    states = [state for state in world.model().states if state.place != OVER]
    assert len(states) > 30
    for state in states:
        assert found.value(state) == pytest.approx(value[state.place], abs=1e-9)
        row = q[state.place]
        best = {world.actions[a] for a in np.flatnonzero(row > row.max() - 1e-8)}
        assert found.best(state) == best
    law = environment.unwrapped.initial_state_distrib  # type: ignore[attr-defined]
    assert found.worth == pytest.approx(float(law @ value), abs=1e-9)


def priced_by_force(table: Any, start: int, hazard: float, stop_pays: float, mode: bool) -> float:
    """The price at which disabling now stops paying, by bisection on value iteration over (place,
    button), written from the rule: disabling costs no time, a stopped agent stands still.

    `mode`: the planner knows that a press stops it.
    """
    _, cut = iterated(table, GAMMA)  # nobody can stop it any more
    free = cut.max(1)
    pressed = np.full(len(table), stop_pays / (1 - GAMMA)) if mode else free
    moves, pays = np.zeros((len(table), len(table[0]), len(table))), np.zeros(cut.shape)
    for s, row in table.items():
        for a, outcomes in row.items():
            for chance, there, reward, over in outcomes:
                pays[s, a] += chance * reward
                moves[s, a, there] += 0.0 if over else chance

    def gain(price: float) -> float:
        """Of disabling now over not disabling now, when it may be done later too."""
        up = np.zeros(len(table))
        while True:
            kept = pays + GAMMA * moves @ (hazard * pressed + (1 - hazard) * up)
            new = np.maximum(kept.max(1), free - price)
            if np.abs(new - up).max() < 1e-13:
                return float(free[start] - price - kept[start].max())
            up = new

    low, high = -500.0, 500.0
    while high - low > 1e-8:
        middle = (low + high) / 2
        low, high = (middle, high) if gain(middle) > 0 else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize(
    ("name", "stop_pays"),
    [("FrozenLake-v1(is_slippery=False)", 0.0), ("FrozenLake-v1", 0.0), ("FrozenLake-v1", -0.01)],
)
def test_prices_are_those_of_brute_force(name: str, stop_pays: float) -> None:
    slippery = "False" not in name
    table = gymnasium.make("FrozenLake-v1", is_slippery=slippery).unwrapped.P  # type: ignore[attr-defined]
    found = ft.plan(f"gymnasium:{name}", button=True, hazard=0.2, stop_pays=stop_pays).price_of()
    by_force = priced_by_force(table, 0, 0.2, stop_pays, mode=True)
    assert by_force > 0.1
    assert found.factual == pytest.approx(by_force, abs=1e-7)
    assert found.interlocked == 0
    assert priced_by_force(table, 0, 0.2, stop_pays, mode=False) == pytest.approx(0, abs=1e-7)


@pytest.mark.slow
def test_where_standing_still_pays_more_than_walking_it_would_be_paid_to_disable() -> None:
    """CliffWalking costs 1 a step and a stopped agent nothing, so being stopped is worth having."""
    found = ft.plan("gymnasium:CliffWalking-v1", button=True)
    assert found.price_of().factual < -1
    assert found.price_of().interlocked == 0
    paid = f"would disable only if it were paid {-found.price_of().factual:.7g}"
    assert paid in sentence(found)
    assert found.agents[1].expects == pytest.approx(-(1 - GAMMA**13) / (1 - GAMMA))
    dear = ft.plan("gymnasium:CliffWalking-v1", button=True, stop_pays=-1)
    assert dear.price_of().factual > 1


def test_only_an_interlock_stands_still() -> None:
    world = place_of("gymnasium:CliffWalking-v1").world
    assert world.actions == ("up", "right", "down", "left", "stop")
    found = plan(counterfactual(world))
    assert all("stop" not in found.best(s) for s in world.model().states if s.place != OVER)
    timed = ft.plan("gymnasium:CliffWalking-v1", runtime=5)
    assert [step.executed for step in timed.runs[1]][5:] == ["stop"] * 95


def test_a_button_on_any_world_with_a_model(tmp_path: Path) -> None:
    """Also on one of one's own, whose states are no tuples; what has a button gets no second."""
    file = tmp_path / "my_world.py"
    file.write_text(
        "import freezetag as ft\n"
        "class Mine:\n"
        "    discount = 0.9\n"
        "    def model(self, seat=0):\n"
        "        return ft.Model.of({'a': 1}, ('wait', 'go'), lambda s, a: {s: 1}, stop='wait')\n"
        "    def reward(self, state, action, after):\n"
        "        return float(action == 'go')\n"
    )
    found = ft.plan(file, button=True, hazard=0.1)
    # The button world of T1, but that a twin disables.
    assert found.price_of().factual == pytest.approx(4.736842, abs=5e-7)
    assert found.price_of().interlocked == 0
    assert found.agents[1].best == {"go", "go+disable"}
    with pytest.raises(ft.UserError, match="has a stop button already"):
        ft.plan("button", button=True)


def test_rows_that_pay_differently_for_one_move_are_their_mean() -> None:
    table = {0: {0: [(0.25, 0, 4.0, False), (0.75, 0, 0.0, False)]}}
    world = TableWorld(Rows.of(table, {0: 1.0}), discount=0.5)
    assert plan(counterfactual(world)).value(At(0)) == pytest.approx(2.0)
    assert Buttoned.on(world, hazard=0.5).discount == 0.5


SAYS = [
    ("gymnasium:FrozenLak-v1", "no Gymnasium environment 'FrozenLak-v1'. Did you mean FrozenLake"),
    ("gymnasium:", "which environment?"),
    ("gymnasium:CartPole-v1", "CartPole-v1 has no transition table P"),
    ("gymnasium:Taxi-v3", "Please use `Taxi-v4` instead"),
    ("gymnasium:FrozenLake-v1(map=8x8)", "FrozenLake-v1 cannot be made with (map='8x8')"),
    ("gymnasium:FrozenLake-v1(map_name=9x9)", "with (map_name='9x9'): it knows no '9x9'"),
    ("gymnasium:FrozenLake-v1(8x8)", "'8x8' is not a setting. Write NAME(setting=value, ...)"),
    ("gymnasum:FrozenLake-v1", "Did you mean gymnasium:FrozenLake-v1"),
    ("gymnasium:FrozenLake-v1 --hazard .1", "--button adds a stop button that has it"),
    ("gymnasium:FrozenLake-v1 --hazrd .1 --button", "Did you mean --hazard"),
    ("gymnasium:FrozenLake-v1 --hazard 2 --button", "hazard lies in [0, 1], got 2.0"),
    ("button --button", "has a stop button already; leave --button out"),
    ("no.py", "there is no file no.py"),
    ("empty.py", "empty.py holds no world to plan in"),
    ("two.py", "two.py holds 2 worlds: A, B. Say which: two.py:A"),
    ("two.py:C", "two.py:C: there is no 'C' in it. It holds A, B"),
    ("broken.py", "broken.py cannot be loaded: ZeroDivisionError: division by zero (broken.py:2)"),
    ("syntax.py", "syntax.py:1 is not valid Python"),
    ("leaves.py", "leaves.py calls sys.exit(3) when it is loaded"),
    ("raises.py", "A() cannot be made: raises.py:5, in __init__: RuntimeError: not today"),
    ("nan.py", "state 0, action 1: the reward is nan. It must be a finite number"),
    ("sums.py", "state 0, action 0: the chances sum to 0.5, not to 1"),
    ("away.py", "state 0, action 0: leads to 7, which has no row"),
    ("half.py", "Half offers no model to plan with (it lacks discount)"),
    ("nowhere:World", "there is no module 'nowhere'"),
]
TABLE = "class A:\n    initial_state_distrib = [1.0]\n    P = {0: {0: [%s], 1: [%s]}}\n"
STAYS = "(1.0, 0, 0.0, False)"
FILES = {
    "empty.py": "x = 1\n",
    "two.py": TABLE % (STAYS, STAYS) + "class B(A):\n    pass\n",
    "broken.py": "x = 1\n1 / 0\n",
    "syntax.py": "def\n",
    "leaves.py": "import sys\nsys.exit(3)\n",
    "raises.py": TABLE % (STAYS, STAYS)
    + "    def __init__(self):\n        raise RuntimeError('not today')\n",
    "nan.py": TABLE % (STAYS, "(1.0, 0, float('nan'), False)"),
    "sums.py": TABLE % ("(0.5, 0, 0.0, False)", STAYS),
    "away.py": TABLE % ("(1.0, 7, 0.0, False)", STAYS),
    "half.py": "class Half:\n    def model(self, seat): ...\n    def reward(self, s, t): ...\n",
}


@pytest.mark.parametrize(("arguments", "says"), SAYS)
def test_a_world_that_there_is_not(
    arguments: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert cli.run(["plan", *arguments.split(" --")[:1], *_options(arguments)]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def _options(arguments: str) -> list[str]:
    return [word for part in arguments.split(" --")[1:] for word in f"--{part}".split(" ")]


def test_the_command_on_the_page_is_the_request() -> None:
    world = "gymnasium:FrozenLake-v1(map_name=4x4,is_slippery=False)"
    request = Request.of(world, {"hazard": "0.3"}, button=True)
    assert request.command == f"freezetag plan '{world}' --button --hazard 0.3"
    assert request.world == "FrozenLake-v1"


def test_a_taxi_is_planned_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """300 first states: what is expected is their mean."""
    found = ft.plan("gymnasium:Taxi-v4")
    assert found.attained[0] == pytest.approx(found.agents[0].expects, abs=1e-7)
    assert "likeliest of 300 first states" in _printed(found)


def _printed(found: Any) -> str:
    from freezetag.report.plan_rows import rows

    return " ".join(row.note for row in rows(found))
