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
from dataclasses import replace
from pathlib import Path
from typing import Any

from freezetag.adapters.agents import llm
from freezetag.adapters.agents._named import parse
from freezetag.adapters.language import opened
from freezetag.adapters.language.inspect_endpoint import InspectAccess, InspectEndpoint
from freezetag.adapters.language.opened import Model, Opened

_opened = Opened()
configure = _opened.configure


def read(name: str) -> Model:
    """What a name says. Raises `BadAgent`."""
    model, settings = parse(name)
    return Model.of(InspectAccess, settings, model=model)


def factory(name: str) -> Callable[[int], llm.LanguageModel]:
    """`make(seed) -> agent`. Raises `BadAgent`."""
    model = read(name)
    endpoint = _opened.endpoint(name, model, InspectEndpoint)
    return lambda seed: llm.LanguageModel(model, endpoint, seed)


def ready(name: str, folder: Path | None) -> None:
    """Raises `BadAgent` where Inspect cannot open the model, before anything is made for an exam;
    not where answers of this model are kept, which may be all that is asked for."""
    access = read(name).access
    if not opened.kept(folder, access.url):
        access.opened()


def account(
    name: str, folder: str, run: str, calls: int | None = None, usd: float | None = None
) -> dict[str, Any]:
    """What a run has cost so far, read from outside of its processes."""
    return opened.account(read(name).budget, folder, run, calls, usd)


ADAPTER = replace(
    llm.ADAPTER,
    factory=factory,
    extra="inspect",
    ready=ready,
    read=read,
    configure=configure,
    account=account,
)
