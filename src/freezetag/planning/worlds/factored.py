"""A model taken apart: which field of the next state depends on which field, read off its rows.

A state that is a named tuple is a row of fields. By the chain rule each field of the next state
has a law given the action, the fields before and the earlier fields beside it; of these, the
parents are a least set on which the law depends, on all that can happen. So the parts together
are the model, exactly, also where fields move together. Caveat: where two fields always agree,
either could be the parent; the one that stands later is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import Model, Node

RECORD, MODE, ACTION, REWARD = "O", "M", "A", "R"
CLOSE = 1e-12
"""Chances and rewards nearer than this are one."""


@final
@dataclass(frozen=True)
class Parts:
    """The fields that a model's states are made of: `names`, and `rows` [S] of their values."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, model: Model) -> Parts:
        """A named tuple's fields, those left out that are the same in all states; else S."""
        kinds = {type(state) for state in model.states}
        fields = getattr(next(iter(kinds)), "_fields", ()) if len(kinds) == 1 else ()
        varied = [i for i in range(len(fields)) if len({state[i] for state in model.states}) > 1]
        if not varied:
            return cls(("S",), tuple((state,) for state in model.states))
        taken = {RECORD, MODE, ACTION, REWARD}
        names = tuple(fields[i] + "'" * (fields[i] in taken) for i in varied)
        return cls(names, tuple(tuple(state[i] for i in varied) for state in model.states))


def state_nodes(model: Model, steps: int) -> list[Node]:
    """The fields of S_0 .. S_steps: each given action, fields before, and earlier fields beside.

    By the chain rule that is exact, also where fields move together.
    """
    parts = Parts.of(model)
    beside = tuple(f"{name} beside" for name in parts.names)
    before = tuple(f"{name} before" for name in parts.names)
    first: list[_Case] = [((), {parts.rows[s]: chance for s, chance in model.start})]
    later: list[_Case] = []
    for number, row in enumerate(model.rows):
        for action, pairs in zip(model.actions, row, strict=True):
            if pairs:
                law = {parts.rows[there]: chance for there, chance in pairs}
                later.append(((*parts.rows[number], action), law))
    nodes = []
    for cases, names, slices in (
        (first, (), (0,)),
        (later, (*before, ACTION), range(1, steps + 1)),
    ):
        for k, own in enumerate(parts.names):
            laws = _conditional(cases, k)
            # Those beside are dropped first: a field is rather explained by what came before.
            kept = sufficient((*beside[:k], *names), laws)
            table = {pick(case, (*beside[:k], *names), kept): law for case, law in laws}
            for t in slices:
                nodes.append(
                    Node(
                        f"{own}[{t}]",
                        parents=tuple(_parent(name, t) for name in kept),
                        function=looked_up(table),
                        step=t,
                        group=own,
                    )
                )
    return nodes


_Case = tuple[tuple[Any, ...], Mapping[tuple[Any, ...], Any]]


def _parent(name: str, t: int) -> str:
    base, _, when = name.rpartition(" ")
    return f"{base}[{t}]" if when == "beside" else f"{base or name}[{t - 1}]"


def _conditional(cases: Iterable[_Case], k: int) -> list[tuple[tuple[Any, ...], dict[Any, Any]]]:
    """((first k fields of what follows, *case), law of field k) for all that can be."""
    found = []
    for case, law in cases:
        split: dict[tuple[Any, ...], dict[Any, Any]] = {}
        for row, chance in law.items():
            part = split.setdefault(row[:k], {})
            part[row[k]] = part.get(row[k], 0) + chance
        for prefix, part in split.items():
            total = sum(part.values())
            shares = part if len(split) == 1 else {v: c / total for v, c in part.items()}
            found.append(((*prefix, *case), dict.fromkeys(shares, 1) if len(part) == 1 else shares))
    return found


def sufficient(
    names: Sequence[str], cases: Sequence[tuple[tuple[Any, ...], Any]]
) -> tuple[str, ...]:
    """A least set of the named entries of which the second part of every case is a function.

    Entries are dropped one by one, the first first, as long as that holds on all that can be.
    """
    kept = list(names)
    for name in names:
        fewer = [other for other in kept if other != name]
        seen: dict[tuple[Any, ...], Any] = {}
        if all(
            _same(seen.setdefault(pick(case, names, fewer), value), value) for case, value in cases
        ):
            kept = fewer
    return tuple(kept)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return all(abs(one.get(v, 0) - other.get(v, 0)) <= CLOSE for v in {**one, **other})
    return bool(one == other or (_is_real(one) and _is_real(other) and abs(one - other) <= CLOSE))


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float)


def pick(case: tuple[Any, ...], names: Sequence[str], kept: Iterable[str]) -> tuple[Any, ...]:
    return tuple(case[names.index(name)] for name in kept)


def looked_up(table: Mapping[tuple[Any, ...], Any]) -> Callable[..., Any]:
    def answer(*values: Any) -> Any:
        if values not in table:
            raise LookupError("no action that is allowed leads here")
        return table[values]

    return answer
