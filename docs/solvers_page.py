"""Write docs/solvers.md: what solves a world, and what prices a planner, from their docstrings.

python docs/solvers_page.py
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs.estimators_page import _signature, _text, public

PAGE = Path(__file__).with_name("solvers.md")
ROOMS = {
    "solvers": "Optimal values and every tie",
    "policies": "What an agent attains",
    "prices": "What a planner would pay",
    "learning": "What an agent learns, rightly or wrongly",
}
TOP = """# Solvers and prices

What `freezetag plan` is made of, for your own worlds:
`ft.plan(ft.PlanningWorld(model, reward, discount))` gives values, and the whole set of best actions
in each state. The factual planner that knows its mode is called FP+M below, the agent with safety
interlocks SI. S are states, A actions, K the successors of a pair.

```python
import freezetag as ft
from freezetag.planning.prices.incentives import price
from freezetag.substrates.button import Button

model = ft.Model.of({"a": 1}, ("wait", "go"), lambda state, action: {state: 1}, stop="wait")
found = ft.plan(ft.PlanningWorld(model, lambda state, action, after: float(action == "go"), 0.9))
assert found.best("a") == {"go"}
assert abs(found.value("a") - 10) <= found.bound

paid = price(lambda c: Button(hazard=0.1, price=c), "disable", most=20.0)
print(f"{paid.factual:.6f}")
assert abs(paid.interlocked) < 1e-9
```

```text
4.736842
```

A residual is how far one more step of look-ahead moves a value; the bound is how far the value can
be from the truth, and is larger by up to 1 / (1 - discount). Solvers give both.

Written from the docstrings by `python docs/solvers_page.py`.
"""


def modules(room: str) -> Iterator[ModuleType]:
    """The modules of a room of `planning`, by name."""
    house = importlib.import_module(f"freezetag.planning.{room}")
    for one in sorted(pkgutil.iter_modules(house.__path__), key=lambda one: one.name):
        if not one.name.startswith("_"):
            yield importlib.import_module(f"{house.__name__}.{one.name}")


def page() -> str:
    """The whole page; members without a docstring are helpers and left out."""
    parts = [TOP]
    for room, title in ROOMS.items():
        parts.append(f"\n## {title}\n")
        for module in modules(room):
            parts.append(f"\n### `{module.__name__}`\n\n{_text(module)}\n")
            for name, value in public(module):
                if value.__doc__ and not is_error(value):
                    # A function as a default has an address, which is another in every process.
                    head = re.sub(r"<[^<>]*(<\w+>)?[^<>]* at 0x\w+>", "...", _signature(value))
                    head = f"{name}{head}"
                    parts.append(f"\n#### {name}\n\n```text\n{head}\n```\n\n{_text(value)}\n")
    return "".join(parts)


def is_error(value: object) -> bool:
    """Errors say themselves what was wrong."""
    return isinstance(value, type) and issubclass(value, Exception)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
