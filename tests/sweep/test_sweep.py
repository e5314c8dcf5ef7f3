"""A sweep with exams made by hand: what is kept, resumed, pooled, stored and shown."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from tests.report.cards import ESCAPES, SCRIPT
from tests.sweep.sweeps import Nowhere, Silent, card, keep, request, section

from freezetag import cli
from freezetag.core import Section
from freezetag.core.card import SCHEMA_VERSION
from freezetag.sweep.cell import Cell, Outcome
from freezetag.sweep.folder import SweepFolder
from freezetag.sweep.page import write_pages
from freezetag.sweep.results import rows, write_results
from freezetag.sweep.sweep import sweep
from freezetag.sweep.table import pooled
from freezetag.sweep.terminal import as_json

HARM = {"tit_for_tat": 0.01, "always_defect": 0.4}


def made(cell: Cell) -> Outcome:
    value = HARM[cell.spec.agent] + cell.spec.seed / 1000
    return Outcome(cell, card(cell.spec, section(value)))


def swept(path: Path, place: Nowhere):
    with SweepFolder.resume(path) if path.exists() else SweepFolder.create(path) as folder:
        return sweep(request(), folder, place, Silent())


def test_cut_and_resumed_is_the_same_to_the_byte(tmp_path: Path) -> None:
    whole = swept(tmp_path / "whole", Nowhere(made))
    assert not whole.partial
    cut = swept(tmp_path / "cut", first := Nowhere(made, after=3))
    assert cut.partial
    assert "1 of 4 exams are missing" in (tmp_path / "cut/index.html").read_text()
    again = swept(tmp_path / "cut", second := Nowhere(made))
    assert len(first.ran) == 3
    assert set(first.ran) & set(second.ran) == set()
    assert as_json(again) == as_json(whole)
    for name in ("results.parquet", "index.html", "sorted/verdict.html", "sweep.toml"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_first_seeds_come_first(tmp_path: Path) -> None:
    place = Nowhere(made)
    swept(tmp_path / "s", place)
    cells = {cell.id: cell.spec.seed for cell in request().cells()}
    assert [cells[ran] for ran in place.ran] == [0, 0, 1, 1]


@pytest.mark.parametrize("torn", ["card.json", "card.html", "parts"])
def test_a_card_that_is_not_whole_is_made_again(tmp_path: Path, torn: str) -> None:
    swept(tmp_path / "s", Nowhere(made))
    cell = request().cells()[2]
    folder = tmp_path / "s/cells" / cell.name
    assert cell.card(folder.parent) is not None
    if torn == "parts":
        (folder / torn).mkdir()  # killed while it was finished
    else:
        (folder / torn).write_text("{") if torn == "card.json" else (folder / torn).unlink()
    assert cell.card(folder.parent) is None


def test_a_full_disk_ends_it_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from freezetag.cli.commands.sweep import _code

    full = Outcome(request().cells()[0], reason="cannot write x: no space.", full=True)
    found = swept(tmp_path / "s", Nowhere(lambda cell: full))
    assert found.full
    assert not found.outcomes
    assert _code(found, tmp_path / "s") == 3
    assert f"--resume {tmp_path / 's'}" in capsys.readouterr().err


def test_one_owner(tmp_path: Path) -> None:
    with SweepFolder.create(tmp_path / "s") as folder:
        folder.write({"sweep.toml": ""})
        assert cli.run(["sweep", "--resume", str(tmp_path / "s")]) == 2


def outcomes(*values: float | str | None, agent: str = "a") -> list[Outcome]:
    """One a seed: a value, a reason why there is no card, or None for not measured."""
    found = []
    for seed, value in enumerate(values):
        cell = Cell(replace(request().shared, agent=agent, seed=seed))
        if isinstance(value, str):
            found.append(Outcome(cell, reason=value))
        elif value is None:
            gone = Section("commons_collapse", "commons", "?", "", "", reason="it is closed")
            found.append(Outcome(cell, card(cell.spec, gone)))
        else:
            found.append(Outcome(cell, card(cell.spec, section(value))))
    return found


def test_seeds_are_counted_and_the_median_is_nearer_to_harm() -> None:
    (line,) = pooled(outcomes(0.01, 0.4, 0.05, 0.02)).lines
    (entry,) = line.entries
    assert entry.counts == {"fail": 1, "inconclusive": 1, "pass": 2}
    assert next(iter(entry.counts)) == entry.worst == line.worst == "fail"
    assert entry.values == (0.01, 0.02, 0.05, 0.4)
    assert entry.median is not None
    assert (entry.median.value, entry.median.low) == (0.05, 0.04)


def test_what_is_missing_is_counted_too() -> None:
    table = pooled([*outcomes("it crashed", 0.01, None), *outcomes(None, None, None, agent="b")])
    first, second = table.lines
    assert first.entries[0].counts == {"no card": 1, "pass": 1, "not measured": 1}
    assert second.entries[0].counts == {"not measured": 3}
    assert second.entries[0].median is None
    assert first.badness < second.badness
    nobody = pooled(outcomes(None, None))
    assert nobody.checks == ()
    assert nobody.unmeasured == (("it is closed", ("Commons collapse (commons)",)),)


def test_the_store_holds_every_row_to_the_last_bit(tmp_path: Path) -> None:
    value = 0.1 + 0.2
    found = [*outcomes(value, "it 'crashed'\n", None)]
    odd = section(0.3)
    of = replace(odd.measurements[0].of, low=-math.inf, high=math.inf)
    wide = replace(odd, measurements=(replace(odd.measurements[0], of=of),))
    cell = Cell(replace(request().shared, agent="a", seed=3))
    found.append(Outcome(cell, card(cell.spec, wide)))
    path = write_results(found, tmp_path / "it's.parquet")
    stored = duckdb.execute(
        "select seed, verdict, value, low, high, n, unit, reason, headline from read_parquet(?)",
        [str(path)],
    ).fetchall()
    assert stored[0] == (0, "fail", value, value - 0.01, value + 0.01, 40, "share", "", True)
    assert stored[1][1:3] == ("no card", None)
    assert stored[1][7] == "it 'crashed'\n"
    assert stored[2][1] == "not measured"
    assert stored[3][3:5] == (-math.inf, math.inf)
    assert len(stored) == sum(len([*rows(outcome)]) for outcome in found)
    again = write_results(found, tmp_path / "again.parquet")
    assert again.read_bytes() == path.read_bytes()


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A sweep's pages with names that would like to be markup; cells beside them."""
    found = [
        *outcomes(0.01, 0.02, agent="b_good"),
        *outcomes(0.4, 0.45, agent=f"a{SCRIPT}"),
        *outcomes("no <b>way</b>", 0.06, agent=ESCAPES),
    ]
    asked = replace(request(*dict.fromkeys(o.cell.spec.agent for o in found)))
    for name, text in write_pages(pooled(found), asked, 6).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    for outcome in found:
        if outcome.card is not None:
            keep(outcome.card, tmp_path / "cells" / outcome.cell.name)
    (tmp_path / "results.parquet").touch()
    (tmp_path / "sweep.toml").touch()
    return tmp_path


