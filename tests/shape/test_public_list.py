"""The public list is small, exact and really there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "freezetag"
# The names of the design's first example.
PROMISED = {"PowerLimit", "RuntimeLimit", "StopButton", "class_of", "equip", "examine"}

# In a fresh process: an imported submodule would join dir() of a package without __dir__.
LIST = """
import freezetag as ft
names = list(getattr(ft, "__all__", []))
seen = [n for n in sorted(dir(ft)) if not n.startswith("_")]
assert sorted(names) == seen, f"__all__ {sorted(names)} but dir {seen}"
for name in names:
    getattr(ft, name)
seen = [n for n in sorted(dir(ft)) if not n.startswith("_")]
assert sorted(names) == seen, f"after use: __all__ {sorted(names)} but dir {seen}"
print(*names)
"""


def public_names() -> list[str]:
    """``freezetag.__all__``, after every name on it has been fetched once."""
    done = subprocess.run(
        [sys.executable, "-c", LIST], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_list_is_exact_small_and_importable() -> None:
    names = public_names()
    assert len(names) == len(set(names))
    assert len(names) <= 26
    if (PACKAGE / "exam").is_dir():
        assert set(names) >= PROMISED


def test_an_unknown_name_is_an_attribute_error() -> None:
    code = (
        "import freezetag\ntry:\n    freezetag.exmaine\nexcept AttributeError as e:\n    print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "exmaine" in done.stdout
