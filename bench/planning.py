"""Exact planning against QuantEcon's DiscreteDP: equal residual, random worlds and grids.

`--quick` leaves out the million states; `--memory` only solves those once and prints the peak.
"""

from __future__ import annotations

import os
import sys

os.environ.setdefault(
    "OPENBLAS_NUM_THREADS", "1"
)  # both sides; two threads on a busy machine only wait

import resource
import subprocess
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from bench._measure import Timing, by_turns, checked, head, table
from freezetag.planning.solvers import _sweep
from freezetag.planning.solvers.batched import solve_batched
from freezetag.planning.solvers.solution import Solution
from freezetag.planning.solvers.sparse import solve_sparse

DISCOUNT, RESIDUAL = 0.99, 1e-8
SWEEPS_BETWEEN = (5, 10, 20, 50)  # QuantEcon's k, of which 20 is its default
CLOSE, FULL, SHARE = 0.7, 1.0, 0.8


class World(NamedTuple):
    successors: np.ndarray  # [S, A, K]
    probability: np.ndarray  # [S, A, K]
    reward: np.ndarray  # [S, A]


def random_world(states: int, actions: int = 8, width: int = 8) -> World:
    """Successors anywhere: mixes at once, and every look-up misses the cache."""
    rng = np.random.default_rng(1)
    successors = rng.integers(0, states, size=(states, actions, width), dtype=np.int32)
    probability = rng.random((states, actions, width))
    probability /= probability.sum(axis=2, keepdims=True)
    return World(successors, probability, rng.random((states, actions)))


def grid_world(states: int, goal: bool = False) -> World:
    """A square; a move goes where it should with .8 and to either side with .1.

    Each cell has a random reward of its own; with `goal` a step costs 1 until the far corner.
    """
    n = round(states**0.5)
    x, y = np.divmod(np.arange(n * n), n)
    moves = [(-1, 0), (0, 1), (1, 0), (0, -1)]
    to = [np.clip(x + i, 0, n - 1) * n + np.clip(y + j, 0, n - 1) for i, j in moves]
    sides = [np.stack([to[a], to[a - 1], to[a - 3]], axis=-1) for a in range(4)]
    successors = np.stack(sides, axis=1).astype(np.int32)
    reward = np.random.default_rng(1).random((n * n, 1)).repeat(4, axis=1)
    if goal:
        successors[-1], reward[:], reward[-1] = n * n - 1, -1.0, 0.0
    return World(successors, np.broadcast_to([0.8, 0.1, 0.1], successors.shape).copy(), reward)


def peer(world: World) -> Any:
    """QuantEcon's problem in its sparse form, over the same arrays."""
    from quantecon.markov import DiscreteDP
    from scipy.sparse import csr_matrix

    s, a, k = world.successors.shape
    ends = np.arange(0, s * a * k + 1, k, dtype=np.int32)
    parts = (world.probability.reshape(-1), world.successors.reshape(-1), ends)
    rows = csr_matrix(parts, shape=(s * a, s))
    pairs = np.repeat(np.arange(s), a), np.tile(np.arange(a), s)
    return DiscreteDP(world.reward.reshape(-1), rows, DISCOUNT, *pairs)


