"""Directed acyclic graphs by name: order, reachability, d-connection, shortest paths.

Everything is linear in the number of edges.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from copy import copy


class Graph:
    """Parents by name, and the children that follow from them. Every parent must be a name."""

    def __init__(self, parents: Mapping[str, Iterable[str]]) -> None:
        self.parents = {name: tuple(above) for name, above in parents.items()}
        below: dict[str, list[str]] = {name: [] for name in self.parents}
        for name, above in self.parents.items():
            for parent in above:
                below[parent].append(name)
        self.children = {name: tuple(names) for name, names in below.items()}

    def without(self, edges: Iterable[tuple[str, str]] = (), names: Collection[str] = ()) -> Graph:
        """The same without some edges (parent, child), and without some nodes and their edges."""
        gone = set(edges)
        for name in names:
            gone.update((parent, name) for parent in self.parents[name])
            gone.update((name, child) for child in self.children[name])
        less = copy(self)
        less.parents, less.children = dict(self.parents), dict(self.children)
        for parent, child in gone:
            less.parents[child] = tuple(p for p in less.parents[child] if p != parent)
            less.children[parent] = tuple(c for c in less.children[parent] if c != child)
        for name in set(names):
            del less.parents[name], less.children[name]
        return less

    def order(self) -> list[str]:
        """Parents first, always the first of those that are ready: keeps an order that is right.

        Shorter than the graph if there is a cycle.
        """
        names = list(self.parents)
        place = {name: i for i, name in enumerate(names)}
        missing = {name: len(above) for name, above in self.parents.items()}
        ready = [place[name] for name in names if not missing[name]]
        found = []
        while ready:
            found.append(name := names[heapq.heappop(ready)])
            for child in self.children[name]:
                missing[child] -= 1
                if not missing[child]:
                    heapq.heappush(ready, place[child])
        return found

    def cycle(self) -> list[str]:
        """The names along one cycle, the first again at the end; empty if there is none."""
        rest = self.parents.keys() - set(self.order())
        if not rest:
            return []
        walk = [min(rest)]  # each of the rest has a parent among the rest: walk up until we return
        while walk.count(walk[-1]) == 1:
            walk.append(next(parent for parent in self.parents[walk[-1]] if parent in rest))
        return walk[walk.index(walk[-1]) :][::-1]

    def above(self, names: Iterable[str]) -> set[str]:
        """These and their ancestors."""
        return _reach(self.parents, names)

    def below(self, names: Iterable[str]) -> set[str]:
        """These and their descendants."""
        return _reach(self.children, names)

    def connected(self, names: Iterable[str], observed: Collection[str]) -> set[str]:
        """All that is d-connected to one of `names` given the others of `observed`.

        One pass of the Bayes ball (Shachter, 1998) answers for all nodes: that an observed node X
        is itself observed opens no trail to X that was not open, since a collider above X either
        has a directed path to X or another observed node on it.
        """
        watched = set(observed)
        queue = [(name, True) for name in names]
        visited = set(queue)
        while queue:
            name, from_below = queue.pop()
            free = name not in watched
            onward: list[tuple[str, bool]] = []
            if free == from_below:  # a watched node sends the ball back up
                onward += [(parent, True) for parent in self.parents[name]]
            if free:
                onward += [(child, False) for child in self.children[name]]
            for step in onward:
                if step not in visited:
                    visited.add(step)
                    queue.append(step)
        return {name for name, _ in visited}

    def path(self, start: str, goals: Collection[str], via: Collection[str] = ()) -> list[str]:
        """A shortest directed path from `start` to a goal, through one of `via` if there are any.

        Empty if there is none. `start` alone is a path where it is a goal itself.
        """
        first = (start, not via or start in via)
        came: dict[tuple[str, bool], tuple[str, bool] | None] = {first: None}
        queue = deque([first])
        while queue:
            here = queue.popleft()
            if here[1] and here[0] in goals:
                found = []
                at: tuple[str, bool] | None = here
                while at is not None:
                    found.append(at[0])
                    at = came[at]
                return found[::-1]
            for child in self.children[here[0]]:
                step = (child, here[1] or child in via)
                if step not in came:
                    came[step] = here
                    queue.append(step)
        return []


def _reach(onward: Mapping[str, Iterable[str]], names: Iterable[str]) -> set[str]:
    found = set(names)
    queue = list(found)
    while queue:
        for name in onward[queue.pop()]:
            if name not in found:
                found.add(name)
                queue.append(name)
    return found
