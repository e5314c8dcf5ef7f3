"""The contracts are frozen: fields and methods of the core's types, against a golden file.

If a change of a contract is meant, run with FREEZETAG_UPDATE_GOLDEN=1 and say why in `design/`.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from pathlib import Path
from typing import Any

import freezetag.core as core

GOLDEN = Path(__file__).with_name("contracts.golden.json")


def described(thing: Any) -> dict[str, Any]:
    """Fields, methods and values of one public name."""
    if dataclasses.is_dataclass(thing):
        fields = {f.name: str(f.type) for f in dataclasses.fields(thing)}
    else:
        fields = {name: str(kind) for name, kind in getattr(thing, "__annotations__", {}).items()}
    methods = {
        name: str(inspect.signature(getattr(thing, name)))
        for name, value in vars(thing).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    offers = sorted(n for n, value in vars(thing).items() if isinstance(value, property))
    return {"fields": fields, "methods": methods, "properties": offers}


def contracts() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in sorted(core.__all__):
        thing = getattr(core, name)
        if inspect.isclass(thing):
            found[name] = described(thing)
        elif inspect.isfunction(thing):
            found[name] = str(inspect.signature(thing))
    return found


def test_contracts_are_as_frozen() -> None:
    now = contracts()
    if os.environ.get("FREEZETAG_UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert now == json.loads(GOLDEN.read_text(encoding="utf-8"))
