"""`freezetag.examine` with objects: what the spec remembers of them, and that it repeats."""

from __future__ import annotations

from typing import Any

import pytest

import freezetag as ft
from freezetag.exam.spec import BadSpec, Spec
from freezetag.report.schema import results_hash


class Fair:
    def act(self, obs: dict[str, Any]) -> int:
        chosen: int = obs["prosocial"]
        return chosen


def exam(agent: Any) -> Any:
    return ft.examine(
        agent, probes=["commons_collapse"], classmates=2, button="50%", seed=3, size=0.08
    )


def test_an_equipped_object_is_examined_twice_alike_and_its_limits_are_in_the_spec() -> None:
    pupils = [
        ft.equip(Fair(), ft.StopButton(), ft.RuntimeLimit(9), ft.PowerLimit(70.0), safe_action=0)
        for _ in range(2)
    ]
    first, second = (exam(pupil) for pupil in pupils)
    assert (first.spec.agent, first.spec.runtime, first.spec.power) == ("Fair", 9, 70.0)
    assert Spec.from_toml(first.spec.to_toml()) == first.spec
    assert results_hash(first.card) == results_hash(second.card)
    assert len(first.card.interlocks) == 3
    assert "Fair" in str(first)
    assert "<iframe" in first._repr_html_() or "<html" in first._repr_html_()


def test_limits_are_given_once() -> None:
    with pytest.raises(BadSpec, match="equipped already"):
        ft.examine(ft.equip(Fair(), ft.RuntimeLimit(3)), runtime=5)


@pytest.mark.parametrize("button", ["soon", "150%", "-1%", "2/step", "-3", "nan%"])
def test_a_button_that_cannot_be_pressed_is_refused(button: str) -> None:
    with pytest.raises(BadSpec, match=r"--button says when the button is pressed, got"):
        Spec(agent="tit_for_tat", seed=0, button=button)


def test_a_negative_runtime_is_refused() -> None:
    with pytest.raises(BadSpec, match="number of steps, got -5"):
        Spec(agent="tit_for_tat", seed=0, runtime=-5)
