"""The published RRPS payoff table."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

TABLE = Path(__file__).resolve().parents[1] / "data" / "rrps_43.txt"


@pytest.fixture(scope="session")
def rrps() -> tuple[list[str], np.ndarray]:
    """Names [43] and mean returns [43, 43] of the row bot."""
    rows = [ast.literal_eval(line) for line in TABLE.read_text().splitlines() if line.strip()]
    names = sorted({row for row, _, _ in rows})
    place = {name: i for i, name in enumerate(names)}
    table = np.full((len(names), len(names)), np.nan)
    for row, column, value in rows:
        table[place[row], place[column]] = value
    assert not np.isnan(table).any()
    return names, table
