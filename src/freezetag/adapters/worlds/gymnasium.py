"""Gymnasium environments with a transition table, as worlds to plan in: `gymnasium:Taxi-v4`.

The table `P` is read and nothing is stepped or rendered, so no extra is needed for that.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from freezetag import catalogue
from freezetag.core import UserError
from freezetag.planning.worlds.table_world import Rows, TableWorld

SUCH_AS = "FrozenLake-v1, CliffWalking-v1 and Taxi-v4 have one"


class NoTable(UserError, ValueError):
    """An environment that there is not, that takes other settings, or that hides its dynamics."""


def modelled(name: str, settings: Mapping[str, Any]) -> TableWorld:
    """The world of the environment called `name`, made with these settings. Raises `NoTable`."""
    import gymnasium

    if not name:
        raise NoTable("which environment? Write its name, as in gymnasium:FrozenLake-v1.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = gymnasium.make(name, **settings)
    except gymnasium.error.DependencyNotInstalled as error:
        raise NoTable(f"{name} needs a package that is not here: {_line(error)}") from None
    except gymnasium.error.UnregisteredEnv as error:
        near = catalogue.near(name, sorted(gymnasium.registry))
        hint = f" Did you mean {' or '.join(near)}?" if near else f" ({_line(error)})"
        raise NoTable(f"there is no Gymnasium environment {name!r}.{hint}") from None
    except gymnasium.error.Error as error:
        raise NoTable(f"{name}: {_line(error)}") from None
    except Exception as error:
        given = ", ".join(f"{key}={value!r}" for key, value in settings.items())
        said = f"it knows no {_line(error)}" if isinstance(error, KeyError) else _line(error)
        raise NoTable(f"{name} cannot be made with ({given}): {said}") from None
    try:
        return of(made, name)
    finally:
        made.close()


def of(environment: Any, name: str) -> TableWorld:
    """The world of an environment: its table, its first states, its names of actions.

    Raises `NoTable` for one without a table `P`, `BadTable` for a table that is none.
    """
    bare = getattr(environment, "unwrapped", environment)
    table = getattr(bare, "P", None)
    if table is None:
        raise NoTable(
            f"{name} has no transition table P, so nobody knows its exact model. {SUCH_AS}."
        )
    limit = getattr(getattr(environment, "spec", None), "max_episode_steps", None)
    rows = Rows.of(table, _start(bare, name), _named(bare, table))
    return TableWorld(rows, horizon=limit or TableWorld.horizon)


def _start(bare: Any, name: str) -> dict[Any, float]:
    law = getattr(bare, "initial_state_distrib", None)
    if law is None:
        law = getattr(bare, "isd", None)
    if law is not None:
        return {state: float(chance) for state, chance in enumerate(law)}
    try:
        state = bare.reset(seed=0)[0]
        return {int(state): 1.0}
    except Exception as error:
        raise NoTable(
            f"{name} says nowhere where it begins: it has neither initial_state_distrib nor a "
            f"reset whose observation is a state's number ({_line(error)})."
        ) from None


def _named(bare: Any, table: Any) -> tuple[str, ...]:
    """The actions' names, where the environment's own module numbers them: `LEFT = 0`, ..."""
    module = vars(sys.modules[type(bare).__module__])
    count = len(table[next(iter(table))]) if isinstance(table, Mapping) and table else 0
    numbered = [
        [
            name.lower()
            for name, value in module.items()
            if name.isupper() and value == number and type(value) is int
        ]
        for number in range(count)
    ]
    return tuple(names[0] for names in numbered) if all(len(n) == 1 for n in numbered) else ()


def _line(error: BaseException) -> str:
    """The first line of an error's message, without colours."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].replace("\x1b[0m", "").replace("\x1b[33m", "")
