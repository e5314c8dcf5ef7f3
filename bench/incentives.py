"""Incentive criteria of a diagram of 1,000 nodes within 100 ms, a 16-step chain within 10 ms.

networkx answers the same questions word by word from the definitions, one d-separation a node: an
independent check, not a rival. Both sides must agree before anything is timed.
"""

from __future__ import annotations

import random

import networkx as nx

from bench._measure import by_turns, checked, head, table
from freezetag.core.diagram import Diagram, Node
from freezetag.core.incentives import (
    button_incentive,
    control_incentives,
    nonrequisite,
    response_incentives,
    value_of_control,
    value_of_information,
)
from freezetag.core.unroll import unroll

NODES, CHECKED, PARENTS, STEPS, REPEATS = 1_000, 300, 4, 16, 15
GOALS = {"1,000 nodes": 100.0, "16-step chain": 10.0}


def random_diagram(seed: int, nodes: int) -> Diagram:
    """One decision early on, twenty utilities at the end, up to four parents a node."""
    dice = random.Random(seed)
    inner = nodes - 20
    kinds = {nodes // 20: "decision", **dict.fromkeys(range(inner, nodes), "utility")}

    def parents(i: int) -> tuple[str, ...]:
        earlier = range(min(i, inner))
        chosen = dice.sample(earlier, min(len(earlier), dice.randint(1, PARENTS)))
        return tuple(f"N{p}" for p in chosen)

    return Diagram(Node(f"N{i}", kinds.get(i, "chance"), parents(i)) for i in range(nodes))


def chain() -> Diagram:
    """Button, output, mode, action and reward, step after step."""
    seen = ("B", "Y", "M")
    return unroll(
        [Node("B"), Node("Y"), Node("M", parents=("B",)), Node("A", "decision", seen)],
        [
            Node("B", parents=("B[-1]", "A[-1]")),
            Node("Y", parents=("Y[-1]", "A[-1]")),
            Node("M", parents=("M[-1]", "B")),
            Node("A", "decision", seen),
            Node("R", "utility", ("Y",)),
        ],
        STEPS,
    )


def criteria(diagram: Diagram, decision: str) -> list[frozenset[str]]:
    """All four, each for all nodes."""
    return [
        control_incentives(diagram, decision),
        value_of_information(diagram, decision),
        value_of_control(diagram, decision),
        response_incentives(diagram, decision),
    ]


def by_definition(diagram: Diagram, decision: str) -> list[frozenset[str]]:
    """The same on networkx: one d-separation a node."""
    graph = nx.DiGraph(diagram.edges)
    graph.add_nodes_from(node.name for node in diagram.nodes)
    utilities = set(diagram.of_kind("utility"))
    below = nx.descendants(graph, decision) | {decision}
    above = utilities.union(*(nx.ancestors(graph, utility) for utility in utilities))
    seen = set(diagram[decision].parents)

    def informs(name: str) -> bool:
        given = (seen | {decision}) - {name}
        return not nx.is_d_separator(graph, {name}, utilities & below, given)

    informing = {name for name in set(graph) - below if informs(name)}
    reduced = graph.copy()
    reduced.remove_edges_from([(name, decision) for name in seen - informing])
    paying = utilities.union(*(nx.ancestors(reduced, utility) for utility in utilities))
    answers = (below & above, informing, paying - {decision}, nx.ancestors(reduced, decision))
    return [frozenset(answer) for answer in answers]


def main() -> None:
    head(f"all incentive criteria of all nodes: {NODES} nodes; {STEPS} steps", "networkx")
    large, long = random_diagram(1, NODES), chain()
    modes = [node.name for node in long.nodes if node.group == "M"]
    late = "A[4]"
    for seed in range(5):
        diagram = random_diagram(seed, CHECKED)
        (early,) = diagram.of_kind("decision")
        found = criteria(diagram, early)
        same = found == by_definition(diagram, early) and all(found)
        checked(
            f"{CHECKED} nodes, seed {seed}: all four sets are those of the definitions, none empty",
            same,
        )
    same = criteria(long, late) == by_definition(long, late)
    checked(f"{STEPS}-step chain: all four sets are those of the definitions", same)
    checked("its button: direct", button_incentive(long, "B[1]", modes).kind == "direct")

    (early,) = large.of_kind("decision")
    times = by_turns(
        {
            "1,000 nodes": lambda: criteria(large, early),
            "16-step chain, one decision": lambda: criteria(long, late),
            "16-step chain": lambda: button_incentive(long, "B[1]", modes),
            "16-step chain, idle links of all decisions": lambda: nonrequisite(long),
        },
        REPEATS,
    )
    shown = {name: timing.per(1, 1e3) for name, timing in times.items()}
    table("milliseconds", shown)
    for name, goal in GOALS.items():
        found = shown[name].median
        print(f"{name}: {found:.3g} ms  goal {goal:g}: {'met' if found <= goal else 'MISSED'}")


if __name__ == "__main__":
    main()
