"""Language models that an exam opened by name: what they remember, what they cost, who answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from freezetag.adapters.language.ledger import FILE, Budget, Ledger
from freezetag.adapters.language.memory import KINDS, NONE, WINDOW, Memory
from freezetag.sim.foreign import BadAgent

UNPRICED = Budget()
_OWN = {"memory", "window", "usd_in", "usd_out"}


@dataclass(frozen=True)
class Model:
    """What a name says: where a model is asked, what it remembers, what it costs."""

    access: Any
    memory: str = WINDOW
    window: int = 20
    budget: Budget = UNPRICED

    @classmethod
    def of(cls, access: type[Any], settings: Mapping[str, Any], **where: str) -> Model:
        """A model at `where`, with settings of its access (its other fields) and of its own.
        Raises `BadAgent`."""
        settings = dict(settings)
        known = {field.name for field in fields(access)} - where.keys()
        if unknown := sorted(set(settings) - known - _OWN):
            raise BadAgent(
                f"it has no setting {', '.join(unknown)}. It has: "
                f"{', '.join(sorted(known | _OWN))}."
            )
        memory, window = settings.pop("memory", WINDOW), settings.pop("window", 20)
        if memory not in KINDS and memory is not None:
            raise BadAgent(f"memory is {', '.join(KINDS)}, got {memory!r}.")
        if not isinstance(window, int) or window < 1:
            raise BadAgent(f"window is a number of steps, at least 1, got {window!r}.")
        prices = {k: settings.pop(k) for k in ("usd_in", "usd_out") if k in settings}
        if any(not isinstance(x, int | float) or x < 0 for x in prices.values()):
            raise BadAgent("usd_in and usd_out are dollars a million tokens.")
        for field in fields(access):
            if field.name in settings:
                _must_be(field.name, settings[field.name], str(field.type))
        made = access(**where, **settings)
        return cls(made, memory or NONE, window, Budget(**prices))

    def fresh(self) -> Memory:
        return Memory(self.memory, self.window)


_KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "bool": ("True or False", (bool,)),
    "int": ("a whole number", (int,)),
    "float": ("a number", (int, float)),
    "str": ("a text", (str,)),
}


def _must_be(name: str, value: Any, kind: str) -> None:
    """Raises `BadAgent` where a setting is not of its field's type, "float | None" and the like."""
    first, _, rest = kind.partition(" | ")
    said, types = _KINDS[first]
    if value is None and rest:
        return
    if not isinstance(value, types) or (isinstance(value, bool) and first != "bool"):
        raise BadAgent(f"{name} is {said}, got {value!r}.")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadAgent(f"{name} is {said} that is finite, got {value}.")


class Opened:
    """The models of one scheme in this process: an endpoint for each name, a ledger for each price
    list, as the exam says."""

    def __init__(self) -> None:
        self._told: dict[str, Any] = {}
        self._endpoints: dict[str, Any] = {}
        self._ledgers: dict[Budget, Ledger] = {}

    def configure(
        self, folder: str = "", run: str = "", calls: int | None = None, usd: float | None = None
    ) -> None:
        """What the exam says: the folder of calls ("" for none), its name, and what it may cost."""
        given = {"folder": folder, "run": run, "calls": calls, "usd": usd}
        if given != self._told:
            self._told.update(given)
            self._endpoints.clear()
            self._ledgers.clear()

    def endpoint(self, name: str, model: Model, make: Callable[[Any, Ledger], Any]) -> Any:
        """The one endpoint of this name; `make(access, ledger)` opens it."""
        if name not in self._endpoints:
            self._endpoints[name] = make(model.access, self._ledger(model.budget))
        return self._endpoints[name]

    def _ledger(self, prices: Budget) -> Ledger:
        if prices not in self._ledgers:
            told, folder = self._told, self._told.get("folder") or ""
            budget = replace(prices, calls=told.get("calls"), usd=told.get("usd"))
            path = Path(folder) if folder else None
            self._ledgers[prices] = Ledger(path, told.get("run", ""), budget)
        return self._ledgers[prices]


def kept(folder: Path | None, url: str) -> bool:
    """Whether answers of this address are kept there, which may be all that is asked for."""
    if folder is None or not (folder / FILE).is_file():
        return False
    ledger = Ledger(folder, "", UNPRICED)
    try:
        return bool(ledger.knows(url))
    finally:
        ledger.close()


def account(
    prices: Budget, folder: str, run: str, calls: int | None, usd: float | None
) -> dict[str, Any]:
    """What a run has cost so far, read from outside of its processes."""
    ledger = Ledger(Path(folder), run, replace(prices, calls=calls, usd=usd))
    try:
        return ledger.account()
    finally:
        ledger.close()
