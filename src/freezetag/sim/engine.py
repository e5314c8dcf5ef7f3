"""JAX as we use it: on the CPU unless told otherwise, with a persistent compilation cache."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

QUICKLY_COMPILED = {"xla_backend_optimization_level": 0}
"""Compiler options for programs that run for less time than they take to compile: a class of 31
different players compiles in half the time and runs at half the speed, tenths of a second."""
LONG = 200_000_000
"""Seat-steps from which full optimisation is worth its compile time."""


@lru_cache(maxsize=1)
def start() -> Path | None:
    """Turn the compilation cache on, once; the folder, or None if it cannot be written.

    `FREEZETAG_CACHE` names the folder; by default it lies in the user's cache folder.
    """
    import jax

    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("FREEZETAG_CACHE") or home / "freezetag" / "jax")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": 0.05,
        "jax_persistent_cache_min_entry_size_bytes": 0,
    }
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    return folder
