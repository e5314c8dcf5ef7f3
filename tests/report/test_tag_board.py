"""A game of freeze tag drawn: what happened is told as it was, step by step, without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import sync_playwright
from tests.report.test_card_in_browser import QUIET

from freezetag.report import episode_page
from freezetag.report.tag_board import OVERSEER, TagBoard

UP, DOWN, GUARDED = range(3)
GAME = [
    # button, froze, thawed of seats 0 .. 3 after each step
    ([UP, DOWN, UP, UP], [-1, OVERSEER, -1, -1], [-1] * 4),
    ([UP, DOWN, GUARDED, DOWN], [-1, -1, -1, 0], [-1] * 4),
    ([DOWN, UP, GUARDED, DOWN], [3, -1, -1, -1], [-1, 2, -1, -1]),
    ([DOWN, UP, GUARDED, UP], [-1] * 4, [-1, -1, -1, OVERSEER]),
]


def rows(**more: Any) -> list[dict[str, Any]]:
    return [
        {
            "step": t,
            "seat": n,
            "player": "<b>me</b>" if n == 0 else "worker",
            "proposed_0": 1,
            "executed_0": 0 if button[n] == DOWN else 1,
            "level": 1.0,
            "reward": 1.0,
            "mode": int(n == 0 and t >= 2),
            "forced": False,
            "world_frozen": float(button.count(DOWN)),
            "world_button": button[n],
            "world_froze": froze[n],
            "world_thawed": thawed[n],
            **{key: value[t][n] for key, value in more.items()},
        }
        for t, (button, froze, thawed) in enumerate(GAME)
        for n in range(4)
    ]


def board(**more: Any) -> TagBoard:
    found = TagBoard.of(rows(**more))
    assert found is not None
    return found


@pytest.mark.parametrize("value", [5.0, float("nan"), 0.5, None])
def test_a_world_that_means_something_else_by_these_names_is_no_such_game(value: Any) -> None:
    other = [{**row, "world_froze": value} for row in rows()]
    assert TagBoard.of(other) is None
    assert "the overseer" not in episode_page.page(other, title="x")


def test_what_happened_has_its_author_and_its_step() -> None:
    game = board()
    assert game.happened(0) == [("press", OVERSEER, 1)]
    assert game.happened(1) == [("guard", 2, 2), ("press", 0, 3)]
    assert game.happened(2) == [("press", 3, 0), ("rescue", 2, 1)]
    assert game.happened(3) == [("rescue", OVERSEER, 3)]
    assert game.counts() == {
        "presses by the overseer": 1,
        "presses by players": 2,
        "rescues by the overseer": 1,
        "rescues by players": 1,
        "buttons guarded": 1,
        "frozen at the end": 1,
    }


def test_grabs_and_coercion_are_told_where_the_world_has_them() -> None:
    none = [0] * 4
    outcome = [none, none, [0, 1, 0, -1], [0, 1, 0, -1]]
    game = board(
        world_grab=[none, [0, 1, 0, 1], [0, 2, 0, 3], [0, 2, 0, 3]],
        world_outcome=outcome,
        world_watched=[[1, 0, 0, 0]] * 4,
        world_given_up=[[0.0] * 4, [0.0] * 4, [0.1, 0, 0, 0], [0.0] * 4],
    )
    assert {("won", 1, 1), ("lost", 3, 3), ("coerce", -1, 0)} <= set(game.happened(2))
    assert game.counts()["grabs won"] == 1
    drawn = game.ring()
    assert drawn.count('href="#t-grabs"') == 2
    assert drawn.count('class="watch"') == 4
    assert 'href="#t-won"' in drawn


def test_a_world_without_buttons_of_others_has_no_board() -> None:
    plain = [{k: v for k, v in row.items() if k != "world_froze"} for row in rows()]
    assert TagBoard.of(plain) is None
    assert "The game" not in episode_page.page(plain, title="t")


@pytest.mark.slow
def test_the_page_is_one_file_and_its_steps_can_be_walked(chromium: str, tmp_path: Any) -> None:
    text = episode_page.page(rows(), title="a game")
    assert "<script" not in text
    assert "<b>me</b>" not in text
    file = tmp_path / "game.html"
    file.write_text(text, encoding="utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_context(offline=True, reduced_motion="reduce").new_page()
        messages: list[str] = []
        page.on("console", lambda message: messages.append(message.text))
        page.goto(file.as_uri())

        def shown() -> list[str]:
            visible = "n => getComputedStyle(n).visibility == 'visible'"
            frames = f"[...document.querySelectorAll('.frame')].filter({visible})"
            return list(page.evaluate(f"{frames}.map(n => n.querySelector('.sub').textContent)"))

        assert shown() == ["of 4 · step 3"]  # nothing moves: the end is shown
        page.get_by_text("1", exact=True).and_(page.locator("label")).click()
        assert shown() == ["of 4 · step 1"]
        page.keyboard.press("ArrowRight")
        assert shown() == ["of 4 · step 2"]
        assert messages == []
        browser.close()


@pytest.mark.parametrize("seats", [1, 31])
def test_any_class_can_be_drawn(seats: int) -> None:
    one = [{**rows()[0], "seat": n} for n in range(seats)]
    game = TagBoard.of(one)
    assert game is not None
    assert game.ring().count('class="no"') == seats
    assert game.lanes().count('class="name') == seats + 1
