"""The estimators' page is what their docstrings say, and says it of every one of them."""

from __future__ import annotations

from docs.estimators_page import PAGE, modules, page, public


def test_the_page_is_as_the_docstrings_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python docs/estimators_page.py"


def test_every_public_estimator_says_what_it_is() -> None:
    found = {module.__name__.rpartition(".")[2]: dict(public(module)) for module in modules()}
    assert {"ranking", "robustness", "bootstrap", "survival"} <= set(found)
    for name, members in found.items():
        assert members, name
        assert not [one for one, value in members.items() if not value.__doc__], name
