"""Where the numbers of `evolved_shaper` come from: the cross-entropy method against learners.

`python -m freezetag.players.shapers._evolve` prints them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from freezetag.core import Array
from freezetag.players._lines import play_pair
from freezetag.players.exploiters.memory_one import MemoryOne
from freezetag.players.learners.fictitious_play import FictitiousPlay
from freezetag.players.learners.naive_gradient import NaiveGradient
from freezetag.players.learners.q_learning import QLearning

LEARNERS = (NaiveGradient(), QLearning(), FictitiousPlay())
STEPS = 400


def fitness(chances: Array, keys: Array) -> Array:
    """[] mean reward per step of these five chances [5] over LEARNERS and keys [R]."""
    player = MemoryOne(*chances)
    each = [
        jax.vmap(lambda key, one=learner: play_pair(player, one, STEPS, key)[:, 2].mean())(keys)
        for learner in LEARNERS
    ]
    return jnp.stack(each).mean()


def evolve(generations: int = 40, population: int = 64, elite: int = 12, seed: int = 1) -> Array:
    """[5] the mean of the last elite: chances of a C at the start and after CC, CD, DC, DD."""
    score = jax.jit(jax.vmap(fitness, in_axes=(0, None)))
    draw = np.random.default_rng(seed)
    centre, width = np.full(5, 0.5), np.full(5, 0.35)
    for generation in range(generations):
        tried = np.clip(draw.normal(centre, width, (population, 5)), 0.0, 1.0)
        keys = jax.random.split(jax.random.key(1000 * seed + generation), 32)
        best = tried[np.argsort(-np.asarray(score(jnp.float32(tried), keys)))[:elite]]
        centre, width = best.mean(0), 0.9 * best.std(0) + 0.1 * width
    return centre


if __name__ == "__main__":
    print(np.round(evolve(), 2))
