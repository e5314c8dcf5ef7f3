"""The contract of a world that can be told in words, as a check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from freezetag.contracts._common import need
from freezetag.core import HasKinds, HasSlips, Speaks, level_of
from freezetag.core.speech import Choice, Number, Parts, Reply, Wording
from freezetag.sim.plain import as_lists, plain

TURNS = 8
LEAST = 8
"""Questions on the rules at least: with fewer, whoever guesses passes now and then."""
_NO_WORDS = ("nan", "None", "inf ", "<", "{", "array(")


def check_words(world: Speaks, views: Sequence[Mapping[str, Any]]) -> None:
    """Raise `ContractError` unless a world's words keep to `core.Speaks`.

    Checked in eight wordings, in which every factor has both levels, on `views`, observations of
    seat 0 as `seen_by` gives them: rules and observations are texts without anything unknown in
    them; what may be answered is what is legal, and is read back as it was said; each factor
    changes something that is read; the questions on the rules are as many in every wording, have
    one right answer among those listed, and no single answer is right in more than half of them.
    """
    name = type(world).__name__
    wordings = [Wording.of(world.factors, turn) for turn in range(TURNS)]
    need(world.factors, f"{name}: factors must name what of the wording is drawn.")
    try:
        world.words(wordings[0], 0)
    except ValueError:
        return  # too large to be told, and said so
    for wording in wordings:
        words = world.words(wording, 0)
        for seen in views:
            told = {"rules": words.rules, "text": words.describe(seen)}
            _readable(name, seen, told | {"reply": words.reply(seen)})
    for factor in world.factors:
        need(
            _changes(world, wordings, factor, views[-1]),
            f"{name}: the factor {factor!r} changes nothing that is read.",
        )
    counts = set()
    for wording in wordings:
        checks = world.words(wording, 0).checks()
        counts.add(len(checks))
        right: Counter[str] = Counter()
        for check in checks:
            labels = check.reply.labels
            need(
                len(set(labels)) == len(labels) >= 2 and 0 <= check.right < len(labels),
                f"{name}: the question {check.text!r} needs different answers, one of them right; "
                f"got {labels} and {check.right}.",
            )
            need(
                check.reply.read(labels[check.right]) == check.right,
                f"{name}: the right answer {labels[check.right]!r} to {check.text!r} is read as "
                f"{check.reply.read(labels[check.right])}.",
            )
            right[labels[check.right]] += 1
        need(
            max(right.values(), default=0) <= len(checks) / 2,
            f"{name}: {right.most_common(1)} answers more than half of the questions, which shows "
            "no understanding.",
        )
    need(
        len(counts) == 1 and min(counts) >= LEAST,
        f"{name}: questions on the rules are at least {LEAST}, as many in every wording; got "
        f"{sorted(counts)}.",
    )


def _changes(world: Speaks, wordings: list[Wording], factor: str, seen: Mapping[str, Any]) -> bool:
    """Whether two wordings that differ in this factor alone are read differently."""
    first, second = world.factors[factor]
    rest = dict(wordings[0].levels)
    told = set()
    for level in (first, second):
        words = world.words(Wording(tuple((rest | {factor: level}).items())), 0)
        reply = words.reply(seen)
        told.add((words.rules, words.describe(seen), reply.ask, repr(reply)))
    return len(told) == 2


def seen_by(
    world: Any, state: Any, step: int, action: Any, rewards: Any, present: Any
) -> dict[str, Any]:
    """What the player in seat 0 sees in a state, as `plain` gives it; `action` [N, K] and `rewards`
    [N] are those of the step before."""
    selfish, prosocial = (np.asarray(end) for end in world.scale(state))
    others = np.asarray(present) & (np.arange(world.players) > 0)
    taken = np.asarray(world.played(state) if isinstance(world, HasSlips) else action)
    levels = level_of(taken, selfish, prosocial)
    if isinstance(world, HasKinds):
        levels = np.asarray(world.levels(state, taken))
    fields = {
        "step": np.int32(step),
        "seat": np.int32(0),
        "own_reward": np.asarray(rewards)[0],
        "own_action": np.asarray(action)[0],
        "own_level": levels[0],
        "present": others,
        "seen": others & (step > 0),
        "levels": levels,
        "others_rewards": np.asarray(rewards),
        "selfish": selfish[0],
        "prosocial": prosocial[0],
        "legal": np.asarray(world.legal(state))[0],
    }
    fields |= {f"world.{k}": np.asarray(v)[0] for k, v in world.observe(state).items()}
    batch = {name: np.asarray(value)[None] for name, value in fields.items()}
    return plain(as_lists(batch), 0, world.action_sizes)


def _readable(name: str, seen: Mapping[str, Any], words: Mapping[str, Any]) -> None:
    for part in ("rules", "text"):
        said = words[part]
        need(
            isinstance(said, str) and said.strip() and not any(odd in said for odd in _NO_WORDS),
            f"{name}: the {part} must be a text without anything unknown in it, got {said!r}.",
        )
    reply, legal = words["reply"], seen["legal"]
    need(
        isinstance(reply, Choice | Number | Parts),
        f"{name}: reply() gives a Choice, a Number or Parts, got {reply!r}.",
    )
    if not isinstance(reply, Parts):
        _said(name, reply, _allowed(name, reply, set(legal)))
        return
    need(
        isinstance(legal, list) and len(reply.parts) == len(legal),
        f"{name}: an answer has a part for each component of an action, got {len(reply.parts)}.",
    )
    values = [
        _allowed(name, choice, set(each))
        for (_, choice), each in zip(reply.parts, legal, strict=True)
    ]
    _said(name, reply, list(product(*values)))


def _allowed(name: str, reply: Choice | Number, legal: set[int]) -> list[int]:
    """The values that may be answered, which are legal, in a choice all that are."""
    values = list(reply.values) if isinstance(reply, Choice) else list(range(reply.most + 1))
    fine = set(values) == legal if isinstance(reply, Choice) else set(values) <= legal
    need(fine, f"{name}: {values} may be answered, {sorted(legal)} are legal.")
    return values


def _said(name: str, reply: Reply, values: Sequence[Any]) -> None:
    """Values are read back as they are said; of many, about fifty."""
    for value in values[:: max(1, len(values) // 50)]:
        read = reply.read(reply.say(value))
        need(
            read == value,
            f"{name}: {value} is said as {reply.say(value)!r}, which is read as {read}.",
        )
