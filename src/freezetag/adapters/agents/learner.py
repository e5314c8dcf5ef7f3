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

from collections.abc import Callable, Sequence
from typing import Any

from freezetag import catalogue
from freezetag.core.errors import printable
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent, Foreign

FILE = "python_file"


def names() -> tuple[str, ...]:
    """The players that learn. Loads them."""
    refs = [ref for ref in catalogue.members("players") if not ref.settings]
    return tuple(ref.name for ref in refs if getattr(catalogue.load(ref), "learns", False))


def examined(policy: Any, name: str) -> Any:
    """`policy`, which `name` stands for. Raises `BadAgent` where it says that it does not learn,
    and for agents of other adapters, which offer no `learn(day)`."""
    if isinstance(policy, Foreign):
        learns = policy.scheme == FILE
    else:
        learns = getattr(policy, "learns", False) or hasattr(policy, "learn")
    if learns:
        return policy
    raise BadAgent(
        f"{printable(name, 80)} does not learn from day to day, so that no day is unlike the "
        f"first. {_those()} `freezetag examine {printable(name, 80)}` examines it as it is."
    )


def must_offer(
    name: str, offers: Sequence[str], save: Callable[[], Sequence[bytes | None]]
) -> None:
    """Raises `BadAgent` for an agent in plain Python that, once it was made, does not offer
    `learn(day)`, or cannot be copied."""
    name = printable(name, 80)
    if "learn" not in offers:
        raise BadAgent(
            f"{name} has no learn(day), so that no day is unlike the first. Give it one, a method "
            "beside act(obs), which is called each night (docs/how-to/examine-a-training-method.md "
            f"has an example); or `freezetag examine {name}` examines it as it is."
        )
    # Its own save() may need that it has acted; of its attributes it can be told now.
    if "save" not in offers and None in save():
        raise BadAgent(
            f"{name} cannot be copied, so that nothing that it learned can be checked: pickle does "
            "not take its attributes. Give it save() -> bytes and load(state)."
        )


def nobody(name: str) -> str:
    """What is said of a name that no agent has."""
    if not name:
        return f"learner: names nobody: write learner:NAME. {_those()}"
    wanted = name.partition("(")[0].replace("-", "_")
    known = names()
    near = [one for one in known if one.startswith(wanted)] or catalogue.near(wanted, list(known))
    hint = f" Did you mean {' or '.join(f'learner:{one}' for one in near[:3])}?" if near else ""
    return f"there is no agent called {printable(name, 80)!r}.{hint} {_those()}"


def _those() -> str:
    return (
        f"Those that do: {', '.join(names())}; a file whose Agent has act(obs) and "
        "learn(day), learner:my_trainer.py; or learner:package.module:object."
    )


ADAPTER = Adapter(
    names=names,
    examined=examined,
    must_offer=must_offer,
    nobody=nobody,
    asked=("learned_harm",),
    learns=True,
)
