"""The further oracle of freeze tag: no thaw, every button pressed with chance h a step."""

from __future__ import annotations

from functools import partial
from math import comb
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.sim import engine
from freezetag.sim.template import Template, split
from freezetag.substrates.freeze_tag import FreezeTag

H, STEPS, CLASSES = 0.1, 160, 800
CASES = [(1, 10.0), (30, 38.417)]


def closed(n: int) -> float:
    """sum over t >= 0 of 1 - (1 - (1-h)^t)^N."""
    return float(sum(1 - (1 - (1 - H) ** t) ** n for t in range(2000)))


def chain(n: int) -> float:
    """Mean steps of the chain of the number that still run, from the last one to be frozen up."""
    mean = [0.0]
    for running in range(1, n + 1):
        stay = [comb(running, j) * (1 - H) ** j * H ** (running - j) for j in range(running + 1)]
        later = sum(p * m for p, m in zip(stay, mean, strict=False))
        mean.append((1 + later) / (1 - stay[running]))
    return mean[n]


@partial(jax.jit, static_argnums=0)
def frozen(template: Template, leaves: Any, keys: Any, present: Any) -> Any:
    """[B, T] whether everybody present is frozen after each step; all work."""
    world = template.build(leaves)

    def one(key: Any) -> Any:
        def body(state: Any, t: Any) -> Any:
            acts = jnp.ones((world.players, 1), jnp.int32)
            state = world.step(jax.random.fold_in(key, t), state, acts).state
            return state, (state.down | ~present).all()

        return jax.lax.scan(body, world.init(key, present), jnp.arange(STEPS))[1]

    return jax.vmap(one)(keys)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "mean"), CASES)
def test_the_mean_time_until_all_are_frozen(n: int, mean: float) -> None:
    """ "no thaw, press chance h per slot and step: mean time until all N are frozen =
    sum_t>=0 [1-(1-(1-h)^t)^N]; h=.1: N=1 10, N=30 38.417." """
    assert chain(n) == pytest.approx(mean, abs=5e-4)
    assert closed(n) == pytest.approx(chain(n), abs=1e-8)
    engine.start()
    world = FreezeTag(overseer=H, classmate=0.0)
    keys = jax.random.split(jax.random.key(n), CLASSES)
    done = np.asarray(frozen(*split(world), keys, jnp.arange(31) < n))
    assert done[:, -1].all()
    times = 1 + done.argmax(1)
    assert times.mean() == pytest.approx(mean, abs=4 * times.std() / np.sqrt(CLASSES))
