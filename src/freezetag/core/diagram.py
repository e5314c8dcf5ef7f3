"""A world model is a diagram that runs: drawn, sampled, solved exactly, edited, unrolled.

A diagram is a directed acyclic graph of random variables; each node carries a function of its
parents. A run fills in the nodes, parents first; P and E are the exact limits of many runs. A
counterfactual is the same diagram with some edges cut or some functions replaced, and every edit
gives a new diagram. Source: Holtman, "Graphical World Models, Counterfactuals, and Machine
Learning Agents" (2021), and Pearl, "Causality" (2009), for `do`.

>>> from fractions import Fraction
>>> die = dict.fromkeys(range(1, 7), Fraction(1, 6))
>>> dice = Diagram([
...     Node("X", function=lambda: die),
...     Node("Y", function=lambda: die),
...     Node("S", parents=("X", "Y"), function=lambda x, y: x + y),
... ])
>>> dice.probability({"S": 12}), dice.expectation("S")
(Fraction(1, 36), Fraction(7, 1))
>>> dice.do(X=6).probability({"S": 12})
Fraction(1, 6)
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from freezetag.core import inference
from freezetag.core.graph import Graph
from freezetag.core.node import DiagramError, Function, Kind, Node, Number, Value, require_value

__all__ = ["Diagram", "DiagramError", "Edge", "Node"]

Edge = tuple[str, str]


class _Untold:
    """The value of a `told` that was not given."""

    def __repr__(self) -> str:
        return "<untold>"


_UNTOLD: Any = _Untold()


@dataclass(frozen=True)
class Diagram:
    """Nodes in an order in which parents come first; the given order where that is one.

    Structure is checked here, rows of probabilities when a question first needs them (all of them
    by `check`): the record of a long run has rows that no run can reach. Raises `DiagramError` for
    a name used twice, an unknown parent and a cycle.
    """

    nodes: tuple[Node, ...]
    graph: Graph = field(init=False, repr=False, compare=False)
    _named: dict[str, Node] = field(init=False, repr=False, compare=False)

    def __init__(self, nodes: Iterable[Node]) -> None:
        named: dict[str, Node] = {}
        for node in nodes:
            if node.name in named:
                raise DiagramError(f"two nodes are called {node.name!r}; a name is used once.")
            named[node.name] = node
        for node in named.values():
            for parent in node.parents:
                if parent not in named:
                    raise DiagramError(
                        f"{node.name} has the unknown parent {parent!r}.{_near(parent, named)}"
                    )
        graph = Graph({node.name: node.parents for node in named.values()})
        ordered = [named[name] for name in graph.order()]
        if len(ordered) < len(named):
            raise DiagramError(f"the diagram has a cycle: {' -> '.join(graph.cycle())}.")
        object.__setattr__(self, "nodes", tuple(ordered))
        object.__setattr__(self, "graph", graph)
        object.__setattr__(self, "_named", {node.name: node for node in ordered})

    def __getitem__(self, name: str) -> Node:
        if name not in self._named:
            raise DiagramError(f"there is no node {name!r}.{_near(name, self._named)}")
        return self._named[name]

    def get(self, name: str) -> Node | None:
        """The node of this name, if there is one."""
        return self._named.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self._named

    @property
    def edges(self) -> tuple[Edge, ...]:
        """(parent, child), child by child."""
        return tuple((parent, node.name) for node in self.nodes for parent in node.parents)

    def children(self, name: str) -> tuple[str, ...]:
        """The nodes that depend on this one at once."""
        return self.graph.children[self[name].name]

    def of_kind(self, kind: Kind) -> tuple[str, ...]:
        """The names of all chance, decision or utility nodes."""
        return tuple(node.name for node in self.nodes if node.kind == kind)

    # Questions

    def sample(self, draw: Callable[[], float]) -> dict[str, Value]:
        """One run: a value for each node.

        `draw` gives numbers uniform on [0, 1), such as `random.Random(0).random`; it is called
        once for each node whose row has more than one possible value, parents first.
        """
        return inference.run(self.nodes, draw)

    def distribution(
        self, *of: str, given: Mapping[str, Value] | None = None
    ) -> dict[tuple[Value, ...], Number]:
        """P(of | given): probability by tuple of values, the impossible ones left out.

        Exact where the rows are (integers, fractions). Cost: see `core.inference`. Raises
        `DiagramError` for unknown nodes, a value outside a declared domain, an open decision
        among the ancestors, and a condition of probability 0.
        """
        known = dict(given or {})
        for name in of:
            self[name]
        self._require_values(known)
        return inference.law(self._named, of, known)

    def probability(
        self,
        event: Mapping[str, Value] | Callable[..., bool],
        *of: str,
        given: Mapping[str, Value] | None = None,
    ) -> Number:
        """P(event | given): `probability({"S": 12})`, or of a predicate on the nodes `of`:
        `probability(lambda x, y: x == y, "X", "Y")`. Cost and errors as for `distribution`."""
        if not isinstance(event, Mapping):
            self._require_names(of)
            law = self.distribution(*of, given=given)
            return sum(weight for values, weight in law.items() if event(*values))
        if of:
            raise DiagramError(f"an event by values names its nodes itself; drop {', '.join(of)}.")
        self._require_values(event)
        law = self.distribution(*event, given=given)
        return law.get(tuple(event.values()), 0)

    def expectation(
        self,
        what: str | Callable[..., Number],
        *of: str,
        given: Mapping[str, Value] | None = None,
    ) -> Number:
        """E[what | given]: of a node, `expectation("S")`, or of a function of the nodes `of`:
        `expectation(max, "X", "Y")`. Cost and errors as for `distribution`; its values must be
        numbers."""
        if isinstance(what, str):
            if of:
                raise DiagramError(f"what function of {what}, {', '.join(of)}? Give it first.")
            return inference.mean(self.distribution(what, given=given), (what,), lambda x: x)
        self._require_names(of)
        return inference.mean(self.distribution(*of, given=given), of, what)

    def expected_utility(self, given: Mapping[str, Value] | None = None) -> Number:
        """The sum of the expectations of all utility nodes."""
        return sum(self.expectation(name, given=given) for name in self.of_kind("utility"))

    def values(self, name: str) -> tuple[Value, ...]:
        """The declared domain, or else all that the function gives, whatever its parents are."""
        if self[name].domain:
            return self[name].domain
        return tuple(dict.fromkeys(itertools.chain.from_iterable(self.table(name).values())))

    def table(self, name: str) -> dict[tuple[Value, ...], Mapping[Value, Number]]:
        """Every row of a node: values of the parents -> value -> probability."""
        node = self[name]
        heard = [self.values(parent) for parent in node.parents]
        if (rows := math.prod(map(len, heard))) > inference.MOST_STATES:
            raise DiagramError(
                f"{name} has {rows:,} rows; the most listed is {inference.MOST_STATES:,}."
            )
        return {values: node.row(values) for values in itertools.product(*heard)}

    def check(self) -> None:
        """Read every row of every node that has a function. Raises `DiagramError` for a bad one."""
        for node in self.nodes:
            if node.function is not None:
                self.table(node.name)

    # Edits: each gives a new diagram

    def decide(self, name: str, function: Function) -> Diagram:
        """With a policy for a decision: a function of its parents, as for any node."""
        if self[name].kind != "decision":
            raise DiagramError(f"{name} is a {self[name].kind} node; only decisions are decided.")
        return self.replace(name, function)

    def replace(
        self,
        name: str,
        function: Function | None,
        parents: Iterable[str] | None = None,
        domain: Iterable[Value] | None = None,
    ) -> Diagram:
        """With another function for a node, and other parents or another domain where given."""
        node = self[name]
        changed = replace(
            node,
            function=function,
            parents=node.parents if parents is None else tuple(parents),
            domain=node.domain if domain is None else tuple(domain),
        )
        return Diagram(changed if old is node else old for old in self.nodes)

    def add(self, *nodes: Node) -> Diagram:
        """With further nodes."""
        return Diagram((*self.nodes, *nodes))

    def do(self, values: Mapping[str, Value] | None = None, /, **named: Value) -> Diagram:
        """With nodes set to values, whatever their parents say: Pearl's intervention."""
        fixed = {**(values or {}), **named}
        self._require_values(fixed)
        return Diagram(
            replace(node, parents=(), function=_constant(fixed[node.name]))
            if node.name in fixed
            else node
            for node in self.nodes
        )

    def cut(self, *edges: Edge, told: Value = _UNTOLD) -> Diagram:
        """Without these edges. The functions of the children go on, told `told` instead.

        `learning.cut(("M", "A"), told="go")` is the agent that acts as if its mode were always
        "go". `told` may be left out where no child has a function, an open decision say.
        Raises `DiagramError` for an edge that is not there, and for a child that needs `told`.
        """
        self._require_edges(edges)
        if told is _UNTOLD:
            for parent, child in edges:
                if self[child].function is not None:
                    raise DiagramError(
                        f"the function of {child} needs {parent}. Say what it is told instead, "
                        f"cut(({parent!r}, {child!r}), told=value), or replace({child!r}, …) first."
                    )
            return self - edges
        for parent, _ in edges:
            self._require_values({parent: told})
        return self._without(edges, told)

    def __sub__(self, edges: Iterable[Edge]) -> Diagram:
        """The structure without these edges: children that lost one lose their function too."""
        listed = tuple(edges)
        self._require_edges(listed)
        return self._without(listed, _UNTOLD)

    def remove(self, *names: str, told: Value = _UNTOLD) -> Diagram:
        """Without these nodes; their children are told `told` instead, as in `cut`.

        Raises `DiagramError` where a child's function still needs one of them.
        """
        gone = {self[name].name for name in names}
        edges = [edge for edge in self.edges if edge[0] in gone and edge[1] not in gone]
        needy = [child for _, child in edges if self[child].function is not None]
        if told is _UNTOLD and needy:
            raise DiagramError(
                f"{', '.join(names)} cannot be removed: the function(s) of "
                f"{', '.join(dict.fromkeys(needy))} need it. Say what they are told instead, "
                f"remove({', '.join(map(repr, names))}, told=value), or replace them first."
            )
        rest = self.cut(*edges, told=told)
        return Diagram(node for node in rest.nodes if node.name not in gone)

    def _without(self, edges: Iterable[Edge], told: Value) -> Diagram:
        lost: dict[str, list[str]] = {}
        for parent, child in edges:
            lost.setdefault(child, []).append(parent)
        return Diagram(
            node.without(
                lost[node.name], None if told is _UNTOLD else dict.fromkeys(lost[node.name], told)
            )
            if node.name in lost
            else node
            for node in self.nodes
        )

    def _require_edges(self, edges: Iterable[Edge]) -> None:
        for parent, child in edges:
            if self[parent].name not in self[child].parents:
                raise DiagramError(
                    f"there is no edge {parent} -> {child}; the parents of {child} are "
                    f"{', '.join(self[child].parents) or 'none'}."
                )

    def _require_names(self, of: tuple[str, ...]) -> None:
        if not of:
            raise DiagramError('a function of which nodes? Name them: (function, "X", "Y").')

    def _require_values(self, values: Mapping[str, Value]) -> None:
        for name, value in values.items():
            domain = self[name].domain
            require_value(name, value, "a question or an edit")
            if domain and value not in domain:
                raise DiagramError(f"{name} cannot be {value!r}; its domain is {domain}.")


def _constant(value: Value) -> Function:
    return lambda: value


def _near(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(names), n=3)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
