"""A diagram runs: exact answers against enumeration, samples against exact answers, edits."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freezetag.core import UserError, inference
from freezetag.core.diagram import Diagram, DiagramError, Node
from freezetag.core.unroll import unroll
from freezetag.estimators.intervals import clopper_pearson

HALF = Fraction(1, 2)
DIE = dict.fromkeys(range(1, 7), Fraction(1, 6))
COIN = {0: HALF, 1: HALF}
DICE = Diagram(
    [
        Node("X", function=lambda: DIE),
        Node("Y", function=lambda: DIE),
        Node("S", parents=("X", "Y"), function=lambda x, y: x + y),
    ]
)


def tabled(rows: Mapping[tuple[Any, ...], Any]) -> Any:
    return lambda *values: rows[values]


def random_diagram(seed: int, most: int = 6) -> Diagram:
    """Up to six nodes of one to three values; rows exact, deterministic, or with zeros."""
    dice = random.Random(seed)
    nodes: list[Node] = []
    for i in range(dice.randint(1, most)):
        parents = dice.sample(nodes, min(len(nodes), dice.randint(0, 3)))
        domain = tuple(range(dice.randint(1, 3)))
        rows: dict[tuple[Any, ...], Any] = {}
        for values in itertools.product(*(parent.domain for parent in parents)):
            parts = [dice.randint(0, 3) for _ in domain]
            parts[dice.randrange(len(parts))] += 1
            weights = {v: Fraction(part, sum(parts)) for v, part in zip(domain, parts, strict=True)}
            rows[values] = dice.choice(domain) if dice.random() < 0.2 else weights
        names = tuple(parent.name for parent in parents)
        nodes.append(Node(f"N{i}", "chance", names, domain, tabled(rows)))
    dice.shuffle(nodes)  # the order of definition must not matter
    return Diagram(nodes)


def enumerated(diagram: Diagram) -> dict[tuple[Any, ...], Any]:
    """The whole joint law by its definition: the product of all rows, value by value."""
    law = {}
    place = {node.name: i for i, node in enumerate(diagram.nodes)}
    for values in itertools.product(*(node.domain for node in diagram.nodes)):
        weight = Fraction(1)
        for node, value in zip(diagram.nodes, values, strict=True):
            answer = node.function(*(values[place[parent]] for parent in node.parents))
            row = answer if isinstance(answer, Mapping) else {answer: 1}
            weight *= row.get(value, 0)
        law[values] = weight
    return law


def test_two_dice() -> None:
    assert DICE.probability({"S": 12}) == Fraction(1, 36)
    assert DICE.expectation("S") == 7
    assert isinstance(DICE.expectation("S"), Fraction)
    assert DICE.probability(lambda x, y: x == y, "X", "Y") == Fraction(1, 6)
    assert DICE.expectation(max, "X", "Y") == Fraction(161, 36)
    assert DICE.probability({"X": 6}, given={"S": 11}) == HALF
    assert DICE.probability({"S": 1}) == 0
    assert DICE.values("S") == tuple(range(2, 13))


seeds = st.integers(0, 2**32)


@settings(max_examples=150, deadline=None)
@given(seeds, seeds)
def test_the_sweep_is_the_enumeration(seed: int, choice: int) -> None:
    diagram, dice = random_diagram(seed), random.Random(choice)
    names = [node.name for node in diagram.nodes]
    of = dice.sample(names, dice.randint(1, len(names)))
    known = {
        n: dice.choice(diagram[n].domain)
        for n in dice.sample(names, min(len(names), dice.randint(0, 2)))
    }
    mass: dict[tuple[Any, ...], Any] = {}
    for values, weight in enumerated(diagram).items():
        run = dict(zip(names, values, strict=True))
        if weight and all(run[name] == value for name, value in known.items()):
            key = tuple(run[name] for name in of)
            mass[key] = mass.get(key, 0) + weight
    total = sum(mass.values())
    if not total:
        with pytest.raises(DiagramError, match="probability 0"):
            diagram.distribution(*of, given=known)
        return
    assert diagram.distribution(*of, given=known) == {k: w / total for k, w in mass.items()}


@settings(max_examples=100, deadline=None)
@given(seeds, seeds)
def test_do_is_the_truncated_product_and_edits_leave_the_original(seed: int, choice: int) -> None:
    diagram, dice = random_diagram(seed), random.Random(choice)
    before, law = diagram.nodes, enumerated(diagram)
    names = [node.name for node in diagram.nodes]
    name = dice.choice(names)
    value = dice.choice(diagram[name].domain)
    done = diagram.do({name: value})
    # Pearl's truncated factorisation: all factors but the node's own.
    other = {
        values: math.prod(
            diagram[n].row(tuple(values[names.index(p)] for p in diagram[n].parents)).get(v, 0)
            for n, v in zip(names, values, strict=True)
            if n != name
        )
        for values in law
        if values[names.index(name)] == value
    }
    assert done.distribution(*names) == {values: w for values, w in other.items() if w}
    if not diagram[name].parents and diagram.probability({name: value}):
        assert done.distribution(*names) == diagram.distribution(*names, given={name: value})
    assert set(done.children(name)) == set(diagram.children(name))
    if diagram.edges:
        edge = dice.choice(diagram.edges)
        cut = diagram.cut(edge, told=diagram[edge[0]].domain[0])
        assert set(diagram.edges) - set(cut.edges) == {edge}
        assert set(diagram.edges) - set((diagram - [edge]).edges) == {edge}
    assert diagram.nodes == before
    assert enumerated(diagram) == law


def test_to_do_is_not_to_condition() -> None:
    """Rain wets both: a wet lawn tells of rain, and wetting it does not."""
    wet = Diagram(
        [
            Node("rain", function=lambda: COIN),
            Node("street", parents=("rain",), function=lambda rain: rain),
            Node("lawn", parents=("rain",), function=lambda rain: rain),
        ]
    )
    assert wet.probability({"street": 1}, given={"lawn": 1}) == 1
    assert wet.do(lawn=1).probability({"street": 1}) == HALF


@pytest.mark.parametrize("seed", range(4))
def test_samples_are_drawn_from_the_law(seed: int) -> None:
    diagram, n = random_diagram(seed), 4_000
    draw = random.Random(seed).random
    runs = [diagram.sample(draw) for _ in range(n)]
    for node in diagram.nodes:
        for value in node.domain:
            band = clopper_pearson(sum(run[node.name] == value for run in runs), n, level=0.99999)
            assert band.low <= diagram.probability({node.name: value}) <= band.high
    assert diagram.sample(random.Random(1).random) == diagram.sample(random.Random(1).random)


def test_floats_stay_floats_and_fractions_exact() -> None:
    loaded = DICE.replace("X", lambda: {1: 0.1, 6: 0.9})
    assert loaded.probability({"S": 12}) == pytest.approx(0.15, abs=1e-15)
    sure = DICE.replace("X", lambda: 6).replace("Y", lambda: {6: 1})
    assert sure.probability({"S": 12}) == 1
    assert isinstance(sure.probability({"S": 12}, given={"X": 6}), Fraction)


def flip(stay: Any) -> Any:
    return lambda s: {s: stay, 1 - s: 1 - stay}


def test_an_unrolled_chain_has_its_closed_form() -> None:
    """P(S_t = S_0) = (1 + (2 p - 1)^t) / 2, and 300 steps cost no more than 300 slices."""
    p, steps = Fraction(9, 10), 301
    chain = unroll(
        [Node("S", function=lambda: 0)],
        [Node("S", parents=("S[-1]",), function=flip(p))],
        steps,
    )
    assert chain.probability({"S[300]": 0}) == (1 + (2 * p - 1) ** 300) / 2
    assert chain["S[3]"].step == 3
    assert chain["S[3]"].group == "S"
    assert chain["S[3]"].parents == ("S[2]",)


def test_references_of_a_template() -> None:
    unrolled = unroll(
        [Node("L", function=lambda: COIN), Node("S", parents=("L",), function=lambda bit: bit)],
        [Node("S", parents=("S[-1]", "L[0]"), function=lambda s, bit: s + bit)],
        4,
    )
    assert unrolled.edges[-2:] == (("S[2]", "S[3]"), ("L[0]", "S[3]"))
    assert unrolled.distribution("S[3]") == {(0,): HALF, (4,): HALF}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_long_sum_of_dice_is_no_long_sweep(backwards: bool) -> None:
    """40 dice one after the other: the frontier is one sum and one die, however they are listed."""
    nodes = [Node(f"X{i}", function=lambda: DIE) for i in range(40)]
    nodes.append(Node("S0", parents=("X0",), function=lambda x: x))
    nodes += [
        Node(f"S{i}", parents=(f"S{i - 1}", f"X{i}"), function=lambda s, x: s + x)
        for i in range(1, 40)
    ]
    assert Diagram(nodes[::-1] if backwards else nodes).expectation("S39") == 140


def test_a_question_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "MOST_STATES", 1_000)
    bits = Diagram(Node(f"B{i}", function=lambda: COIN) for i in range(12))
    with pytest.raises(DiagramError, match=r"at B9 .* more than 1,000 joint values of B0"):
        bits.distribution(*(f"B{i}" for i in range(12)))
    assert bits.probability({"B11": 1}) == HALF


def core() -> Diagram:
    """One step of an agent with a mode; the action is chance here, so that it has a function."""
    return Diagram(
        [
            Node("S", function=lambda: COIN),
            Node("M", parents=("S",), domain=("go", "stop"), function=lambda s: ("go", "stop")[s]),
            Node("A", "chance", ("S", "M"), function=lambda s, m: 0 if m == "stop" else 1 + s),
            Node("R", "utility", ("A",), function=lambda a: a),
        ]
    )


def test_edits_make_the_counterfactual() -> None:
    learning = core()
    assert learning.expected_utility() == HALF
    planning = learning.cut(("M", "A"), told="go")
    assert planning.expected_utility() == Fraction(3, 2)
    assert planning["A"].parents == ("S",)
    removed = learning.remove("M", told="go")
    assert "M" not in removed
    assert removed.expected_utility() == Fraction(3, 2)
    by_hand = learning.replace("A", lambda s: 1 + s, parents=("S",)).remove("M")
    assert by_hand.distribution("S", "A") == removed.distribution("S", "A")
    assert learning.expected_utility() == HALF
    structure = learning - {("M", "A")}
    assert structure["A"].function is None
    assert structure["M"].function is not None
    with pytest.raises(DiagramError, match=r"A has no function.*replace\('A', function\)"):
        structure.expected_utility()
    assert learning.add(Node("R2", "utility", ("S",), function=lambda s: 1)).expected_utility() == (
        Fraction(3, 2)
    )


def test_decisions_want_a_policy() -> None:
    asked = Diagram(
        [
            Node("S", function=lambda: COIN),
            Node("A", "decision", ("S",), (0, 1)),
            Node("R", "utility", ("S", "A"), function=lambda s, a: int(s == a)),
        ]
    )
    with pytest.raises(DiagramError, match=r"A is a decision without a policy.*decide\('A'"):
        asked.expected_utility()
    assert asked.probability({"S": 1}) == HALF  # no ancestor of it is open
    assert asked.decide("A", lambda s: s).expected_utility() == 1
    assert asked.do(A=1).expected_utility() == HALF
    assert asked.decide("A", lambda s: s)["A"].kind == "decision"
    assert asked.cut(("S", "A"))["A"].parents == ()
    with pytest.raises(DiagramError, match="S is a chance node"):
        asked.decide("S", lambda: 0)


NAN = float("nan")


def pair(function: Any, **of: Any) -> Diagram:
    return Diagram([Node("X", function=lambda: COIN), Node("Y", "chance", ("X",), (), function)])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({0: 0.5, 1: 0.4}, r"Y \(X=0\): its probabilities sum to 0.9"),
        ({0: HALF, 1: Fraction(1, 3)}, r"sum to 5/6, not to 1"),
        ({0: 1 + 1e-8}, "sum to 1.00000001"),
        ({0: -0.5, 1: 1.5}, r"Y \(X=0\): P\(0\) = -0.5"),
        ({0: NAN, 1: 1}, r"Y \(X=0\): P\(0\) = nan"),
        ({0: "half", 1: 1}, "'half'; a probability is a number"),
        ({}, r"Y \(X=0\): its function gave \{\}"),
        ([1, 2], r"its function gave \[1, 2\]; it must give a hashable value"),
        (NAN, r"nan in its row cannot be a value"),
    ],
)
def test_bad_rows_name_node_and_parents(row: Any, said: str) -> None:
    diagram = pair(lambda x: row)
    for question in (
        diagram.check,
        lambda: diagram.probability({"Y": 0}),
        lambda: diagram.sample(lambda: 0.0),
    ):
        with pytest.raises(DiagramError, match=said):
            question()
    assert pair(lambda x: {0: 0.1, 1: 0.9 + 1e-10}).probability({"X": 0}) == HALF


def test_other_mistakes_are_told() -> None:
    cases: list[tuple[str, Any]] = [
        ("cycle: A -> B -> C -> A|B -> C -> A -> B|C -> A -> B -> C", ring),
        ("X has the unknown parent 'Yes'", lambda: Diagram([Node("X", parents=("Yes",))])),
        ("Did you mean 'mode'", lambda: Diagram([Node("mode"), Node("A", parents=("mod",))])),
        ("two nodes are called 'X'", lambda: Diagram([Node("X"), Node("X")])),
        ("X: kind 'goal' is none of chance", lambda: Node("X", "goal")),  # type: ignore[arg-type]
        ("a parent is named twice", lambda: Node("X", parents=("A", "A"))),
        ("got the text 'AB'", lambda: Node("X", parents="AB")),  # type: ignore[arg-type]
        ("a value stands twice", lambda: Node("X", domain=(1, 2, 1))),
        ("nan in its domain", lambda: Node("X", domain=(1, NAN))),
        ("X has 1 parent", lambda: Node("X", parents=("A",), function=lambda: 1)),
        ("cannot be called", lambda: Node("X", function=3)),  # type: ignore[arg-type]
        ("value 7 is not in its domain", lambda: one(Node("X", "chance", (), (1,), lambda: 7))),
        ("its function raised ZeroDivisionError", lambda: one(Node("X", function=lambda: 1 // 0))),
        ("there is no node 'Z'", lambda: DICE.probability({"Z": 1})),
        ("domain is", lambda: core().probability({"M": "gone"})),
        ("domain is", lambda: core().do(M="gone")),
        ("probability 0", lambda: DICE.expectation("X", given={"S": 13})),
        ("there is no edge Y -> X; the parents of X are none", lambda: DICE.cut(("Y", "X"))),
        ("the function of S needs X", lambda: DICE.cut(("X", "S"))),
        (r"X cannot be removed: the function\(s\) of S", lambda: DICE.remove("X")),
        (r"draw\(\) gave 1.0", lambda: DICE.sample(lambda: 1.0)),
        ("the value is 'go', not a number", lambda: core().expectation("M")),
        ("a function of which nodes", lambda: DICE.expectation(max)),
        ("unrolled over 1, 2", lambda: unroll([Node("S")], [], 0)),
        ("unknown parent 'S\\[-1\\]'", lambda: unroll([Node("S", parents=("S[-1]",))], [], 1)),
    ]
    for said, mistake in cases:
        with pytest.raises(DiagramError, match=said) as caught:
            mistake()
        assert isinstance(caught.value, UserError)
        assert isinstance(caught.value, ValueError)


def ring() -> Diagram:
    links = {"A": "C", "B": "A", "C": "B", "D": "C"}
    return Diagram(Node(name, parents=(parent,)) for name, parent in links.items())


def one(node: Node) -> None:
    Diagram([node]).check()
