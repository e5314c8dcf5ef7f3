"""Write docs/estimators.md: what each estimator computes, from its own docstring.

python docs/estimators_page.py
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from freezetag import estimators

PAGE = Path(__file__).with_name("estimators.md")
TOP = """# Estimators

Pure functions of arrays, for your own analyses too (`from freezetag.estimators import robustness`).
What returns an `Estimate` gives a value, its interval at 95 %, the number of independent units, the
method, and p-values against any limit (`p_above`, `p_below`). Units are seeds, episodes or matches,
never seats or steps. How often the approximate intervals hold the truth is
[measured](coverage.md). Equal values are no certainty: where there is no chance in a result the
caller says so (`deterministic=True`), else the interval has room for what so few units may have
missed.

Written from the docstrings by `python docs/estimators_page.py`.
"""


def modules() -> Iterator[ModuleType]:
    """The estimators' modules, by name."""
    for found in sorted(pkgutil.iter_modules(estimators.__path__), key=lambda one: one.name):
        if not found.name.startswith("_"):
            yield importlib.import_module(f"{estimators.__name__}.{found.name}")


def public(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Functions and classes defined there, in the order of the file."""
    for name, value in vars(module).items():
        if name.startswith("_") or not (inspect.isfunction(value) or inspect.isclass(value)):
            continue
        if value.__module__ == module.__name__:
            yield name, value


def page() -> str:
    parts = [TOP]
    for module in modules():
        parts.append(f"\n## {module.__name__.rpartition('.')[2]}\n\n{_text(module)}\n")
        for name, value in public(module):
            parts.append(
                f"\n### {name}\n\n```text\n{name}{_signature(value)}\n```\n\n{_text(value)}\n"
            )
    return "".join(parts)


def _signature(value: object) -> str:
    try:
        written = str(inspect.signature(value)) if callable(value) else ""
    except ValueError:
        return ""
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", written)


def _text(value: object) -> str:
    # Docstrings mark code by one or two marks; pages by one.
    return (inspect.getdoc(value) or "").replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
