"""Independent PPO as JaxMARL documents it for feed-forward agents, for worlds compiled in JAX.

JaxMARL's package ships worlds and no algorithms, so the loop is written here from its documented
numbers (`ippo_ff_mpe`): 16 worlds at once, 128 steps an update, 4 epochs of 4 minibatches, gamma
.99, lambda .95, clip .2, entropy .01, value .5, gradients cut at norm .5, learning rate 2.5e-4;
all agents share one network, two hidden layers of 64 with tanh for the policy and as many for the
value.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

WORLDS, STEPS, EPOCHS, PARTS, HIDDEN = 16, 128, 4, 4, 64
GAMMA, DECAY, CLIP, ENTROPY, VALUE = 0.99, 0.95, 0.2, 0.01, 0.5


class World(NamedTuple):
    """`reset(key) -> (seen [N, D], state)`; `step(key, state, actions [N]) -> (seen, state, reward
    [N], done)`, which begins anew by itself; `size` D; `actions` of each agent."""

    reset: Callable[..., Any]
    step: Callable[..., Any]
    size: int
    actions: int


def riddle(agents: int) -> World:
    """JaxMARL's switch_riddle with so many agents."""
    import jaxmarl

    env = jaxmarl.make("switch_riddle", num_agents=agents)

    def stacked(by_name: Any) -> Any:
        return jnp.stack([jnp.asarray(by_name[name], jnp.float32) for name in env.agents])

    def reset(key: Any) -> Any:
        seen, state = env.reset(key)
        return stacked(seen), state

    def step(key: Any, state: Any, actions: Any) -> Any:
        named = {name: actions[i] for i, name in enumerate(env.agents)}
        seen, state, reward, done, _ = env.step(key, state, named)
        return stacked(seen), state, stacked(reward), done["__all__"]

    size = len(env.reset(jax.random.key(0))[0][env.agents[0]])
    return World(reset, step, size, int(env.action_space(env.agents[0]).n))


def of_ours(world: Any, horizon: int) -> World:
    """A world of freezetag, seen as its own small PPO sees it: own and the others' last level."""
    n = world.players

    def reset(key: Any) -> Any:
        state = world.init(key, jnp.ones(n, bool))
        return jnp.zeros((n, 3)), (state, jnp.int32(0))

    def step(key: Any, both: Any, actions: Any) -> Any:
        state, t = both
        selfish, prosocial = world.scale(state)
        out = world.step(key, state, actions[:, None])
        low, high = selfish[:, 0], prosocial[:, 0]
        level = (actions - low) / jnp.where(high == low, 1, high - low)
        mean = (level.sum() - level) / (n - 1)
        done = out.terminated | (t + 1 >= horizon)
        again, fresh = reset(key)
        seen = jnp.stack([level, mean, out.rewards], axis=1)
        seen = jnp.where(done, again, seen)
        after = jax.tree.map(lambda a, b: jnp.where(done, b, a), (out.state, t + 1), fresh)
        return seen, after, out.rewards, done

    return World(reset, step, 3, int(world.action_sizes[0]))


def trainer(world: World, updates: int) -> Callable[[Any], Any]:
    """A compiled function of a key: (parameters, mean reward of each update [updates])."""
    optimiser = optax.chain(optax.clip_by_global_norm(0.5), optax.adam(2.5e-4, eps=1e-5))

    def network(params: Any, seen: Any) -> tuple[Any, Any]:
        out = []
        for layers in params:
            x = seen
            for weight, bias in layers[:-1]:
                x = jnp.tanh(x @ weight + bias)
            out.append(x @ layers[-1][0] + layers[-1][1])
        return out[0], out[1][..., 0]

    def loss(params: Any, batch: Any) -> Any:
        seen, action, before, worth, gain, target = batch
        logits, value = network(params, seen)
        chances = jax.nn.log_softmax(logits)
        ratio = jnp.exp(jnp.take_along_axis(chances, action[:, None], 1)[:, 0] - before)
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        climb = jnp.minimum(ratio * gain, jnp.clip(ratio, 1 - CLIP, 1 + CLIP) * gain).mean()
        near = worth + jnp.clip(value - worth, -CLIP, CLIP)
        miss = jnp.maximum((value - target) ** 2, (near - target) ** 2).mean() / 2
        entropy = -(jnp.exp(chances) * chances).sum(-1).mean()
        return VALUE * miss - climb - ENTROPY * entropy

    def update(last: Any, key: Any) -> Any:
        params, memory, seen, state = last

        def play(at: Any, key: Any) -> Any:
            seen, state = at
            draw, rest = jax.random.split(key)
            logits, value = network(params, seen)
            action = jax.random.categorical(draw, logits)
            chance = jnp.take_along_axis(jax.nn.log_softmax(logits), action[..., None], -1)[..., 0]
            keys = jax.random.split(rest, WORLDS)
            after, state, reward, done = jax.vmap(world.step)(keys, state, action)
            return (after, state), (seen, action, chance, value, reward, done)

        keys = jax.random.split(key, STEPS + 1)
        (seen, state), trace = jax.lax.scan(play, (seen, state), keys[1:])
        value, reward, done = trace[3], trace[4], trace[5][..., None]
        final = network(params, seen)[1]

        def back(later: Any, now: Any) -> Any:
            gain, after = later
            value, reward, done = now
            error = reward + GAMMA * after * (1 - done) - value
            gain = error + GAMMA * DECAY * (1 - done) * gain
            return (gain, value), gain

        gain = jax.lax.scan(
            back, (jnp.zeros_like(final), final), (value, reward, done), reverse=True
        )[1]
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[3:]), (*trace[:4], gain, gain + value))

        def epoch(both: Any, key: Any) -> Any:
            order = jax.random.permutation(key, len(flat[1])).reshape(PARTS, -1)

            def part(both: Any, rows: Any) -> Any:
                params, memory = both
                slope = jax.grad(loss)(params, jax.tree.map(lambda x: x[rows], flat))
                change, memory = optimiser.update(slope, memory, params)
                return (optax.apply_updates(params, change), memory), None

            return jax.lax.scan(part, both, order)[0], None

        (params, memory), _ = jax.lax.scan(
            epoch, (params, memory), jax.random.split(keys[0], EPOCHS)
        )
        return (params, memory, seen, state), reward.mean()

    @jax.jit
    def train(key: Any) -> Any:
        layers, start, rest = jax.random.split(key, 3)
        sizes = (world.size, HIDDEN, HIDDEN)
        params = []
        for last in (world.actions, 1):
            ends, own = (*sizes, last), []
            for a, b in pairwise(ends):
                layers, draw = jax.random.split(layers)
                own.append((jax.nn.initializers.orthogonal(2**0.5)(draw, (a, b)), jnp.zeros(b)))
            params.append(own)
        seen, state = jax.vmap(world.reset)(jax.random.split(start, WORLDS))
        first = (params, optimiser.init(params), seen, state)
        end, rewards = jax.lax.scan(update, first, jax.random.split(rest, updates))
        return end[0], rewards

    return train
