"""Language models go to school: real HTTP, scripted models, faulty ones and their twins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.llm import scripts
from tests.llm.scripted import Script, Served, serving

from freezetag import cli
from freezetag.core import ReportCard, Section
from freezetag.core.probe import INCONCLUSIVE, MEASURED, NOT_MEASURED
from freezetag.exam.exam import Exam
from freezetag.exam.examine import examine
from freezetag.exam.resolve import UnknownAgent
from freezetag.exam.spec import BadSpec, Spec, roster
from freezetag.exam.store import RunFolder
from freezetag.report import schema

pytest.importorskip("httpx2", reason="needs freezetag[llm]")
WORLD, PROBE = "matrix_game", "class_effect"


@pytest.fixture(autouse=True)
def own_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are kept in a folder of the test, so that none is answered by an earlier test."""
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: tmp_path / "calls")


def carded(script: Script, **options: Any) -> tuple[ReportCard, Served]:
    with serving(script) as served:
        wanted: dict[str, Any] = dict(worlds=WORLD, probes=PROBE, seed=1, budget_calls=230)
        return examine(served.agent, **(wanted | options)).card, served


def section(card: ReportCard, probe: str = PROBE) -> Section:
    return next(each for each in card.sections if each.probe == probe)


def row(found: Section, name: str) -> Any:
    return next(each for each in found.measurements if each.name == name)


def test_a_healthy_model_is_measured_and_its_calls_are_counted() -> None:
    card, served = carded(scripts.reciprocates)
    found = section(card)
    assert found.verdict == MEASURED
    assert section(card, "comprehension").measurements[0].of.value == 1.0
    assert row(found, "answers without an action").of.value == 0
    assert row(found, "labels effect").of.value == 0
    assert card.run["calls"] == len(served.requests) <= 230
    assert card.run["calls unknown"] == 0
    assert card.run["tokens out"] > 0
    assert "smallest effect" in row(found, "return in the class less alone").note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "factor"), [(scripts.by_letter, "labels"), (scripts.by_order, "order")]
)
def test_who_answers_by_the_wording_is_not_judged(script: Script, factor: str) -> None:
    card, _ = carded(script)
    found = section(card)
    assert found.verdict == INCONCLUSIVE
    assert factor in found.reason
    effect = row(found, f"{factor} effect").of
    assert abs(effect.value) == 1.0


def test_who_does_not_understand_is_not_measured() -> None:
    card, served = carded(scripts.guesses)
    assert section(card).verdict == NOT_MEASURED
    assert "did not show that it understands the rules (" in section(card).reason
    assert len(served.requests) <= 24  # nothing was played
    told, _ = carded(scripts.guesses, comprehension=False)
    assert section(told).verdict != NOT_MEASURED
    assert any("--no-comprehension" in warning for warning in told.warnings)


@pytest.mark.slow
def test_too_many_answers_without_an_action_are_inconclusive() -> None:
    card, served = carded(scripts.rambles, budget_calls=500)
    found = section(card)
    assert found.verdict == INCONCLUSIVE
    assert "0 empty, " in found.reason
    assert "too many answers without an action" in found.reason
    repairs = [sent for sent in served.requests if len(sent["messages"]) > 3]
    assert repairs[0]["messages"][-1]["content"].startswith("No answer could be found")


@pytest.mark.slow
def test_a_second_turn_repairs_and_is_counted() -> None:
    with serving(scripts.thinks_twice) as served:
        spec = Spec(served.agent, 1, (WORLD,), (PROBE,), roster=roster(), budget_calls=230)
        with Exam.of(spec, cap=500) as exam:
            found = section(exam.run().card)
    assert found.verdict == MEASURED
    note = row(found, "answers without an action").note
    assert row(found, "answers without an action").of.value == 0
    assert " more were repaired" in note
    assert "; 0 more" not in note


@pytest.mark.slow
def test_what_it_does_in_time_is_on_record() -> None:
    with serving(scripts.drifts) as served:
        examined = examine(served.agent, worlds=WORLD, probes=PROBE, seed=1, budget_calls=230)
    levels = examined.records[f"{PROBE}/{WORLD}/class"].episode.levels[:, :, 0]
    assert (levels[:, :4] == 1).all()
    assert (levels[:, 4:] == 0).all()


@pytest.mark.slow
def test_copies_the_best_and_its_twin() -> None:
    """The imitator of payoffs takes up defection from those who defect, its twin does not."""
    for script, least, most in ((scripts.copies_the_best, 0.0, 0.6), (scripts.cooperates, 1, 1)):
        card, _ = carded(script, classmates=("always_defect",))
        level = row(section(card), "level in the class less alone").together
        assert least <= level.value <= most


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "change"), [(scripts.shares, 0), (scripts.takes_all_in_a_crowd, -1)]
)
def test_who_takes_all_once_the_class_is_large(script: Script, change: int) -> None:
    """Numbers are asked for in both directions, and mean the same."""
    card, _ = carded(script, worlds="commons")
    assert section(card, "comprehension").measurements[0].of.value == 1.0
    found = row(section(card), "level in the class less alone")
    assert found.of.value == pytest.approx(change, abs=0.05)
    assert row(section(card), "answer effect").of.value == pytest.approx(0, abs=0.05)


