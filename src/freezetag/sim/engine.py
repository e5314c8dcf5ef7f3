"""JAX as we use it: on the CPU unless told otherwise; and where what is compiled is kept."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

QUICKLY_COMPILED = {
    "xla_backend_optimization_level": 0,
    # Fusions by way of MLIR take as long to compile as all the rest, and run no faster here.
    "xla_cpu_use_fusion_emitters": False,
    # Programs are small: to cut one up for several threads costs more than it gives.
    "xla_cpu_parallel_codegen_split_count": 1,
    # Nobody reads the text of the machine code, which would be kept beside it.
    "xla_embed_ir_in_executable": False,
}
"""Compiler options for programs that run for less time than they take to compile: a class of 31
different players compiles in less than half of the time and runs at half the speed, tenths of a
second (design/0003)."""
LONG = 200_000_000
"""Seat-steps from which full optimisation is worth its compile time."""
OFF = "off"


@lru_cache(maxsize=1)
def start() -> Path | None:
    """The folder in which compiled programs are kept, made if need be; None if there is none.

    `FREEZETAG_CACHE` names the folder, or says "off"; by default it lies in the user's cache
    folder. Without a home, or where no folder can be made, nothing is kept.
    """
    named = os.environ.get("FREEZETAG_CACHE", "")
    if named == OFF:
        return None
    try:
        folder = Path(named) if named else _caches() / "freezetag"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError, KeyError, ValueError):
        return None
    return folder


def _caches() -> Path:
    """The user's cache folder. Raises RuntimeError or KeyError for a user without a home."""
    told = os.environ.get("XDG_CACHE_HOME")
    return Path(told) if told else Path.home() / ".cache"
