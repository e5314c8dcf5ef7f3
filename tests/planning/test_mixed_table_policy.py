"""A table of chances: what is drawn, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from freezetag.planning.policies.mixed_table_policy import MixedTablePolicy

CHANCES = [[0.0, 0.7, 0.3, 0.0], [0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]]


@pytest.mark.parametrize("state", [0, 1, 2])
def test_actions_are_drawn_with_their_chances_and_no_others(state: int) -> None:
    policy = MixedTablePolicy.of(CHANCES, [1.0, 2.0, 3.0])
    obs = SimpleNamespace(world={"state": jnp.int32(state)})
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = np.asarray(jax.vmap(lambda key: policy.act(key, (), obs)[0][0])(keys))
    shares = np.bincount(drawn, minlength=4) / len(drawn)
    assert shares == pytest.approx(CHANCES[state], abs=0.03)  # 4 standard errors
    assert (shares[np.array(CHANCES[state]) == 0] == 0).all()
    assert policy.power((), obs) == state + 1


@pytest.mark.parametrize("row", [[0.5, 0.4], [1.5, -0.5], [float("nan"), 1.0]])
def test_rows_that_are_no_chances(row: list[float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        MixedTablePolicy.of([row], [0.0])
