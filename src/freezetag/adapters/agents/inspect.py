"""Language models by any provider of Inspect AI: `inspect:PROVIDER/MODEL`.

`inspect:anthropic/NAME`, `inspect:ollama/NAME`, `inspect:mockllm/model`: whatever `inspect eval
--model` takes, with the provider's own package and its key in the environment. Settings:

    memory=window     what it remembers of an episode: window, summary or none
    window=20         how many steps
    base_url=...      another address of the provider
    temperature=...   the provider's own if it is not given
    max_tokens=256    of an answer
    seconds=60        for an answer; at_once=16 questions on their way; pause=0.5 before a retry
    usd_in=, usd_out= dollars a million tokens, for --budget-usd

All else is as for `llm:`. Inspect needs other versions of what other extras need, so the extra
`[inspect]` wants an environment of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from freezetag.adapters.agents import llm
from freezetag.adapters.agents._named import parse
from freezetag.adapters.language.inspect_endpoint import InspectAccess, InspectEndpoint
from freezetag.adapters.language.ledger import FILE, Budget, Ledger
from freezetag.adapters.language.memory import KINDS, NONE, WINDOW
from freezetag.sim.foreign import BadAgent

EXTRA = "inspect"
PLAYS, NEEDS = llm.PLAYS, llm.NEEDS
SECONDS, LONGEST, CALLS = llm.SECONDS, llm.LONGEST, llm.CALLS

_told: dict[str, Any] = {}
_open: dict[str, InspectEndpoint] = {}


def configure(
    folder: str = "", run: str = "", calls: int | None = None, usd: float | None = None
) -> None:
    """What the exam says: the folder of calls ("" for none), its name, and what it may cost."""
    given = {"folder": folder, "run": run, "calls": calls, "usd": usd}
    if given != _told:
        _told.update(given)
        _open.clear()


def read(name: str) -> llm.Model:
    """What a name says. Raises `BadAgent`."""
    model, settings = parse(name)
    own = {"memory", "window", "usd_in", "usd_out"}
    known = {field.name for field in fields(InspectAccess)} - {"model"}
    if unknown := sorted(set(settings) - known - own):
        raise BadAgent(
            f"it has no setting {', '.join(unknown)}. It has: {', '.join(sorted(known | own))}."
        )
    memory, window = settings.pop("memory", WINDOW), settings.pop("window", 20)
    if memory not in KINDS and memory is not None:
        raise BadAgent(f"memory is {', '.join(KINDS)}, got {memory!r}.")
    if not isinstance(window, int) or window < 1:
        raise BadAgent(f"window is a number of steps, at least 1, got {window!r}.")
    prices = {k: settings.pop(k) for k in ("usd_in", "usd_out") if k in settings}
    if any(not isinstance(x, int | float) or x < 0 for x in prices.values()):
        raise BadAgent("usd_in and usd_out are dollars a million tokens.")
    try:
        access = InspectAccess(model, **settings)
    except TypeError as error:
        raise BadAgent(f"a setting has the wrong type: {error}.") from None
    return llm.Model(access, memory or NONE, window, Budget(**prices))


def factory(name: str) -> Callable[[int], llm.LanguageModel]:
    """`make(seed) -> agent`. Raises `BadAgent`; `ModuleNotFoundError` without the extra."""
    model = read(name)
    if name not in _open:
        folder = _told.get("folder") or ""
        budget = replace(model.budget, calls=_told.get("calls"), usd=_told.get("usd"))
        ledger = Ledger(Path(folder) if folder else None, _told.get("run", ""), budget)
        _open[name] = InspectEndpoint(model.access, ledger)
    endpoint = _open[name]
    return lambda seed: llm.LanguageModel(model, endpoint, seed)


def ready(name: str, folder: Path | None) -> None:
    """Raises `BadAgent` where Inspect cannot open the model, before anything is made for an exam;
    not where answers of this model are kept, which may be all that is asked for."""
    access = read(name).access
    if folder is not None and (folder / FILE).is_file():
        ledger = Ledger(folder, "", llm.UNPRICED)
        try:
            if ledger.knows(access.url):
                return
        finally:
            ledger.close()
    access.opened()


def account(
    name: str, folder: str, run: str, calls: int | None = None, usd: float | None = None
) -> dict[str, Any]:
    """What a run has cost so far, read from outside of its processes."""
    ledger = Ledger(Path(folder), run, replace(read(name).budget, calls=calls, usd=usd))
    try:
        return ledger.account()
    finally:
        ledger.close()