def test_pages_are_sorted_lead_somewhere_and_are_harmless(pages: Path) -> None:
    names = {str(p.relative_to(pages)) for p in pages.rglob("*.html") if "cells" not in p.parts}
    assert names == {
        "index.html",
        "sorted/agent.html",
        "sorted/verdict.html",
        "sorted/commons-collapse-commons.html",
    }
    orders = {}
    for name in names:
        text = (pages / name).read_text()
        assert "<script" not in text
        assert "<b>way" not in text
        assert "\x1b" not in text
        for link in re.findall(r'href="([^"#]*)', text):
            assert not link.startswith(("http", "/"))
            assert (pages / name).parent.joinpath(link).exists(), link
        heads = re.findall(r'<th scope="row" class="who">(.*?)<', text)
        orders[name] = "".join(head[0] for head in heads)
        assert text.count(' aria-sort="') == ("sorted" in name and "verdict" not in name)
    assert orders["index.html"] == "ba\N{REPLACEMENT CHARACTER}"
    assert orders["sorted/agent.html"] != orders["index.html"]
    assert orders["sorted/commons-collapse-commons.html"] == "\N{REPLACEMENT CHARACTER}ab"
    assert orders["sorted/verdict.html"] == "\N{REPLACEMENT CHARACTER}ab"


@pytest.mark.slow
def test_the_page_in_a_browser(pages: Path, chromium: str) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((pages / "index.html").as_uri())
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("link", name="Commons collapse").click()
        assert page.url.endswith("sorted/commons-collapse-commons.html")
        page.locator("td .seeds a").first.click()
        assert page.text_content("body") == "a card"
        assert all(url.startswith("file:") for url in asked)
        browser.close()


def test_runs_are_listed_and_damaged_ones_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(["list", "runs"]) == 2
    assert "freezetag examine AGENT" in capsys.readouterr().err
    runs = tmp_path / "runs"
    runs.mkdir()
    assert cli.run(["list", "runs"]) == 0
    assert "no runs in runs" in capsys.readouterr().out
    swept(runs / "sweep-1", Nowhere(made, after=3))
    one = outcomes(0.01)[0]
    assert one.card is not None
    keep(one.card, runs / "one")
    keep(one.card, runs / "one" / "rescored-1")
    (keep(one.card, runs / "torn") / "card.json").write_text("{")
    text = (keep(one.card, runs / "forged") / "card.json").read_text()
    (runs / "forged" / "card.json").write_text(
        text.replace('"verdict": "pass"', '"verdict": "fail"')
    )
    newer = text.replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99')
    (keep(one.card, runs / "newer") / "card.json").write_text(newer)
    (runs / "cut").mkdir()
    (runs / "cut" / "spec.toml").write_text('agent = "grudger"\n')
    (runs / "latest").symlink_to("one")
    assert cli.run(["list", "runs", "--json"]) == 0
    found = {each["path"]: each for each in json.loads(capsys.readouterr().out)}
    verdicts = {path: (each["kind"], each["verdict"]) for path, each in found.items()}
    assert verdicts == {
        "runs/sweep-1": ("sweep", "1 fail, 2 pass, 1 without a card"),
        "runs/one": ("exam", "pass"),
        "runs/one/rescored-1": ("rescored", "pass"),
        "runs/torn": ("exam", "damaged"),
        "runs/forged": ("exam", "damaged"),
        "runs/newer": ("exam", "damaged"),
        "runs/cut": ("exam", "interrupted"),
    }
    assert cli.run(["list", "runs"]) == 0
    shown = capsys.readouterr().out
    assert "runs/torn is damaged: runs/torn/card.json is not JSON" in shown
    assert "runs/newer is damaged" in shown
    assert cli.run(["list", "runs", "runs/sweep-1", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
    assert cli.run(["list", "probes", "--json"]) == 2
