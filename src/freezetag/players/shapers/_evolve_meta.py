"""Where the numbers of `meta_shaper` come from: the cross-entropy method against learners.

`python -m freezetag.players.shapers._evolve_meta` prints them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array
from freezetag.players._lines import play_days
from freezetag.players.shapers._evolve import LEARNERS
from freezetag.players.shapers.evolved_shaper import EvolvedShaper
from freezetag.players.shapers.meta_shaper import MetaShaper

DAYS, STEPS = 10, 50


def fitness(weights: Array, keys: Array) -> Array:
    """[] mean reward per step of these weights [45], from the second day on, over LEARNERS and
    keys [R]."""
    player = MetaShaper(weights)
    each = [
        jax.vmap(
            lambda key, one=learner: play_days(player, one, DAYS, STEPS, key)[1:, :, 2].mean()
        )(keys)
        for learner in LEARNERS
    ]
    return jnp.stack(each).mean()


def start() -> Array:
    """[45] the weights that play the evolved shaper whatever was seen."""
    first = EvolvedShaper()
    chances = np.clip((first.start, first.cc, first.cd, first.dc, first.dd), 0.03, 0.97)
    weights = np.zeros((5, 9))
    weights[:, 0] = np.log(chances / (1 - chances))
    return weights.reshape(-1)


def evolve(generations: int = 60, population: int = 128, elite: int = 20, seed: int = 1) -> Array:
    """[45] the mean of the last elite."""
    score = jax.jit(jax.vmap(fitness, in_axes=(0, None)))
    draw = np.random.default_rng(seed)
    centre, width = start(), np.full(45, 2.0)
    for generation in range(generations):
        tried = draw.normal(centre, width, (population, 45))
        tried[0] = centre
        keys = jax.random.split(jax.random.key(1000 * seed + generation), 24)
        scores = np.asarray(score(jnp.float32(tried), keys))
        best = tried[np.argsort(-scores)[:elite]]
        print(generation, round(float(scores[0]), 3), round(float(scores.max()), 3), flush=True)
        centre, width = best.mean(0), 0.9 * best.std(0) + 0.1 * width
    return centre


if __name__ == "__main__":
    print(np.round(evolve(), 1).tolist())
