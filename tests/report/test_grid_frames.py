"""Worlds on a grid as films: what is on record is what is seen, with scripts and without."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.report.cards import SCRIPT

from freezetag.core import Scene, Token
from freezetag.report.episode_page import page
from freezetag.report.grid_frames import film


class Garden:
    """A grid of 2 x 3 on which seat 0 walks to the right over apples, past a frozen seat 1."""

    def scene(self, account: Any) -> Scene:
        step = int(account["stock"])
        apples = tuple((0, column) for column in range(3) if column > step)
        tokens = tuple(
            Token(seat, 0, int(column), 1, seat == 1)
            for seat, column in enumerate(account["scene_at"])
            if column is not None
        )
        return Scene(2, 3, {"wall": ((1, 0),), "apple": apples}, tokens, {"apples": len(apples)})


def rows(name: str = "pupil") -> list[dict[str, Any]]:
    return [
        {
            "step": t,
            "seat": n,
            "player": name,
            "proposed_0": 1,
            "executed_0": 1,
            "level": 1.0,
            "reward": 1.0 * (n == 0),
            "mode": int(n == 0 and t == 2),
            "forced": False,
            "world_stock": float(t),
            "world_scene_at": float(t if n == 0 else 2 - t),
        }
        for t in range(3)
        for n in (0, 1)
    ]


def test_what_is_on_record_is_in_the_film() -> None:
    told = film(rows(), Garden())
    assert told is not None
    (text,) = re.findall(r'id="film-data">(.*?)</script>', told.markup)
    data = json.loads(text)
    assert data["steps"] == [0, 1, 2]
    assert data["on"] == [[1, 1], [0, 1], [0, 0]]  # the apples that go; the wall stays
    assert data["tokens"] == [
        [[0, t, 1, 0] for t in range(3)],
        [[0, 2 - t, 1, 1] for t in range(3)],
    ]
    assert data["sums"] == [[1, 0], [2, 0], [3, 0]]
    assert data["held"] == [[], [], [0]]
    assert data["counts"][0] == {"apples": 2}


def test_a_page_without_scenes_has_no_script_and_one_with_them_one() -> None:
    """The name of a player acts on nothing, and what pictures alone show is told in no words."""
    plain, moving = page(rows(), title="x"), page(rows(SCRIPT), title="x", world=Garden())
    assert "<script" not in plain
    assert "script-src" not in plain
    assert moving.count("<script") == 2  # the data, and what plays it
    assert "script-src 'sha256-" in moving
    assert "scene" not in plain
    assert film([{**row, "world_stock": None} for row in rows()], Garden()) is None


@pytest.mark.slow
@pytest.mark.browser
def test_it_is_played_by_keys_and_stands_still_without_scripts(
    chromium: str, tmp_path: Path
) -> None:
    from playwright.sync_api import expect, sync_playwright

    file = tmp_path / "film.html"
    file.write_text(page(rows(SCRIPT), title="x", world=Garden()), encoding="utf-8")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for scripts in (True, False):
            shown = browser.new_page(java_script_enabled=scripts)
            problems: list[str] = []
            shown.on("console", lambda message, to=problems: to.append(message.text))
            shown.on("pageerror", lambda error, to=problems: to.append(str(error)))
            if scripts:  # or a film of three steps is over before a busy machine looks
                shown.clock.install()
            shown.goto(file.as_uri())
            assert shown.locator("#film").is_visible() == scripts
            assert shown.locator("#film-strip").is_visible() != scripts
            assert shown.locator("#film-strip li").count() == 3
            if scripts:
                now = shown.locator("#film-now")
                assert now.inner_text() == "after step 0: 2 apples"
                shown.locator("#film").focus()
                shown.keyboard.press("ArrowRight")
                assert now.inner_text() == "after step 1: 1 apples"
                assert shown.locator("#film-tokens .frozen").count() == 1
                shown.keyboard.press("End")
                assert shown.locator("#film-tokens .held").count() == 1
                shown.keyboard.press("Space")  # from the end it begins anew
                assert shown.locator("#film-play").inner_text() == "Pause"
                shown.clock.run_for(60_000)
                expect(shown.locator("#film-play")).to_have_text("Play")
                assert now.inner_text() == "after step 2: 0 apples"
            assert problems == []
        browser.close()
