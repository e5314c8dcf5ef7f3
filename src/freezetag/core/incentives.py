"""What a diagram's decision makers want to know and to move, read off its paths.

The criteria are sound and complete for diagrams with one decision (Everitt, Carey, Langlois,
Ortega and Legg, "Agent Incentives: A Causal Perspective", AAAI 2021):
where the criterion holds, *some* functions on these edges give the incentive; where it does not,
none do. With several decisions name the one asked about; the others count as if their policies
were fixed, and `button_incentive` asks about all of them.

Caveat: edges say what may matter, not how much; the price is in `planning`. d-separation does not
know which functions are deterministic.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from freezetag.core.diagram import Diagram, DiagramError, Edge
from freezetag.core.graph import Graph

IncentiveKind = Literal["none", "direct", "indirect", "both"]


def control_incentives(diagram: Diagram, decision: str | None = None) -> frozenset[str]:
    """The nodes that the decision moves because they move utility (instrumental control).

    X is one iff a directed path decision -> X -> utility exists; the decision itself and the
    utilities it reaches lie on such paths. Linear in the edges.
    """
    chosen = _the_decision(diagram, decision)
    graph = diagram.graph
    return frozenset(graph.below([chosen]) & graph.above(diagram.of_kind("utility")))


def value_of_information(diagram: Diagram, decision: str | None = None) -> frozenset[str]:
    """The nodes that it may pay to observe before deciding, those observed already among them.

    X is one iff it is not a descendant of the decision and not d-separated from the utilities that
    the decision reaches, given the decision and what else it observes. Linear.
    """
    chosen = _the_decision(diagram, decision)
    return frozenset(
        _relevant(diagram.graph, chosen, diagram.of_kind("utility")) - diagram.graph.below([chosen])
    )


def value_of_control(diagram: Diagram, decision: str | None = None) -> frozenset[str]:
    """The nodes that it would pay to set, decision apart.

    X is one iff a directed path X -> utility exists once the information links that an optimal
    decision may ignore are cut. Linear.
    """
    chosen = _the_decision(diagram, decision)
    graph = _without_idle(diagram.graph, [chosen], diagram.of_kind("utility"))
    return frozenset(graph.above(diagram.of_kind("utility")) - {chosen})


def response_incentives(diagram: Diagram, decision: str | None = None) -> frozenset[str]:
    """The nodes to whose changes an optimal decision responds.

    X is one iff a directed path X -> decision exists once the information links that an optimal
    decision may ignore are cut. Linear.
    """
    chosen = _the_decision(diagram, decision)
    return frozenset(
        _without_idle(diagram.graph, [chosen], diagram.of_kind("utility")).above([chosen])
        - {chosen}
    )


def nonrequisite(diagram: Diagram) -> tuple[Edge, ...]:
    """The information links that optimal policies may ignore: `diagram - nonrequisite(diagram)`.

    Links into open decisions only; a decided one follows its function. With several decisions they
    are cut until none is left (Lauritzen and Nilsson, 2001: the order does not matter, and no
    expected utility is lost). Linear in edges times decisions times rounds.
    """
    graph = _without_idle(diagram.graph, _open(diagram), diagram.of_kind("utility"))
    return tuple(edge for edge in diagram.edges if edge[0] not in graph.parents[edge[1]])


@dataclass(frozen=True)
class ButtonIncentive:
    """Whether decisions move the button, and by which route that pays.

    `direct` and `indirect` are one shortest path each, decision -> button -> utility, empty where
    there is none.
    """

    button: str
    direct: tuple[str, ...]
    indirect: tuple[str, ...]

    @property
    def kind(self) -> IncentiveKind:
        if self.direct:
            return "both" if self.indirect else "direct"
        return "indirect" if self.indirect else "none"

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """The paths there are, for a drawing's `highlight`."""
        return tuple(path for path in (self.direct, self.indirect) if path)


