"""The two worlds drawn from the objects that run: what depends on what is read off the model.

A state that is a named tuple is drawn as its fields, so that a route through the mode and a route
round it can be told apart. The planning world's diagram is an edit of the learning world's: mode
and record are removed, the reward is added. Every node carries its function, so that a drawn
world can be run and asked for chances and utility.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import GO, Diagram, Model, Node, UserError
from freezetag.core.incentives import ButtonIncentive, button_incentive
from freezetag.planning.learning_world import LearningWorld
from freezetag.planning.planning_world import Reward

RECORD, MODE, ACTION, REWARD = "O", "M", "A", "R"
CLOSE = 1e-12
"""Chances and rewards nearer than this are one."""


@final
@dataclass(frozen=True)
class TwoWorlds:
    """The three diagrams of an agent with interlocks and of the planner it is compared with.

    `learning` has no reward; `factual` is it with the reward added, which is what FP+M plans in;
    `planning` is `learning` without mode and record, with the reward added. `buttons` are the
    nodes that the button's sensor reads, `modes` those of the mode.
    """

    learning: Diagram
    factual: Diagram
    planning: Diagram
    buttons: tuple[str, ...]
    modes: tuple[str, ...]

    def incentives(self) -> dict[str, tuple[ButtonIncentive, ButtonIncentive]]:
        """Field -> the incentive to move it in the factual and in the planning diagram.

        Asked of the field in step 1, the first one that a decision can have moved.
        """
        found = {}
        for name in self.buttons:
            if name in self.planning and name.endswith("[1]"):
                found[name.removesuffix("[1]")] = (
                    button_incentive(self.factual, name, self.modes),
                    button_incentive(self.planning, name),
                )
        return found


def two_worlds(
    learning: LearningWorld,
    reward: Reward,
    steps: int = 2,
    button: str = "button",
    believed: Model | None = None,
) -> TwoWorlds:
    """The diagrams of a learning world and of what is planned in beside it.

    `believed` is the learned model L of the planning world, over the states of the environment;
    L = S if it is not given. Raises `UserError` for other states.
    """
    drawn = learning_diagram(learning, steps)
    names = tuple(node.name for node in drawn.nodes)
    modes = tuple(name for name in names if name.startswith(f"{MODE}["))
    env = learning.environment
    parts = _Parts.of(env)
    read: tuple[str, ...] = ()
    if button in env.sensors:
        values = dict(zip(parts.rows, env.sensors[button], strict=True))
        read = _sufficient(parts.names, [(row, values[row]) for row in parts.rows])
    rewards = reward_nodes(env, reward, steps)
    planning = without_interlocks(drawn)
    if believed is not None:
        if set(believed.states) != set(env.states):
            raise UserError(
                "the learned model has other states than the environment. Draw its own world."
            )
        for node in _states(believed, steps):
            planning = planning.replace(node.name, node.function, node.parents)
    return TwoWorlds(
        learning=drawn,
        factual=drawn.add(*rewards),
        planning=planning.add(*rewards),
        buttons=tuple(f"{name}[{t}]" for name in read for t in range(steps + 1)),
        modes=modes,
    )


def without_interlocks(learning: Diagram) -> Diagram:
    """The one edit that makes a planning world of a learning world: no mode, no record.

    What was observed of them was an argument of the decision, which stays open; nothing else in
    the diagram depends on them (THEORY 1.3: M acts through A alone).
    """
    gone = [node.name for node in learning.nodes if node.group in (MODE, RECORD)]
    return learning.remove(*gone)


def learning_diagram(learning: LearningWorld, steps: int = 2) -> Diagram:
    """The learning world over `steps` steps: fields of S, record O, mode M, decision A.

    Edges are those that the environment and the panel have: a field is a parent only where it
    makes a difference somewhere. M reads what the panel's meters read. Source: THEORY 1.3.
    """
    env = learning.environment
    parts = _Parts.of(env)
    nodes = _states(env, steps)
    timed = any(interlock.sensor == "runtime" for interlock in learning.panel.interlocks)
    trips = [
        (row, learning.latch(GO, number, 0)[0] if learning.panel.interlocks else GO)
        for number, row in enumerate(parts.rows)
    ]
    met = _sufficient(parts.names, trips)
    at = {_pick(row, parts.names, met): number for number, row in enumerate(parts.rows)}
    for t in range(steps):
        fields = tuple(f"{name}[{t}]" for name in parts.names)
        record, mode, action = (f"{name}[{t}]" for name in (RECORD, MODE, ACTION))
        before = (f"{RECORD}[{t - 1}]", *(f"{n}[{t - 1}]" for n in (*parts.names, ACTION)))
        nodes += [
            Node(
                record,
                parents=before if t else (),
                function=(lambda o, *happened: (*o, happened)) if t else (lambda: ()),
                step=t,
                group=RECORD,
            ),
            Node(
                mode,
                parents=(
                    *((record,) if timed else ()),
                    *(f"{name}[{t}]" for name in met),
                    *((f"{MODE}[{t - 1}]",) if t else ()),
                ),
                function=_latching(learning, at, timed, bool(t)),
                step=t,
                group=MODE,
            ),
            Node(
                action,
                "decision",
                parents=(record, *fields, mode),
                domain=env.actions,
                step=t,
                group=ACTION,
            ),
        ]
    return Diagram(nodes)


def reward_nodes(model: Model, reward: Reward, steps: int) -> list[Node]:
    """R_k = R(S_k, S_{k+1}) for k = 0 .. steps - 1, as nodes with the parents that matter."""
    parts = _Parts.of(model)
    names = (*(f"{n} now" for n in parts.names), *(f"{n} then" for n in parts.names))
    cases: dict[tuple[Any, ...], Any] = {}
    for number, row in enumerate(model.rows):
        for there in {there for pairs in row for there, _ in pairs}:
            paid = reward(model.states[number], model.states[there])
            cases[(*parts.rows[number], *parts.rows[there])] = paid
    kept = _sufficient(names, list(cases.items()))
    table = {_pick(case, names, kept): value for case, value in cases.items()}
    nodes = []
    for t in range(steps):
        parents = [f"{name.rpartition(' ')[0]}[{t + name.endswith(' then')}]" for name in kept]
        nodes.append(
            Node(
                f"{REWARD}[{t}]",
                "utility",
                parents=tuple(parents),
                function=_looked_up(table),
                step=t,
                group=REWARD,
            )
        )
    return nodes


@final
@dataclass(frozen=True)
class _Parts:
    """The fields that a model's states are made of: `names`, and `rows` [S] of their values."""

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @classmethod
    def of(cls, model: Model) -> _Parts:
        """A named tuple's fields, those left out that are the same in all states; else S."""
        kinds = {type(state) for state in model.states}
        fields = getattr(next(iter(kinds)), "_fields", ()) if len(kinds) == 1 else ()
        varied = [i for i in range(len(fields)) if len({state[i] for state in model.states}) > 1]
        if not varied:
            return cls(("S",), tuple((state,) for state in model.states))
        taken = {RECORD, MODE, ACTION, REWARD}
        names = tuple(fields[i] + "'" * (fields[i] in taken) for i in varied)
        return cls(names, tuple(tuple(state[i] for i in varied) for state in model.states))


