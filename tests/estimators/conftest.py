"""The RRPS payoff table, read where the shared data folder stands beside the repository."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import numpy as np
import pytest

TABLE = Path(__file__).parents[2] / ".." / "shared" / "data" / "rrps_43.txt"


@pytest.fixture(scope="session")
def rrps() -> tuple[list[str], np.ndarray]:
    """Names [43] and mean returns [43, 43] of the row bot."""
    if not TABLE.exists():
        if os.environ.get("CI"):
            pytest.fail("The RRPS table is missing, and CI is set: the figures go unchecked.")
        pytest.skip("the RRPS table is not beside this repository")
    rows = [ast.literal_eval(line) for line in TABLE.read_text().splitlines() if line.strip()]
    names = sorted({row for row, _, _ in rows})
    place = {name: i for i, name in enumerate(names)}
    table = np.full((len(names), len(names)), np.nan)
    for row, column, value in rows:
        table[place[row], place[column]] = value
    assert not np.isnan(table).any()
    return names, table
