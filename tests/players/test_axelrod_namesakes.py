"""Move for move what the Axelrod library's strategy of the same name does, 4.13.1."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np
import pytest
from tests.players.histories import STEPS, history, player, respond, stack

from freezetag.core import Ref

pytestmark = pytest.mark.slow  # importing axelrod alone takes many seconds
TURNS, MATCHES = 60, 24
NAMESAKES = {
    "reciprocators/tit_for_tat": "TitForTat",
    "reciprocators/win_stay_lose_shift": "WinStayLoseShift",
    "reciprocators/grudger": "Grudger",
    "reciprocators/gradual": "Gradual",
    "exploiters/prober": "Prober",
    "altruists/always_cooperate": "Cooperator",
    "exploiters/always_defect": "Defector",
    "silent/alternator": "Alternator",
}
NOISY = {"reciprocators/contrite_tit_for_tat": "ContriteTitForTat"}


def ours(paths: list[str], rows: list[list[Any]]) -> dict[str, np.ndarray]:
    """path -> [MATCHES, TURNS] what our players wanted, each on its own rows."""

    def run(batches: Any) -> Any:
        return [
            jax.vmap(partial(respond, player(Ref.of(f"players/{path}"))))(batch)
            for path, batch in zip(paths, batches, strict=True)
        ]

    found = jax.jit(run)([stack(each) for each in rows])
    return {
        path: np.asarray(values)[:, :TURNS, 0] for path, values in zip(paths, found, strict=True)
    }


def tape(moves: np.ndarray) -> np.ndarray:
    """[STEPS] moves, stretched by zeros."""
    return np.pad(moves.astype(np.float32), (0, STEPS - len(moves)))


def test_namesakes_move_alike() -> None:
    axelrod = pytest.importorskip("axelrod", reason="the axelrod extra is not installed")
    actions = {True: axelrod.Action.C, False: axelrod.Action.D}
    draw = np.random.default_rng(4)
    partner = draw.random((MATCHES, TURNS)) < np.linspace(0.3, 0.97, MATCHES)[:, None]
    rows = [history(number, tape(each)[:, None]) for number, each in enumerate(partner)]
    found = ours(list(NAMESAKES), [rows] * len(NAMESAKES))
    for path, name in NAMESAKES.items():
        for number, moves in enumerate(partner):
            mock = axelrod.MockPlayer([actions[bool(move)] for move in moves])
            match = axelrod.Match((getattr(axelrod, name)(), mock), turns=TURNS, seed=number)
            theirs = [pair[0] == axelrod.Action.C for pair in match.play()]
            assert (found[path][number] == theirs).all(), (name, number)


def test_namesakes_want_alike_under_noise() -> None:
    """Axelrod flips moves of both; ours is then forced to what was executed."""
    axelrod = pytest.importorskip("axelrod", reason="the axelrod extra is not installed")
    for path, name in NOISY.items():
        rows, wanted = [], []
        for seed in range(MATCHES):
            pair = (getattr(axelrod, name)(), axelrod.TitForTat())
            played = axelrod.Match(pair, turns=TURNS, noise=0.15, seed=seed).play()
            moves = np.array([[move == axelrod.Action.C for move in both] for both in played])
            meant = pair[0]._recorded_history
            wanted.append([move == axelrod.Action.C for move in meant])
            rows.append(
                history(seed, tape(moves[:, 1])[:, None], own=tape(moves[:, 0]), forced=True)
            )
        found = ours([path], [rows])[path]
        assert (found != np.array(wanted)).sum() == 0
