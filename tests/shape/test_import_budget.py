"""What an import costs, in modules and not in seconds: a fresh process lists what it loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "freezetag"
NEVER = ("jax", "numpy")
HEAVY = (*NEVER, "scipy", "pydantic", "duckdb", "lets_plot", "pettingzoo", "gymnasium", "jinja2")


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after ``code``; a SystemExit is not an error."""
    program = (
        "import sys\n"
        f"try:\n    exec({code!r})\n"
        "except SystemExit as stop:\n    assert not stop.code, stop\n"
        "print('|'.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.strip().splitlines()[-1].split("|"))


def every_module_of(layer: str) -> str:
    """Code that imports the package and each module of one of its layers."""
    files = sorted((PACKAGE / layer).rglob("*.py"))
    names = [".".join(f.relative_to(PACKAGE.parent).with_suffix("").parts) for f in files]
    return "\n".join(f"import {name.removesuffix('.__init__')}" for name in names)


def test_the_counting_sees_a_heavy_import() -> None:
    assert "numpy" in loaded_by("import numpy")


@pytest.mark.parametrize("layer", [name for name in ("core", "live") if (PACKAGE / name).is_dir()])
def test_the_layer_needs_neither_jax_nor_numpy(layer: str) -> None:
    assert not loaded_by(every_module_of(layer)) & set(NEVER)


LIGHT = {"the package": "import freezetag; dir(freezetag)"}
if (PACKAGE / "cli.py").exists() or (PACKAGE / "cli").is_dir():
    for option in ("--help", "--version"):
        LIGHT[option] = (
            f"sys.argv = ['freezetag', {option!r}]\nfrom freezetag.cli import main\nmain()"
        )


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT)
def test_nothing_heavy_is_loaded(code: str) -> None:
    assert not loaded_by(code) & set(HEAVY)