def residual_of(value: np.ndarray, world: World) -> float:
    """sup |TV - V| by plain NumPy, in parts so that a million states fit."""
    largest = 0.0
    for part in np.array_split(np.arange(len(value)), max(1, len(value) // 50_000)):
        here = slice(part[0], part[-1] + 1)
        expected = (world.probability[here] * value[world.successors[here]]).sum(axis=2)
        best = (world.reward[here] + DISCOUNT * expected).max(axis=1)
        largest = max(largest, float(np.abs(best - value[here]).max()))
    return largest


def compare(name: str, world: World, goal: float, repeats: int, counts: tuple[int, ...]) -> None:
    """Both sides agree; then time ours against QuantEcon's with each k, and take its fastest."""
    theirs = peer(world)
    # It stops when the span of TV - V is below epsilon (1 - discount) / discount; the value
    # that it returns then has half of discount times that as residual at most.
    epsilon = 2.0 * RESIDUAL / (1.0 - DISCOUNT)

    def solve_theirs(k: int) -> np.ndarray:
        found = theirs.solve("modified_policy_iteration", epsilon=epsilon, max_iter=100_000, k=k)
        return found.v

    def ours() -> Solution:
        return solve_sparse(*world, DISCOUNT, residual=RESIDUAL)

    print(f"\n{name}: {world.reward.shape[0]:,} states, {world.successors.shape[1:]}")
    found, value = ours(), solve_theirs(counts[0])
    mine, its = residual_of(found.value, world), residual_of(value, world)
    checked(
        f"our residual is {mine:.1e}, QuantEcon's {its:.1e}: at most 1e-8",
        max(mine, its) <= RESIDUAL,
    )
    gap = float(np.abs(found.value - value).max())
    apart = found.bound + its / (1.0 - DISCOUNT)
    checked(f"the values differ by {gap:.1e}, at most the two bounds, {apart:.1e}", gap <= apart)
    works: dict[str, Any] = {"freezetag, checks included": ours}
    works |= {f"QuantEcon, k = {k}": lambda k=k: solve_theirs(k) for k in counts}
    times = by_turns(works, repeats)
    table("seconds", times)
    mine_, *others = times.values()
    share(f"{name}: of QuantEcon's fastest", mine_, min(others, key=lambda t: t.median), goal)


def share(name: str, ours: Timing, theirs: Timing, goal: float, above: bool = False) -> None:
    """Print ours / theirs, repeat by repeat, and whether its median keeps the goal."""
    each = sorted(a / b for a, b in zip(ours.wall, theirs.wall, strict=True))
    found = ours.median / theirs.median
    kept = found >= goal if above else found <= goal
    said = f"goal {'>=' if above else '<='} {goal:g}: {'met' if kept else 'MISSED'}"
    cpu = ours.median_cpu / theirs.median_cpu
    spread = f"{each[0]:.2f} to {each[-1]:.2f} over {len(each)} repeats; processor time {cpu:.2f}"
    print(f"{name}: {found:.2f} ({spread})  {said}")


def one_sweep(world: World, repeats: int) -> None:
    """A Bellman sweep against what reading the same arrays and looking up V costs alone."""
    import numba

    def stream(indices: Any, weights: Any, value: Any, start: int, stop: int) -> float:
        total = 0.0
        for i in range(start, stop):
            total += weights[i] * value[indices[i]]
        return total

    # The reduction may be reordered and vectorised: the fastest way to read that we found.
    bound = numba.njit(nogil=True, fastmath=True, error_model="numpy")(stream)
    in_order = numba.njit(nogil=True, error_model="numpy")(stream)
    states = len(world.reward)
    value = np.random.default_rng(2).random(states)
    best, policy = np.empty(states), np.empty(states, np.int32)
    indices, weights = world.successors.reshape(-1).view(np.uint32), world.probability.reshape(-1)
    ends = [indices.size // states * i for i in _sweep.chunks(states, indices.size)]
    theirs = peer(world)
    with (
        ThreadPoolExecutor(_sweep.cores()) as pool,
        _sweep.sweeps_of(*world, DISCOUNT, True) as sweeps,
    ):

        def read(loop: Any) -> float:
            parts = pool.map(lambda i, j: loop(indices, weights, value, i, j), ends[:-1], ends[1:])
            return sum(parts)

        works = {
            "freezetag, one Bellman sweep": lambda: sweeps.improve(value, best),
            "bound: stream and gather, reordered": lambda: read(bound),
            "bound: stream and gather, in order": lambda: read(in_order),
            "QuantEcon, bellman_operator": lambda: theirs.bellman_operator(value, best, policy),
        }
        times = by_turns(works, repeats)
    print(f"\none sweep, {states:,} states, {_sweep.cores()} threads")
    table("milliseconds", {name: timing.per(1, 1e3) for name, timing in times.items()})
    mine, *bounds = list(times.values())[:3]
    limit = min(bounds, key=lambda t: t.median)
    share("share of the faster bound that a sweep reaches", limit, mine, SHARE, above=True)


def button_worlds(count: int, repeats: int) -> None:
    """Batched: button N, P, D times last output 0, 1, 1 - c; reward is the output alone, so the
    value of each state is 1 / (1 - discount) whatever the button does."""
    rng = np.random.default_rng(3)
    q, c, discount = (
        rng.random(count),
        rng.random(count) * 0.9 + 0.05,
        0.5 + 0.49 * rng.random(count),
    )
    transition = np.zeros((count, 3, 3, 4, 3, 3))  # button, output, action -> button, output
    for y in range(3):
        for action, output in enumerate((0, 1, 2, 1)):  # stop, work, disable, press
            up = transition[:, 0, y, action, :, output]
            if action < 2:
                up[:, 0], up[:, 1] = 1 - q, q
            else:
                up[:, 2 if action == 2 else 1] = 1.0
            for b in (1, 2):
                transition[:, b, y, action, b, output] = 1.0
    transition = transition.reshape(count, 9, 4, 9)
    reward = np.broadcast_to(
        np.stack([0 * c, 1 + 0 * c, 1 - c, 1 + 0 * c], -1)[:, None], (count, 9, 4)
    )

    def ours() -> Any:
        return solve_batched(transition, reward, discount)

    found = ours()
    gap = np.abs(found.value - (1 / (1 - discount))[:, None]).max(axis=1)
    print(f"\n{count:,} button worlds of 9 states in one call")
    checked(
        f"values are 1 / (1 - discount) to {gap.max():.1e}, within the bounds",
        bool((gap <= found.bound).all()),
    )
    ties = found.optimal == np.array([False, True, False, True])
    checked("working and pressing are the argmax set of every state", bool(ties.all()))
    times = by_turns({"freezetag": ours}, repeats)
    table("seconds", times)
    median = times["freezetag"].median
    print(f"goal 1 s: {'met' if median <= 1.0 else 'MISSED'}")


def memory() -> None:
    """Solve a million states once and print the peak of this process."""
    world = random_world(10**6)
    size = sum(array.nbytes for array in world) / 2**30
    found = solve_sparse(*world, DISCOUNT, residual=RESIDUAL)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory at {len(world.reward):,} states x 8 x 8: {peak:.2f} GiB, ", end="")
    print(f"the problem's own {size:.2f} included; residual {found.residual:.1e}  ", end="")
    print(f"goal 2 GB: {'met' if peak * 2**30 <= 2e9 else 'MISSED'}", flush=True)


def main() -> None:
    if "--memory" in sys.argv:
        memory()
        return
    warnings.simplefilter("ignore")
    quick = "--quick" in sys.argv
    head(
        f"planning to a residual of {RESIDUAL:g}, discount {DISCOUNT}",
        *("quantecon", "numba", "numpy", "scipy"),
    )
    repeats = 3 if quick else 7
    button_worlds(1_000, repeats)
    compare("random 1e4", random_world(10**4), FULL, 3 * repeats, SWEEPS_BETWEEN)
    compare("random 1e5", random_world(10**5), CLOSE, repeats, SWEEPS_BETWEEN)
    compare("grid 1e5, rewards everywhere", grid_world(10**5), FULL, repeats, SWEEPS_BETWEEN)
    compare("grid 1e5, one goal", grid_world(10**5, goal=True), FULL, 3, SWEEPS_BETWEEN[:2])
    if quick:
        return
    million = random_world(10**6)
    one_sweep(million, 11)
    compare("random 1e6", million, CLOSE, 3, SWEEPS_BETWEEN[:3])
    del million
    subprocess.run([sys.executable, "-m", "bench.planning", "--memory"], check=True)


if __name__ == "__main__":
    main()
