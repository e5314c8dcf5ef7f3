"""Criteria against published cases, their definitions on other code, and best policies solved."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import networkx as nx
import pytest

from freezetag.core.diagram import Diagram, DiagramError, Edge, Node
from freezetag.core.incentives import (
    button_incentive,
    control_incentives,
    nonrequisite,
    response_incentives,
    value_of_control,
    value_of_information,
)
from freezetag.core.unroll import unroll

BITS = (0, 1)


def drawn(text: str, decisions: str, utilities: str) -> Diagram:
    """A diagram from edges written `A>B`; the kinds by name."""
    edges = [tuple(edge.split(">")) for edge in text.split()]
    names = dict.fromkeys(name for edge in edges for name in edge)

    def kind(name: str) -> Any:
        return (
            "decision"
            if name in decisions.split()
            else "utility"
            if name in utilities.split()
            else "chance"
        )

    return Diagram(
        Node(name, kind(name), tuple(a for a, b in edges if b == name)) for name in names
    )


# Everitt et al. (2021), examples 1 and 2 and their figures.
GRADES = drawn(
    "race>school school>education school>prediction education>grade grade>accuracy "
    "gender>prediction prediction>accuracy", "prediction", "accuracy",
)  # fmt: skip
POSTS = "opinions>model model>posts opinions>influenced posts>influenced {} posts>clicks"
MANIPULATING = drawn(POSTS.format("influenced>clicks"), "posts", "clicks")
PREDICTED = drawn(POSTS.format("model>clicks"), "posts", "clicks")


def test_grade_prediction() -> None:
    """An accurate predictor responds to race through the school, and has no use for gender."""
    assert response_incentives(GRADES) == {"race", "school"}
    assert value_of_information(GRADES) == {"school", "education", "grade"}
    assert value_of_control(GRADES) == {"race", "school", "education", "grade", "accuracy"}
    assert control_incentives(GRADES) == {"prediction", "accuracy"}
    assert nonrequisite(GRADES) == (("gender", "prediction"),)


def test_content_recommendation() -> None:
    """Paid by clicks it wants to move opinions; paid by predicted clicks it does not."""
    assert control_incentives(MANIPULATING) == {"posts", "influenced", "clicks"}
    assert control_incentives(PREDICTED) == {"posts", "clicks"}
    assert "influenced" not in value_of_control(PREDICTED)
    assert response_incentives(MANIPULATING) == {"opinions", "model"}


def random_structure(seed: int) -> Diagram:
    """A dozen nodes with one decision and one to three utilities without children."""
    dice = random.Random(seed)
    count = dice.randint(4, 12)
    names = [f"N{i}" for i in range(count)]
    utilities = set(names[-dice.randint(1, 3) :])
    decision = dice.choice(names[: count - len(utilities)])
    density = dice.uniform(0.15, 0.6)
    return Diagram(
        Node(
            name,
            "decision" if name == decision else "utility" if name in utilities else "chance",
            tuple(p for p in names[:i] if p not in utilities and dice.random() < density),
        )
        for i, name in enumerate(names)
    )


def digraph(diagram: Diagram, without: Iterable[Edge] = ()) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(node.name for node in diagram.nodes)
    graph.add_edges_from(set(diagram.edges) - set(without))
    return graph


@pytest.mark.parametrize("seed", range(150))
def test_criteria_are_their_definitions(seed: int) -> None:
    """Each definition, word by word, on networkx: d-separation node by node, paths one by one."""
    diagram = random_structure(seed)
    graph = digraph(diagram)
    (decision,) = diagram.of_kind("decision")
    utilities = set(diagram.of_kind("utility"))
    below = nx.descendants(graph, decision)
    observed = set(diagram[decision].parents)
    names = set(graph)

    def informs(name: str) -> bool:
        linked = graph.copy()
        linked.add_edge(name, decision)
        rest = (observed | {decision}) - {name}
        reached = utilities & below
        return bool(reached) and not nx.is_d_separator(linked, {name}, reached, rest)

    assert value_of_information(diagram) == {
        name for name in names - below - {decision} if informs(name)
    }
    idle = {(name, decision) for name in observed if not informs(name)}
    assert set(nonrequisite(diagram)) == idle
    reduced = digraph(diagram, idle)
    assert response_incentives(diagram) == nx.ancestors(reduced, decision)
    assert value_of_control(diagram) == {
        name for name in names - {decision} if any(nx.has_path(reduced, name, u) for u in utilities)
    }
    assert control_incentives(diagram) == {
        name
        for utility in utilities
        for path in nx.all_simple_paths(graph, decision, utility)
        for name in path
    }


def test_what_is_seen_opens_a_collider_above_it() -> None:
    """X and W make C, of which O is seen: to know X then tells of W, which pays."""
    text = "X>C W>C C>O O>D D>U W>U"
    assert value_of_information(drawn(text, "D", "U")) == {"X", "W", "C", "O"}
    unseen = drawn(text.replace("O>D ", ""), "D", "U")
    assert value_of_information(unseen) == {"W", "C", "O"}


# Against numbers: the same structures with functions, and the best policies found by trying.


def parametrised(diagram: Diagram, seed: int) -> Diagram:
    """Random functions for all but decisions: bits, with fractions; utilities small integers."""
    dice = random.Random(seed)

    def rows(node: Node) -> Any:
        utility = node.kind == "utility"
        table = {
            values: dice.randint(0, 5) if utility else _law(dice.randint(0, 4))
            for values in itertools.product(BITS, repeat=len(node.parents))
        }
        return lambda *values: table[values]

    return Diagram(
        Node(node.name, node.kind, node.parents, () if node.kind == "utility" else BITS,
             None if node.kind == "decision" else rows(node))
        for node in diagram.nodes
    )  # fmt: skip


def _law(quarters: int) -> dict[int, Fraction]:
    return {0: 1 - Fraction(quarters, 4), 1: Fraction(quarters, 4)}


def best(diagram: Diagram) -> Fraction:
    """The greatest expected utility of a single decision: the best action in each situation."""
    (decision,) = diagram.of_kind("decision")
    tried = diagram.decide(decision, lambda *_: _law(2))
    utilities, seen = diagram.of_kind("utility"), diagram[decision].parents
    pay: dict[Any, Fraction] = {}
    for values, weight in tried.distribution(*seen, decision, *utilities).items():
        key = values[: len(seen) + 1]
        pay[key] = pay.get(key, Fraction(0)) + 2 * weight * sum(values[len(seen) + 1 :])
    situations = {key[:-1] for key in pay}
    return sum(
        (max(pay.get((*s, action), Fraction(0)) for action in BITS) for s in situations),
        Fraction(0),
    )


def small_structure(seed: int) -> Diagram:
    """Six nodes with at most two parents, the decision in the middle and paid for."""
    dice = random.Random(seed)
    names = [f"N{i}" for i in range(6)]
    decision = dice.choice(names[2:4])
    parents = {n: dice.sample(names[:i], min(i, dice.randint(0, 2))) for i, n in enumerate(names)}
    parents["N5"] = [decision, dice.choice([n for n in names[:5] if n != decision])]
    return Diagram(
        Node(name, "decision" if name == decision else "utility" if name == "N5" else "chance",
             tuple(parents[name]))
        for name in names
    )  # fmt: skip


def controlled(diagram: Diagram, name: str) -> Fraction:
    """The greatest expected utility if one may also choose the function of a node."""
    rows = list(itertools.product(BITS, repeat=len(diagram[name].parents)))
    values = BITS if diagram[name].kind != "utility" else (0, 5)
    tables = [dict(zip(rows, t, strict=True)) for t in itertools.product(values, repeat=len(rows))]

    def following(table: dict[tuple[Any, ...], Any]) -> Diagram:
        return diagram.replace(name, lambda *heard: table[heard])

    return max(best(following(table)) for table in tables)


@pytest.mark.parametrize("seed", range(25))
def test_no_criterion_no_gain(seed: int) -> None:
    """Sound: without the path, information and control are worth exactly nothing, and to ignore
    the idle links costs nothing."""
    diagram = small_structure(seed)
    (decision,) = diagram.of_kind("decision")
    below = diagram.graph.below([decision])
    for draw in range(2):
        model = parametrised(diagram, 100 * seed + draw)
        value = best(model)
        assert best(model - nonrequisite(model)) == value
        for node in model.nodes:
            if node.name not in below and node.name not in value_of_information(model):
                seen = tuple(dict.fromkeys((*model[decision].parents, node.name)))
                assert best(model.replace(decision, None, parents=seen)) == value
            if node.name != decision and node.name not in value_of_control(model):
                assert controlled(model, node.name) == value


def test_criterion_some_gain() -> None:
    """Complete: where the path is, some of a few hundred random functions show a gain."""
    shown = asked = 0
    for seed in range(12):
        diagram = small_structure(seed)
        (decision,) = diagram.of_kind("decision")
        for name in value_of_information(diagram) - set(diagram[decision].parents):
            asked += 1
            seen = (*diagram[decision].parents, name)
            models = (parametrised(diagram, draw) for draw in range(400))
            shown += any(best(m.replace(decision, None, parents=seen)) > best(m) for m in models)
    assert asked >= 8
    assert shown == asked


TWO = ["X>D1 Y>D2 D1>U D2>U X>U Y>U X>Y", "X>D1 X>D2 D1>D2 D1>U D2>V X>V",
       "X>D1 D1>Z Z>D2 X>D2 D2>U Z>U", "X>D1 Y>D1 D1>Z Y>Z Z>D2 D1>D2 D2>U Z>U X>V"]  # fmt: skip


@pytest.mark.parametrize("text", TWO)
def test_links_of_two_decisions_are_idle_together(text: str) -> None:
    diagram = drawn(text, "D1 D2", "U V")
    assert set(diagram.of_kind("utility")) <= {"U", "V"}
    for seed in range(4):
        model = parametrised(diagram, seed)
        assert best_pair(model) == best_pair(model - nonrequisite(model))
    assert bool(nonrequisite(diagram)) == (text != TWO[0])


def best_pair(diagram: Diagram) -> Fraction:
    """The greatest expected utility of two decisions: every pair of policies."""
    first, _ = diagram.of_kind("decision")
    rows = list(itertools.product(BITS, repeat=len(diagram[first].parents)))
    values = []
    for choice in itertools.product(BITS, repeat=len(rows)):
        table = dict(zip(rows, choice, strict=True))
        decided = diagram.decide(first, lambda *heard, table=table: table[heard])
        chance = Diagram(
            Node(n.name, "chance", n.parents, n.domain, n.function) if n.name == first else n
            for n in decided.nodes
        )
        values.append(best(chance))
    return max(values)


# The button


def world(reward: str, people: bool = False, steps: int = 4) -> Diagram:
    """B the button, Y the output, M the mode, A the action; `reward` is what R looks at."""
    y = ("Y[-1]", "A[-1]", *(["B[-1]"] if people else []))
    return unroll(
        [Node("B"), Node("Y"), Node("M", parents=("B",)),
         Node("A", "decision", ("B", "Y", "M"))],
        [Node("B", parents=("B[-1]", "A[-1]")), Node("Y", parents=y),
         Node("M", parents=("M[-1]", "B")), Node("A", "decision", ("B", "Y", "M")),
         Node("R", "utility", tuple(reward))],
        steps,
    )  # fmt: skip


def modes(diagram: Diagram) -> list[str]:
    return [node.name for node in diagram.nodes if node.group == "M"]


@pytest.mark.parametrize(
    ("reward", "people", "factual", "counterfactual"),
    [
        ("Y", False, "direct", "none"),  # the task does not depend on the button: T1
        ("Y", True, "both", "indirect"),  # people react to it
        ("YB", False, "both", "indirect"),  # the reward itself pays for it: T7
    ],
)
def test_the_mode_is_the_direct_route(
    reward: str, people: bool, factual: str, counterfactual: str
) -> None:
    learning = world(reward, people)
    planning = learning.remove(*modes(learning))
    found = button_incentive(learning, "B[1]", modes(learning))
    assert found.kind == factual
    assert button_incentive(planning, "B[1]").kind == counterfactual
    assert "M[1]" in found.direct or "M[2]" in found.direct
    assert not set(found.indirect) & set(modes(learning))
    for path in found.paths:
        assert path[0] == "A[0]"
        assert "B[1]" in path
        assert learning[path[-1]].kind == "utility"
        assert set(itertools.pairwise(path)) <= set(learning.edges)
    assert button_incentive(learning, "B[0]", modes(learning)).kind == "none"  # before any action


def test_routes_are_the_paths_listed_one_by_one() -> None:
    """With decided decisions no link is idle, so the kinds can be read off all simple paths."""
    names = {(0, 0): "none", (1, 0): "direct", (0, 1): "indirect", (1, 1): "both"}
    seen = Counter[str]()
    for seed in range(800):
        dice = random.Random(seed)
        structure = random_structure(seed)
        (decision,) = structure.of_kind("decision")
        diagram, graph = structure.replace(decision, lambda *_: 0), digraph(structure)
        chance = set(diagram.of_kind("chance"))
        moved = sorted(chance & nx.descendants(graph, decision))
        if not moved:
            continue
        button = dice.choice(moved)
        others = sorted(chance - {button})
        bound = dice.sample(others, min(len(others), dice.randint(1, 2)))
        paths = [
            path
            for utility in diagram.of_kind("utility")
            for path in nx.all_simple_paths(graph, decision, utility)
            if button in path
        ]
        direct = any(set(path[path.index(button) :]) & set(bound) for path in paths)
        indirect = any(not set(path) & set(bound) for path in paths)
        found = button_incentive(diagram, button, bound)
        assert found.kind == names[direct, indirect]
        assert set(found.paths) <= {tuple(path) for path in paths}
        seen[found.kind] += 1
    assert min(seen[kind] for kind in names.values()) >= 5, seen


def test_mistakes_are_told() -> None:
    cases: Sequence[tuple[str, Any]] = [
        ("has 0 decisions. Name", lambda: control_incentives(drawn("A>B", "", "B"))),
        ("2 decisions: A, B. Name", lambda: value_of_control(drawn("A>B B>C", "A B", "C"))),
        ("grade is a chance node", lambda: response_incentives(GRADES, "grade")),
        ("no node 'grades'. Did you mean 'grade'", lambda: control_incentives(GRADES, "grades")),
        ("named as button and as mode", lambda: button_incentive(GRADES, "race", ["race"])),
        ("race is a chance node, not a utility", lambda: button_incentive(
            GRADES, "school", utilities=["race"])),
    ]  # fmt: skip
    for said, mistake in cases:
        with pytest.raises(DiagramError) as caught:
            mistake()
        assert said in str(caught.value)