def button_incentive(
    diagram: Diagram,
    button: str,
    modes: Collection[str] = (),
    decision: str | None = None,
    utilities: Collection[str] | None = None,
) -> ButtonIncentive:
    """The incentive to control the stop button: direct, through a mode; indirect, round all modes.

    Direct iff a path decision -> button -> mode -> utility exists. Indirect iff a path decision ->
    button -> utility remains in the diagram from which the modes are removed, which is what a
    planning world is. In both, links into open decisions count only where optimal policies use
    them: to see a button that changes nothing is not a route. A link from a mode into a decision is
    no information but a bond (a stopped core can only stop), and always counts.

    `decision` None asks about all decisions; `utilities` None means all. Raises `DiagramError` for
    unknown nodes, nodes of another kind, and a button that is a mode. Source: the split of Holtman,
    "Creating AGI Safety Interlocks" (2021), "Failure modes"; the criterion is ours. Caveat: see
    the module. In a *learned* model that has absorbed a copy of the mode, the path through the copy
    is no named mode and shows as indirect, though it is the direct incentive come back (T8c).
    """
    bound = (modes,) if isinstance(modes, str) else tuple(modes)
    for name in (button, *bound):
        diagram[name]
    if button in bound:
        raise DiagramError(f"{button!r} is named as button and as mode; it can be one of them.")
    decisions = diagram.of_kind("decision") if decision is None else (decision,)
    wanted = diagram.of_kind("utility") if utilities is None else tuple(utilities)
    for names, kind in ((decisions, "decision"), (wanted, "utility")):
        for name in names:
            if diagram[name].kind != kind:
                raise DiagramError(f"{name} is a {diagram[name].kind} node, not a {kind}.")

    free = _open(diagram)
    factual = _without_idle(diagram.graph, free, wanted, bound)
    counterfactual = _without_idle(diagram.graph.without(names=bound), free, wanted)
    return ButtonIncentive(
        button,
        direct=_route(factual, decisions, button, wanted, bound) if bound else (),
        indirect=_route(counterfactual, decisions, button, wanted),
    )


def _route(
    graph: Graph,
    decisions: Collection[str],
    button: str,
    utilities: Collection[str],
    via: Collection[str] = (),
) -> tuple[str, ...]:
    paying = graph.path(button, utilities, via)
    if not paying:
        return ()
    moving = (graph.path(decision, [button]) for decision in decisions if decision in graph.parents)
    shortest = min((path for path in moving if path), key=len, default=[])
    return (*shortest, *paying[1:]) if shortest else ()


def _without_idle(
    graph: Graph,
    decisions: Collection[str],
    utilities: Collection[str],
    bonds: Collection[str] = (),
) -> Graph:
    """Without the information links that optimal decisions may ignore; links from bonds stay.

    Last decision first: what an early one needs to know depends on what later ones look at.
    """
    unchanged = 0
    for decision in itertools.cycle(reversed(list(decisions))):
        if unchanged == len(decisions):
            break
        heard = [parent for parent in graph.parents[decision] if parent not in bonds]
        relevant = _relevant(graph, decision, utilities) if heard else set()
        idle = {(parent, decision) for parent in heard if parent not in relevant}
        graph = graph.without(edges=idle) if idle else graph
        unchanged = 1 if idle else unchanged + 1
    return graph


def _relevant(graph: Graph, decision: str, utilities: Collection[str]) -> set[str]:
    """What is d-connected to the utilities below a decision, given what it observes and itself."""
    reached = graph.below([decision]).intersection(utilities)
    return graph.connected(reached, {decision, *graph.parents[decision]})


def _open(diagram: Diagram) -> list[str]:
    return [name for name in diagram.of_kind("decision") if diagram[name].function is None]


def _the_decision(diagram: Diagram, decision: str | None) -> str:
    decisions = diagram.of_kind("decision")
    if decision is None and len(decisions) != 1:
        raise DiagramError(
            f"this diagram has {len(decisions)} decisions{': ' if decisions else ''}"
            f"{', '.join(decisions)}. Name the one to ask about: decision=…."
        )
    chosen = decisions[0] if decision is None else decision
    if diagram[chosen].kind != "decision":
        raise DiagramError(f"{chosen} is a {diagram[chosen].kind} node, not a decision.")
    return chosen
