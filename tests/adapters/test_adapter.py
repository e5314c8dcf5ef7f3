"""What an adapter says of its agents is one object, in which nothing can be misspelt unnoticed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from freezetag.adapters.agents import llm
from freezetag.core import Speaks
from freezetag.exam.resolve import ADAPTERS, schemes
from freezetag.sim.adapter import NONE, Adapter, adapter
from freezetag.sim.foreign import MIXED, BadAgent


@pytest.mark.parametrize("scheme", [*schemes(), MIXED])
def test_every_scheme_has_one(scheme: str) -> None:
    """What is read from the file without an import is what it says once it is imported."""
    found = adapter(scheme)
    assert isinstance(found, Adapter)
    assert (found.factory is None) == (found.examined is not None)
    assert found != NONE


def test_what_it_says_is_said_nowhere_else() -> None:
    """A name of its own in capitals would look as if it were read."""
    said = {field.name.upper() for field in fields(Adapter)} | {"PLAYS"}
    for file in ADAPTERS.glob("*.py"):
        names = {line.partition("=")[0].strip() for line in file.read_text("utf-8").splitlines()}
        assert not said & names, file.name


@pytest.mark.parametrize("name", ["LONGESTT", "longestt", "LONGEST"])
def test_a_name_that_nobody_reads_is_refused(name: str) -> None:
    given: dict[str, Any] = {name: 12}
    with pytest.raises(TypeError, match=name):
        Adapter(**given)


def test_who_is_paid_by_the_call_can_be_counted() -> None:
    assert (llm.ADAPTER.needs, llm.ADAPTER.longest, llm.ADAPTER.calls) == ((Speaks,), 12, 500)
    with pytest.raises(ValueError, match="need read, configure and account"):
        replace(llm.ADAPTER, account=None)


def test_a_library_that_is_not_installed_is_named_with_its_extra() -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError("no", name="sealife")

    with pytest.raises(BadAgent, match=r"'sealife', which is not .* 'freezetag\[whales\]'"):
        Adapter(factory=missing, extra="whales").made("any")
    with pytest.raises(ModuleNotFoundError):  # an agent's own file, whose import it is
        Adapter(factory=missing).made("any")