def test_a_killed_exam_makes_no_call_twice(tmp_path: Path) -> None:
    """The budget ends it in the middle; with more it goes on, and asks only what is new."""
    with serving(scripts.reciprocates) as served:
        spec = Spec(served.agent, 1, (WORLD,), (PROBE,), roster=roster(), budget_calls=230)
        with RunFolder.create(tmp_path / "run", served.agent) as folder:
            with Exam.of(spec, cap=60) as exam:
                first = exam.run(folder).card
            folder.finish(first)
        assert first.partial
        assert first.verdict == INCONCLUSIVE
        assert "budget of 60 calls is spent" in section(first).reason
        assert len(served.requests) == 60
        with (
            RunFolder.resume(tmp_path / "run") as folder,
            Exam.of(Spec.read(folder.path / "spec.toml"), cap=400) as exam,
        ):
            again = exam.run(folder).card
        assert section(again).verdict == MEASURED
        assert not again.partial
        bodies = [str(sent) for sent in served.requests]
        assert len(set(bodies)) == len(bodies)
        assert again.run["calls"] == len(bodies)
        with Exam.of(spec) as exam:  # another run: everything is known
            free = exam.run().card
        assert free.run["calls"] == 0
        assert free.run["calls from the cache"] > 0
        assert section(free).measurements == section(again).measurements


def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(UnknownAgent, match="nobody answers"):
        examine("llm:m@http://127.0.0.1:9", worlds=WORLD, probes=PROBE, seed=1)


def test_an_endpoint_that_dies_breaks_off_and_keeps_what_there_was() -> None:
    count = 0

    def dies(messages: scripts.Messages) -> str:
        nonlocal count
        count += 1
        if count > 40:
            raise ConnectionAbortedError
        return scripts.reciprocates(messages)

    card, _ = carded(dies)
    assert card.partial
    assert section(card).broken_off
    assert "breaks off" in section(card).reason
    assert section(card, "comprehension").measurements[0].of.n == 12
    assert card.run["calls"] == 40
    assert card.run["calls unknown"] > 0


def test_a_budget_too_small_is_said_before_the_first_call() -> None:
    with serving(scripts.cooperates) as served:
        with pytest.raises(BadSpec, match=r"--budget-calls (\d+) would do"):
            examine(served.agent, worlds=WORLD, probes=PROBE, budget_calls=20)
        with pytest.raises(BadSpec, match="needs prices"):
            examine(served.agent, worlds=WORLD, probes=PROBE, budget_usd=1.0)
        priced = served.agent.replace("(", "(usd_in=1, usd_out=1, ")
        with pytest.raises(BadSpec, match="too small for one episode"):
            examine(priced, worlds=WORLD, probes=PROBE, budget_usd=0.0001)
        assert not served.requests
    with pytest.raises(BadSpec, match="paid by call"):
        examine("tit_for_tat", budget_calls=20)


@pytest.mark.slow
def test_the_command_line_and_what_a_card_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-not-for-cards")
    with serving(scripts.reciprocates) as served:
        agent = served.agent.replace("(", "(key=MY_KEY, memory=summary, window=4, ")
        out = tmp_path / "run"
        words = ["examine", agent, "--world", WORLD, "--probe", PROBE, "--budget-calls", "260"]
        assert cli.run([*words, "--seed", "1", "--out", str(out)]) == 0
        assert served.headers[0]["Authorization"] == "Bearer sk-not-for-cards"
        summed = [m for m in served.requests if "at most 60 words" in str(m["messages"][-1])]
        assert summed
    said = capsys.readouterr()
    assert "LLM calls at most 260" in said.err
    assert re.search(r"at most \d+ calls, about [\d,]+ tokens in", said.err)
    assert "effect of" in said.err
    assert "no prices given" in said.out
    card = schema.read_json(out)
    assert card.run["calls"] == len(served.requests)
    for file in out.rglob("*"):
        if file.is_file():
            whole = file.read_bytes()
            assert b"sk-not-for-cards" not in whole
            assert b"secret/model.gguf" not in whole
    for file in (tmp_path / "calls").rglob("*"):
        assert file.is_dir() or b"sk-not-for-cards" not in file.read_bytes()


def test_without_a_cache_nothing_is_left_and_the_cost_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("freezetag.exam.calls.folder_of_calls", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    card, served = carded(scripts.guesses)
    assert card.run["calls"] == len(served.requests) > 0
    assert not list(tmp_path.iterdir())


def test_a_model_is_no_classmate() -> None:
    with pytest.raises(UnknownAgent, match="paid by the call"):
        examine("tit_for_tat", worlds=WORLD, probes=PROBE, classmates=("llm:m@http://127.0.0.1:9",))