def _states(model: Model, steps: int) -> list[Node]:
    """The fields of S_0 .. S_steps: each given action, fields before, and earlier fields beside.

    By the chain rule that is exact, also where fields move together.
    """
    parts = _Parts.of(model)
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
            kept = _sufficient((*beside[:k], *names), laws)
            table = {_pick(case, (*beside[:k], *names), kept): law for case, law in laws}
            for t in slices:
                nodes.append(
                    Node(
                        f"{own}[{t}]",
                        parents=tuple(_parent(name, t) for name in kept),
                        function=_looked_up(table),
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


def _sufficient(
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
            _same(seen.setdefault(_pick(case, names, fewer), value), value) for case, value in cases
        ):
            kept = fewer
    return tuple(kept)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return all(abs(one.get(v, 0) - other.get(v, 0)) <= CLOSE for v in {**one, **other})
    return bool(one == other or (_is_real(one) and _is_real(other) and abs(one - other) <= CLOSE))


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float)


def _pick(case: tuple[Any, ...], names: Sequence[str], kept: Iterable[str]) -> tuple[Any, ...]:
    return tuple(case[names.index(name)] for name in kept)


def _looked_up(table: Mapping[tuple[Any, ...], Any]) -> Callable[..., Any]:
    def answer(*values: Any) -> Any:
        if values not in table:
            raise LookupError("no action that is allowed leads here")
        return table[values]

    return answer


def _latching(
    learning: LearningWorld, at: Mapping[tuple[Any, ...], int], timed: bool, later: bool
) -> Callable[..., Any]:
    """The mode of a step from (record where it is timed, fields read, mode before)."""

    def mode(*heard: Any) -> int:
        rest = list(heard)
        step = len(rest.pop(0)) if timed else 0
        before = rest.pop() if later else learning.mode
        return learning.latch(before, at[tuple(rest)], step)[0]

    return mode
