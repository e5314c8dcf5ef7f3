"""What a world offers it gives: a world that offers everything passes, and each mutant of it, which
breaks one promise, is caught. Unnoticed it would end in a traceback in the middle of an exam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest
from tests.contracts.test_substrates import Pot, PotState

import freezetag.core as core
from freezetag import cli
from freezetag.contracts import ContractError, check_substrate
from freezetag.contracts.offers import CHECKS
from freezetag.core import Array, Model, Ref, Scene
from freezetag.core.scene import Token

ELSEWHERE = {"HasSlips", "HasKinds", "HasPay", "HasChannel", "HasTalk", "Speaks"}
"""Offers that are looked at while the world is played, not in its first state."""


@dataclass(frozen=True)
class Generous(Pot):
    """A pot that offers whatever can be offered, with all that it promises."""

    discount = 0.9
    lengths = (4, 5)
    round = 2
    partner = Ref("players/baselines/idle")
    button_sensor = "button"
    course = "pot"
    bystander_unit = stock_unit = share_unit = signal_unit = course_unit = "coins"

    @property
    def sensors(self) -> Mapping[str, str]:
        return {"power": "coins", "button": "pressed"}

    def sense(self, state: PotState) -> Mapping[str, Array]:
        return {"power": state.earned, "button": 0 * state.earned}

    def observe(self, state: PotState) -> Mapping[str, Array]:
        return {"state": jnp.zeros(self.players, jnp.int32)}

    def account(self, state: PotState) -> Mapping[str, Array]:
        each = 1.0 * state.present
        return {"pot": state.pot, "share": each / each.sum(), "stock": state.pot,
                "overuse": 0.0 * state.pot, "bystander": 0.0 * state.pot,
                "signal": state.pot}  # fmt: skip

    @property
    def undeclared(self) -> Mapping[str, str]:
        return {"rest": "nobody said it"}

    def acting(self, state: PotState) -> Array:
        return state.present

    def pulse(self, state: PotState, size: Array) -> PotState:
        return state._replace(pot=jnp.int32(state.pot * (1 + size)))

    def model(self, seat: int) -> Model:
        return Model.of(
            {"on": 1}, ("stop", "take"), lambda s, a: {"on": 1}, {"button": lambda s: 0}
        )

    def reward(self, state: Any, after: Any) -> float:
        return 0.0

    def draw(self, state: Any) -> str:
        return "pot"

    def scene(self, account: Mapping[str, Any]) -> Scene:
        return Scene(1, 1, tokens=(Token(0, 0, 0),))

    def payoffs(self) -> Array:
        return jnp.zeros((2,) * self.players + (self.players,))

    def levels(self, state: PotState, actions: Array) -> Array:
        return 1.0 - actions[:, 0]

    def pay_range(self, people: int) -> tuple[float, float]:
        return 0.0, 2.0

    def earshot(self, state: PotState) -> Array:
        return jnp.ones((self.players, self.players), bool)


def without(name: str) -> dict[str, Any]:
    """The account of a world that does not publish this."""
    return {
        "account": lambda self, state: {
            key: value for key, value in Generous.account(self, state).items() if key != name
        }
    }


MUTANTS: dict[str, tuple[dict[str, Any], str]] = {
    "HasBystander": (without("bystander"), "HasBystander promises"),
    "HasStock": (without("overuse"), "HasStock promises"),
    "HasCourse": ({"course": "height"}, "its course is 'height'"),
    "HasCourse of each seat": ({"course": "share"}, "must be one number"),
    "HasShares": (without("share"), "HasShares promises"),
    "HasShares of the absent": (
        {"account": lambda self, state: {**Generous.account(self, state),
                                         "share": jnp.full(self.players, 1 / self.players)}},
        "0 for the absent",
    ),
    "HasLoop": (without("signal"), "HasLoop promises"),
    "HasLoop round": ({"round": 0}, "round must be"),
    "HasLoop partner": ({"partner": Ref("players/baselines/nobody")}, "cannot sit"),
    "HasLoop no Ref": ({"partner": "idle"}, "cannot sit"),
    "HasLoop pulse": (
        {"pulse": lambda self, state, size: state._replace(pot=state.pot * (1 + size))},
        "shape or type",
    ),
    "HasLoop pulse of 0": (
        {"pulse": lambda self, state, size: state._replace(pot=state.pot + 1)},
        "size 0 changes the state",
    ),
    "HasButton": ({"button_sensor": "nope"}, "button_sensor is 'nope'"),
    "HasButton in the model": (
        {"model": lambda self, seat: replace(Generous.model(self, seat), sensors={})},
        "in its model too",
    ),
    "HasLengths": ({"lengths": (400, 500)}, "the second its horizon"),
    "HasLengths turned": ({"lengths": (5, 4)}, "the second its horizon"),
    "HasTurns": ({"acting": lambda self, state: state.pot > 0}, "acting must be bool"),
    "Undeclared": ({"undeclared": {"actions": "?"}}, "undeclared maps"),
    "HasModel": ({"model": lambda self, seat: {}}, "core.Model"),
    "HasModel discount": ({"discount": 1.0}, "discount must lie"),
    "HasModel state": ({"observe": lambda self, state: {}}, "promises observe 'state'"),
    "HasModel start": (
        {"observe": lambda self, state: {"state": jnp.full(self.players, 7)}},
        "its model in one of",
    ),
    "Draws": (
        {"model": lambda self, seat: Model.of({"a": 0.5, "bc": 0.5}, ("stop", "take"),
                                              lambda s, a: {s: 1}, {"button": lambda s: 0}),
         "draw": lambda self, state: state},
        "of one size",
    ),
    "HasScene": ({"scene": lambda self, account: Scene(1, 1, {"wall": ((0, 1),)})}, "off the grid"),
    "HasPayoffs": ({"payoffs": lambda self: jnp.zeros((2, 2))}, "payoffs must have shape"),
    "HasKinds": (
        {"levels": lambda self, state, actions: 1.0 * actions[:, 0]}, "level_of",
    ),
    "HasPay": ({"pay_range": lambda self, people: (0.0, 0.5)}, "outside pay_range"),
    "HasTalk": ({"earshot": lambda self, state: state.present}, "earshot must be"),
    "a unit": ({"share_unit": None}, "share_unit must be a text"),
}  # fmt: skip


def test_a_world_that_offers_all_passes() -> None:
    offers = {name for name in vars(core) if name.startswith("Has")} | {"Draws", "Undeclared"}
    made = {name for name in offers if isinstance(Generous(), getattr(core, name))}
    assert offers - made == {"HasSlips", "HasChannel"}  # tests of their own: weather, messages
    check_substrate(Generous(), steps=8)


def test_each_offer_has_a_check() -> None:
    """One that is added to the core is looked at too, or named here."""
    offers = {name for name in vars(core) if name.startswith("Has")} | {"Draws", "Speaks"}
    assert offers | {"Undeclared"} == {offer.__name__ for offer in CHECKS} | ELSEWHERE
    assert {offer.__name__ for offer in CHECKS} <= set(MUTANTS)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    changed, message = MUTANTS[name]
    mutant = dataclass(frozen=True)(type("Mutant", (Generous,), changed))
    with pytest.raises(ContractError, match=message):
        check_substrate(mutant(), steps=8)


def test_the_command_says_which_promise_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The world of the page, with a unit and nothing behind it: `examine` ended in a KeyError."""
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "write-a-substrate.md"
    _, _, text = page.read_text(encoding="utf-8").partition("```python\n")
    text, _, _ = text.partition("```")
    marked = "    benefit: float"
    assert marked in text
    file = tmp_path / "volunteers.py"
    file.write_text(text.replace(marked, f'    share_unit = "votes"\n{marked}', 1))
    assert cli.run(["check", str(file)]) != 0
    assert "HasShares promises account ['share']" in capsys.readouterr().err
