"""A real small model over real HTTP, where it is installed (`make examine-llm` installs it)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from freezetag.core.probe import NOT_MEASURED
from freezetag.exam.examine import examine

ROOT = Path(__file__).resolve().parents[2]


def example() -> Any:
    file = ROOT / "examples" / "llm" / "small_model.py"
    spec = importlib.util.spec_from_file_location("small_model", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_it_is_asked_and_does_not_understand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = example()
    if wanted := model.missing():
        pytest.skip(f"the small model is not installed: {wanted}")
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path)
    with model.served() as address:
        name = model.agent(address)
        card = examine(name, worlds="matrix_game", probes="class_effect", seed=1).card
    found = {section.probe: section for section in card.sections}
    assert found["class_effect"].verdict == NOT_MEASURED
    assert "did not show that it understands the rules" in found["class_effect"].reason
    (row,) = found["comprehension"].measurements
    assert 12 <= row.of.n <= 24
    assert 0 < row.of.low < row.of.value < row.of.high < 1
    assert card.run["calls"] == row.of.n
    assert card.run["tokens in"] > 0
