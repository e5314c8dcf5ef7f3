"""The two worlds drawn from the objects that run: what depends on what is read off the model.

A state that is a named tuple is drawn as its fields, so that a route through the mode and a route
round it can be told apart. The planning world's diagram is an edit of the learning world's: mode
and record are removed, the reward is added. Every node carries its function, so that a drawn
world can be run and asked for chances and utility.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

from freezetag.core import (
    GO,
    Diagram,
    Model,
    Node,
    Reward,
    UserError,
    by_action,
    counts_actions,
)
from freezetag.core.incentives import ButtonIncentive, button_incentive
from freezetag.planning.worlds.factored import (
    ACTION,
    MODE,
    RECORD,
    REWARD,
    Parts,
    looked_up,
    pick,
    state_nodes,
    sufficient,
)
from freezetag.planning.worlds.learning_world import LearningWorld


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
    parts = Parts.of(env)
    read: tuple[str, ...] = ()
    if button in env.sensors:
        values = dict(zip(parts.rows, env.sensors[button], strict=True))
        read = sufficient(parts.names, [(row, values[row]) for row in parts.rows])
    rewards = reward_nodes(env, reward, steps)
    planning = without_interlocks(drawn)
    if believed is not None:
        if set(believed.states) != set(env.states):
            raise UserError(
                "the learned model has other states than the environment. Draw its own world."
            )
        for node in state_nodes(believed, steps):
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
    the diagram depends on them (docs/sources.md D3: M acts through A alone).
    """
    gone = [node.name for node in learning.nodes if node.group in (MODE, RECORD)]
    return learning.remove(*gone)


def learning_diagram(learning: LearningWorld, steps: int = 2) -> Diagram:
    """The learning world over `steps` steps: fields of S, record O, mode M, decision A.

    Edges are those that the environment and the panel have: a field is a parent only where it
    makes a difference somewhere. M reads what the panel's meters read. Source: docs/sources.md D3.
    """
    env = learning.environment
    parts = Parts.of(env)
    nodes = state_nodes(env, steps)
    timed = any(interlock.sensor == "runtime" for interlock in learning.panel.interlocks)
    trips = [
        (row, learning.latch(GO, number, 0)[0] if learning.panel.interlocks else GO)
        for number, row in enumerate(parts.rows)
    ]
    met = sufficient(parts.names, trips)
    at = {pick(row, parts.names, met): number for number, row in enumerate(parts.rows)}
    # With every trip undone by others the mode before makes no difference.
    latches = any(lock.sensor not in learning.thaws for lock in learning.panel.interlocks)
    lasts = latches or not learning.panel.interlocks
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
                    *((f"{MODE}[{t - 1}]",) if t and lasts else ()),
                ),
                function=_latching(learning, at, timed, bool(t) and lasts),
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
    """R_k = R(S_k, S_{k+1}) for k = 0 .. steps - 1, as nodes with the parents that matter; the
    action is one of them where the reward counts it."""
    parts = Parts.of(model)
    acted = (f"{ACTION} now",) if counts_actions(reward) else ()
    names = (*(f"{n} now" for n in parts.names), *acted, *(f"{n} then" for n in parts.names))
    cases: dict[tuple[Any, ...], Any] = {}
    paid = by_action(reward)
    for number, row in enumerate(model.rows):
        for action, pairs in zip(model.actions, row, strict=True):
            for there, _ in pairs:
                case = (action,) if acted else ()
                cases[(*parts.rows[number], *case, *parts.rows[there])] = paid(
                    model.states[number], action, model.states[there]
                )
    kept = sufficient(names, list(cases.items()))
    table = {pick(case, names, kept): value for case, value in cases.items()}
    nodes = []
    for t in range(steps):
        parents = [f"{name.rpartition(' ')[0]}[{t + name.endswith(' then')}]" for name in kept]
        nodes.append(
            Node(
                f"{REWARD}[{t}]",
                "utility",
                parents=tuple(parents),
                function=looked_up(table),
                step=t,
                group=REWARD,
            )
        )
    return nodes


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
