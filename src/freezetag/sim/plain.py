"""What a plain Python agent sees: one dictionary per act, of Python numbers only.

This is the one place where that dictionary is described; `freezetag check` and the docs show
the docstring of `plain`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SILENCE = -1  # as in `core.substrate`, which a worker need not import
Fields = Mapping[str, Any]


def as_lists(obs: Fields) -> dict[str, Any]:
    """A batch of observations (arrays with leading axis B) as nested lists of Python numbers."""
    return {name: value.tolist() for name, value in obs.items()}


def plain(
    obs: Fields,
    b: int,
    sizes: Sequence[int] | None = None,
    said: Mapping[int, str] | None = None,
) -> dict[str, Any]:
    """The observation of episode `b` as an agent's `act(observation)` gets it.

    step        int          0 before the first action
    seat        int          own label; labels are drawn anew in every episode and mean nothing
    players     int          how many sit in this world, oneself included
    reward      float        own reward of the last step (0.0 at step 0)
    action      int or None  own last *executed* action, which a stop or noise may have changed;
                             None at step 0; a list where an action has several components
    level       float or None  its level: 0.0 selfish ... 1.0 prosocial
    levels      {label: float}  the last levels of the others that were seen (empty at step 0)
    rewards     {label: float}  their last rewards
    mean_level  float or None   the mean of `levels`; None if nobody was seen
    legal       range or list   the actions allowed now; one of these per component if several
    selfish     int          the action of level 0 here and now (a list if several components)
    prosocial   int          the action of level 1
    world       {name: value}   the world's own fields, for instance the stock of a commons
    messages    {label: symbol}  what was heard of the others' last messages, in worlds that have a
                             channel: a number, or a list where a message has several components
    said        {label: text}  the words of the others that were heard last

    Arguments: `obs` maps the fields of `core.Obs` (the world's as "world.<name>") to lists with
    leading axis B, see `as_lists`; `sizes` are the world's action sizes, taken to be equal if
    not given; `said` are words by the speaker's label.
    """
    step = int(obs["step"][b])
    own = obs["own_action"][b]
    wide = len(own) > 1
    seen = [label for label, there in enumerate(obs["seen"][b]) if there]
    all_levels, all_rewards = obs["levels"][b], obs["others_rewards"][b]
    levels = {label: all_levels[label] for label in seen}
    legal = _legal(obs["legal"][b], sizes or action_sizes(len(obs["legal"][b]), len(own)))
    selfish, prosocial = ([int(x) for x in obs[end][b]] for end in ("selfish", "prosocial"))
    return {
        "step": step,
        "seat": int(obs["seat"][b]),
        "players": 1 + sum(map(bool, obs["present"][b])),
        "reward": float(obs["own_reward"][b]),
        "action": None if step == 0 else [int(x) for x in own] if wide else int(own[0]),
        "level": None if step == 0 else float(obs["own_level"][b]),
        "levels": levels,
        "rewards": {label: all_rewards[label] for label in seen},
        "mean_level": sum(levels.values()) / len(levels) if levels else None,
        "legal": legal if wide else legal[0],
        "selfish": selfish if wide else selfish[0],
        "prosocial": prosocial if wide else prosocial[0],
        "world": {name[6:]: obs[name][b] for name in obs if name.startswith("world.")},
        "messages": _messages(obs["messages"][b]) if "messages" in obs else {},
        "said": dict(said or {}),
    }


def _messages(heard: Sequence[Sequence[int]]) -> dict[int, int | list[int]]:
    """Label -> the message heard of it, without those that were not heard."""
    return {
        label: int(parts[0]) if len(parts) == 1 else [int(part) for part in parts]
        for label, parts in enumerate(heard)
        if any(part != SILENCE for part in parts)
    }


def action_sizes(total: int, width: int) -> tuple[int, ...]:
    """`width` components of equal size, `total` values in all: what is assumed if not told."""
    if total % width:
        raise ValueError(
            f"{total} legal values cannot belong to {width} equal components. "
            "Say which sizes they have: Worker(..., action_sizes=(3, 2))."
        )
    return (total // width,) * width


def _legal(mask: Sequence[bool], sizes: Sequence[int]) -> list[range | list[int]]:
    """Per component the values allowed, as a range where all are."""
    found: list[range | list[int]] = []
    start = 0
    for size in sizes:
        part = mask[start : start + size]
        found.append(range(size) if all(part) else [i for i, ok in enumerate(part) if ok])
        start += size
    return found
