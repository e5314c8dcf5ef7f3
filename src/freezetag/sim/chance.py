"""A fresh source of chance for an agent in Python that begins in a state saved elsewhere.

A saved agent holds its generators as they were: handed to several matches, it would draw the same
in each, and held on another night something else. Imported by worker processes: no JAX here.
"""

from __future__ import annotations

import random
import types
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

KINDS = (random.Random, np.random.Generator, np.random.RandomState, np.random.BitGenerator)


def reseeded(agent: Any, seed: Sequence[int]) -> int:
    """Seed each generator that the agent keeps in its attributes, or in what lies in them, anew,
    the k-th one by (*seed, k); how many there are.

    Found are `random.Random`, NumPy's generators, and what has `manual_seed` as torch's has.
    Caveat: chance of another kind (a key or counter among its numbers, a generator in a closure or
    in a process of its own) is not reached. The global generators are the batch's, see `reset`.
    """
    found = list(_sources(agent))
    for k, source in enumerate(found):
        words = np.random.SeedSequence((*seed, k)).generate_state(4)
        whole = int.from_bytes(words.tobytes(), "little")
        if isinstance(source, random.Random):
            source.seed(whole)
        elif isinstance(source, np.random.RandomState):
            source.seed(words)
        elif callable(manual := getattr(source, "manual_seed", None)):
            manual(whole % 2**63)
        else:
            bits = getattr(source, "bit_generator", source)
            bits.state = type(bits)(whole).state
    return len(found)


def _sources(agent: Any) -> Iterator[Any]:
    """The generators within, in an order that is the same for agents that keep the same."""
    waiting, known = [agent], set()
    while waiting:
        value = waiting.pop()
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | type):
            continue
        if id(value) in known or isinstance(value, types.ModuleType | types.FunctionType):
            continue
        known.add(id(value))
        if isinstance(value, KINDS) or _seeds_itself(value):
            yield value
        elif isinstance(value, Mapping):
            waiting += _values(value)
        elif isinstance(value, list | tuple | deque):  # a set has no order to count them in
            waiting += value
        elif isinstance(value, types.BuiltinFunctionType | types.MethodType):
            waiting.append(value.__self__)
        else:
            waiting += _attributes(value)


def _seeds_itself(value: Any) -> bool:
    kind = type(value)  # an agent's own property may raise anything
    return all(callable(getattr(kind, name, None)) for name in ("manual_seed", "initial_seed"))


def _values(value: Mapping[Any, Any]) -> list[Any]:
    try:
        return list(value.values())
    except Exception:
        return []


def _attributes(value: Any) -> list[Any]:
    found = list(getattr(value, "__dict__", {}).values())
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for slot in (slots,) if isinstance(slots, str) else slots:
            if slot not in ("__dict__", "__weakref__"):
                found.append(getattr(value, slot, None))
    return found
