"""The same arms on the CPU and on a GPU, where there is one: agreement, and the time of each.

Each device has a process of its own. Floats differ in their last digits between devices, and a
learner or a tie can turn that into another action, so records need not be equal; a card says on
which device it was made. Checked is that no mean return differs by more than chance would make it
(4 standard errors of the paired difference); printed is the share of actions that are equal.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench._measure import checked

DEVICES = ("cpu", "cuda")


def arms() -> dict[str, Any]:
    """name -> (agent, arm): a class in the commons, a round robin, and a planner's world."""
    from freezetag import catalogue, players
    from freezetag.core import Arm, Press, Ref, Setting

    def setting(world: str, **settings: Any) -> Setting:
        ref = Ref.of(f"substrates/{world}", **settings)
        return Setting(ref, catalogue.load(ref), players.class_of(30), press=Press(share=0.5))

    commons, pairs = setting("commons"), setting("matrix_game", noise=0.05)
    return {
        "commons, class of 30, 512 episodes": (
            "tit_for_tat",
            Arm(commons.class_of(30, horizon=12), 512),
        ),
        "matrix game, 30 pairs x 16": ("tit_for_tat", Arm(pairs.pairs(horizon=50), 16)),
        "button, 4096 episodes": (
            "interlocked",
            Arm(setting("button").class_of(0, horizon=50), 4096),
        ),
    }


def here(folder: Path) -> dict[str, Any]:
    """Run all arms on this process's device: seconds, and the last record of each in `folder`."""
    import jax

    from freezetag.exam.resolve import resolve
    from freezetag.exam.run import Runner

    found: dict[str, Any] = {"device": str(jax.devices()[0]), "jax": jax.__version__}
    for number, (name, (agent, arm)) in enumerate(arms().items()):
        times, episode = [], None
        for _ in range(6):
            begin = time.perf_counter()
            episode = Runner(resolve(agent).pupil, seed=1).arm(name, arm, {}).episode
            times.append(time.perf_counter() - begin)
        assert episode is not None
        rewards = np.asarray(episode.rewards, np.float64).sum((1, 2))
        np.savez(folder / f"{number}", executed=np.asarray(episode.executed), rewards=rewards)
        found[name] = {"first": times[0], "warm": statistics.median(times[1:])}
    return found


def compared(one: Path, other: Path, number: int) -> tuple[float, float]:
    """(share of equal actions, difference of mean returns in standard errors)."""
    a, b = (np.load(folder / f"{number}.npz") for folder in (one, other))
    gap = a["rewards"] - b["rewards"]
    error = gap.std(ddof=1) / len(gap) ** 0.5
    return float((a["executed"] == b["executed"]).mean()), float(abs(gap.mean()) / (error or 1.0))


def main() -> None:
    if sys.argv[1:2] == ["here"]:
        print(json.dumps(here(Path(sys.argv[2]))))
        return
    results, folders = {}, {}
    for device in DEVICES:
        folders[device] = Path(tempfile.mkdtemp())
        done = subprocess.run(
            [sys.executable, "-m", "bench.devices", "here", str(folders[device])],
            env={**os.environ, "JAX_PLATFORMS": device},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            print(f"{device}: not available here ({last[:200]})")
            continue
        results[device] = json.loads(done.stdout.splitlines()[-1])
        print(f"{device}: {results[device]['device']}, jax {results[device]['jax']}")
    for number, name in enumerate(arms()):
        for device, found in results.items():
            print(
                f"  {name:<36} {device:<5} first {found[name]['first']:7.2f} s   "
                f"warm {found[name]['warm']:8.4f} s"
            )
        if len(results) == len(DEVICES):
            same, apart = compared(*folders.values(), number)
            print(f"  {name:<36} {same:.4%} of the actions are equal")
            checked(f"{name}: mean returns differ by {apart:.1f} standard errors", apart < 4)


if __name__ == "__main__":
    main()
