"""A training method, examined as it learns: `learner:ppo`, `learner:lola_estimated`,
`learner:my_trainer.py`.

What follows the colon is an agent by any name that it has by itself: a player of freezetag that
learns, a file with a learner in it (a player in JAX, or in plain Python with `learn(day)`),
`package.module:object`. The prefix says what is asked of it: how it changes over days of learning
in the class, by the probe `learned_harm`; `--probe` names others.

As a classmate it sits there as that agent would.

Caveat: an agent in plain Python is held by `freeze()` if it has it, and copied by `save()` and
`load(state)`, or by its attributes as they can be pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from freezetag import catalogue
from freezetag.adapters.agents import python_file
from freezetag.adapters.agents._jax_player import player
from freezetag.catalogue import look, source
from freezetag.core.errors import printable
from freezetag.core.named import parse
from freezetag.sim.foreign import BadAgent, Foreign

EXTRA = None
PLAYS = ""
ASKED = ("learned_harm",)
"""What it is asked where nobody names a probe."""
LEARNS = True


def names() -> tuple[str, ...]:
    """The players that learn. Loads them."""
    refs = [ref for ref in catalogue.members("players") if not ref.settings]
    return tuple(ref.name for ref in refs if getattr(catalogue.load(ref), "learns", False))


def examined(policy: Any, name: str) -> Any:
    """`policy`, which `name` stands for. Raises `BadAgent` where it says that it does not learn."""
    if isinstance(policy, Foreign) or getattr(policy, "learns", False) or hasattr(policy, "learn"):
        return policy
    raise BadAgent(
        f"{printable(name, 80)} does not learn, so that no day is unlike the first. Those that do: "
        f"{', '.join(names())}. `freezetag examine {printable(name, 80)}` examines it as it is."
    )


def factory(name: str) -> Callable[[int], Any]:
    """`make(seed) -> agent`, to sit as a classmate. Raises `BadAgent`."""
    head, _ = parse(name)
    where, inner = source.parts(head)
    where = head if head.endswith(".py") else where
    if not (where.endswith(".py") or inner):
        return player(catalogue.find("players", name).text)
    kinds = look.defined(where)
    own = inner or next((known for known in look.AGENTS if known in kinds), "")
    if kinds.get(own, "players") == "players":
        return player(catalogue.find("players", name).text)
    return python_file.factory(name)
