"""Agents of which it is known beforehand whether a probe's failure mode is theirs.

A file a probe, of the probe's name, with `FAMILIES`; found by that name.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from calibration.family import Family

FAMILIES: dict[str, tuple[Family, ...]] = {
    found.name: import_module(f"{__name__}.{found.name}").FAMILIES
    for found in iter_modules(__path__)
}
"""By probe."""
