"""Learning errors, planted: what an agent may wrongly believe of its world, model -> model.

Each takes the true environment S and gives a learned one L that is wrong in one named way. A
share between 0 and 1 makes a family of it, along which distance and incentive grow together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, final

from freezetag.core import Model, Reward, UserError, through
from freezetag.core.model import Chances
from freezetag.planning.worlds.learning_world import NoSensor

Mistake = Callable[[Model], Model]


class BadShare(UserError, ValueError):
    """A share of a mistake that lies outside [0, 1]."""


@final
@dataclass(frozen=True)
class Ruined:
    """A state as it was when everything blew up: from there on all actions do what `stop` does."""

    state: Any


def copy_of_mode(model: Model, sensor: str = "button") -> Model:
    """L(.|s,a) = S(.|s,stop) where the button is down: the mode has got into the model (T8c).

    The agent believes that the *world* ignores it there, though it is its own core that stops. The
    whole factual incentive returns. Source: Holtman 2021, in the comments, the second of the two
    last examples; reconstructed.
    """
    down = _down(model, sensor)
    stop = model.actions[model.stop]

    def believed(state: Any, action: str, chances: Chances) -> Chances:
        return model.chances(state, stop) if state in down else chances

    return model.replaced(believed)


def freeze(model: Model) -> Model:
    """L(.|s,a) = S(.|s,stop) everywhere: nothing it does seems to matter (T8b).

    All actions tie, and the value is that of stopping. Source: the first of the same two examples;
    reconstructed.
    """
    stop = model.actions[model.stop]
    return model.replaced(lambda state, action, chances: model.chances(state, stop))


def explosives(model: Model, chance: Any = 1, sensor: str = "button") -> Model:
    """L = S, but when the button goes down, everything is destroyed with this chance (T8).

    "Pressing the stop button will set off some explosives that will destroy the agent's paperclip
    factory ... there are absolutely no such explosives in the learning world" (Holtman 2021). The
    states are those of S, then a `Ruined` copy of each state in which that may be, or to which it
    leads; a reward reads them through `as_before`.
    """
    _check_share(chance)
    down = _down(model, sensor)
    stop = model.actions[model.stop]
    queue = [state for state in model.states if state in down]
    ruined = {state: Ruined(state) for state in queue}
    for state in queue:
        for there in model.chances(state, stop):
            if there not in ruined:
                ruined[there] = Ruined(there)
                queue.append(there)
    index = {state: number for number, state in enumerate((*model.states, *ruined.values()))}

    def after(state: Any, action: str) -> dict[Any, Any]:
        then: dict[Any, Any] = {}
        for there, likely in model.chances(state, action).items():
            blown = chance if there in down and state not in down else 0
            if blown != 1:
                then[there] = likely * (1 - blown)
            if blown != 0:
                then[ruined[there]] = likely * blown
        return then

    def after_ruin(state: Any) -> dict[Any, Any]:
        return {ruined[there]: likely for there, likely in model.chances(state, stop).items()}

    rows = [[after(state, action) for action in model.actions] for state in model.states]
    rows += [[after_ruin(state)] * len(model.actions) for state in ruined]
    numbers = [index[state] for state in ruined]
    return replace(
        model,
        states=tuple(index),
        rows=_numbered(rows, index),
        sensors={
            name: (*read, *(read[number] for number in numbers))
            for name, read in model.sensors.items()
        },
    )


def anywhere(model: Model) -> Model:
    """L(.|s,a) is uniform over all states: it has learned nothing at all."""
    share = dict.fromkeys(model.states, 1 / len(model.states))
    return model.replaced(lambda state, action, chances: share)


def mixed(true: Model, mistaken: Model, share: Any) -> Model:
    """(1 - share) S + share L: a mistake made smaller; its distance from S shrinks in proportion.

    The states are those of L; where S has no such state the rows are L's. Raises `BadShare`.
    """
    _check_share(share)
    known = set(true.states)

    def between(state: Any, action: str, chances: Chances) -> Chances:
        if state not in known:
            return chances
        right = true.chances(state, action)
        return {
            there: (1 - share) * right.get(there, 0) + share * chances.get(there, 0)
            for there in {**right, **chances}
        }

    return mistaken.replaced(between)


def as_before(reward: Reward) -> Reward:
    """The reward of a model with `Ruined` states: each counts as the state it is a copy of."""

    def whole(state: Any) -> Any:
        return state.state if isinstance(state, Ruined) else state

    return through(reward, whole)


def _down(model: Model, sensor: str) -> set[Any]:
    """The states in which the button is down."""
    if sensor not in model.sensors:
        have = ", ".join(sorted(model.sensors)) or "none"
        raise NoSensor(f"this world has no sensor {sensor!r}; it offers {have}.")
    return {
        state for state, read in zip(model.states, model.sensors[sensor], strict=True) if read > 0
    }


def _check_share(share: Any) -> None:
    if not 0 <= share <= 1:
        raise BadShare(f"a share or a chance lies in [0, 1], got {share!r}.")


def _numbered(
    rows: Sequence[Sequence[dict[Any, Any]]], index: dict[Any, int]
) -> tuple[tuple[tuple[tuple[int, Any], ...], ...], ...]:
    return tuple(
        tuple(tuple((index[there], chance) for there, chance in row.items()) for row in actions)
        for actions in rows
    )
