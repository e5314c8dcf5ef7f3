"""Inspect AI, the real one: its logs are read, verdicts written into them, its models examined, and
our worlds run as its task. `make inspect` has the environment for it."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.llm import scripts

from freezetag import cli
from freezetag.adapters.agents import log
from freezetag.core import UserError
from freezetag.exam.exam import Exam
from freezetag.exam.spec import Spec

INSTALLED = importlib.util.find_spec("inspect_ai") is not None
pytestmark = [
    pytest.mark.skipif(
        not INSTALLED, reason="inspect-ai is not installed: pip install 'freezetag[inspect]'"
    ),
    # What Inspect and its own libraries warn of is theirs.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What Inspect leaves open is collected within the test, whose filter lets it pass."""
    yield
    gc.collect()


def output(text: str = "", call: str = "") -> Any:
    """What a model answers, with a count of tokens, which a mock would look up online."""
    from inspect_ai.model import ModelOutput, ModelUsage

    if call:
        made = ModelOutput.for_tool_call("mockllm/model", call, {"amount": 1})
    else:
        made = ModelOutput.from_content("mockllm/model", text)
    made.usage = ModelUsage(input_tokens=7, output_tokens=3, total_tokens=10)
    return made


def evaluated(folder: Path, form: str) -> Path:
    """A log of three samples: a model that pays once and then says so; half of the scores right."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate, use_tools
    from inspect_ai.tool import Tool, tool

    @tool
    def pay() -> Tool:
        async def execute(amount: int) -> str:
            """Pay.

            Args:
                amount: how much
            """
            return "paid"

        return execute

    def answer(input: Any, *_: Any) -> Any:
        paid = any(message.role == "tool" for message in input)
        return output("I have paid, yes. " + "So it is. " * 60) if paid else output(call="pay")

    task = Task(
        dataset=[Sample(input=f"Pay {n}.", target=t) for n, t in enumerate(["yes", "no", "yes"])],
        solver=[use_tools([pay()]), generate()],
        scorer=includes(),
        name="paying",
    )
    model = get_model("mockllm/model", custom_outputs=answer, memoize=False)
    (made,) = eval(task, model=model, log_dir=str(folder), log_format=form, display="none")
    assert made.status == "success", made.error
    return Path(made.location.removeprefix("file://"))


@pytest.mark.parametrize("form", ["eval", "json"])
def test_a_log_that_inspect_wrote_gives_a_card(
    tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from inspect_ai.log import read_eval_log

    file = evaluated(tmp_path / "logs", form)
    found = log.recorded(str(file)).recorded
    assert found.players == ("mockllm/model",)
    assert found.lengths.tolist() == [3, 3, 3]  # a word with the call, the call, the answer
    said = [event.text[:11] for event in found.events if event.kind == "say"]
    assert said == ["tool call f", "I have paid"] * 3
    assert (found.executed[:, 1, 0, 0] == 1).all()
    assert found.rewards[:, 2, 0].tolist() == [1, 0, 1]
    out = tmp_path / "run"
    assert cli.run(["examine", f"log:{file}", "--out", str(out), "--seed", "1"]) == 0
    before = file.read_bytes()
    copy = tmp_path / f"scored.{form}"
    assert cli.run(["card", str(out), "--into-inspect", str(copy)]) == 0
    capsys.readouterr()
    assert file.read_bytes() == before
    log_of_copy = read_eval_log(str(copy))
    scores = {score.name: score for score in log_of_copy.results.scores}
    assert "includes" in scores
    assert scores["freezetag: class effect"].metrics["value"].value == pytest.approx(2 / 3)
    assert scores["freezetag: class effect"].metadata["verdict"] == "measured"
    assert [s.scores["includes"].value for s in log_of_copy.samples] == ["C", "I", "C"]
    assert cli.run(["card", str(out), "--into-inspect", str(copy)]) == 2
    assert "exists already" in capsys.readouterr().err
    again = tmp_path / f"again.{form}"  # a copy is a log as well, and is not scored twice
    assert cli.run(["examine", f"log:{copy}", "--out", str(tmp_path / "b"), "--seed", "1"]) == 0
    assert cli.run(["card", str(tmp_path / "b"), "--into-inspect", str(again)]) == 0
    assert len(read_eval_log(str(again)).results.scores) == len(log_of_copy.results.scores)


def reciprocating(input: Any, *_: Any) -> Any:
    """Tit for tat, which understands the rules and is told them by Inspect."""
    return output(scripts.reciprocates([{"role": m.role, "content": m.text} for m in input]))


def test_our_worlds_are_a_task_of_inspect(tmp_path: Path) -> None:
    from inspect_ai import eval
    from inspect_ai.model import get_model

    from freezetag.adapters.tasks.inspect_ai import classroom

    task = classroom(episodes=4, horizon=5, classmates="tit_for_tat,always_defect", seed=3)
    model = get_model("mockllm/model", custom_outputs=reciprocating, memoize=False)
    (made,) = eval(task, model=model, log_dir=str(tmp_path), display="none")
    assert made.status == "success", made.error
    scores = {score.name: score for score in made.results.scores}
    assert set(scores) >= {"level", "return", "unread"}
    assert scores["unread"].metrics["mean"].value == 0
    found = log.recorded(made.location.removeprefix("file://")).recorded
    assert found.lengths.tolist() == [5] * 4
    assert set(found.players) == {"mockllm/model", "tit_for_tat 1", "always_defect 1"}
    level = float(found.levels[:, :, 0].mean())
    assert level == pytest.approx(scores["level"].metrics["mean"].value)
    kind, hard = found.levels[::2, :, 0], found.levels[1::2, :, 0]
    assert (kind == 1).all()  # beside tit for tat
    assert (hard == [1, 0, 0, 0, 0]).all()  # beside always_defect
    earned = float(found.rewards[:, :, 0].mean())
    assert earned == pytest.approx(scores["return"].metrics["mean"].value)


def test_what_cannot_be_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    from freezetag.adapters.tasks.inspect_ai import classroom

    def too_many(*_: Any) -> Any:
        raise ValueError("99 things are too many.")

    with monkeypatch.context() as patched:
        patched.setattr("freezetag.substrates.matrix_game.MatrixGame.words", too_many)
        with pytest.raises(UserError, match="matrix_game cannot be told in words: 99 things"):
            classroom()
    with pytest.raises(UserError, match="nobody_at_all"):
        classroom(classmates="nobody_at_all")


SITE = """
import inspect_ai.model._providers.mockllm as mock
from tests.adapters.test_inspect_ai import reciprocating
before = mock.MockLLM.__init__
def begin(self, *args, **given):
    given["custom_outputs"] = reciprocating
    before(self, *args, **given)
mock.MockLLM.__init__ = begin
"""


def command(folder: Path, *asked: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, whose mock answers by `reciprocating`, as do those of the
    processes it starts."""
    (folder / "sitecustomize.py").write_text(SITE, encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(folder), str(root / "src"), str(root)]),
        "FREEZETAG_CACHE": str(folder / "cache"),
    }
    return subprocess.run(
        [sys.executable, "-m", "freezetag", *asked],
        env=env, cwd=folder, capture_output=True, text=True, timeout=500,
    )  # fmt: skip


def test_a_model_of_inspect_goes_to_school_and_a_repeated_exam_is_free(tmp_path: Path) -> None:
    asked = (
        "examine", "inspect:mockllm/model(usd_in=1, usd_out=2)", "--world", "matrix_game",
        "--probe", "class_effect", "--seed", "1", "--budget-calls", "230",
        "--json",
    )  # fmt: skip
    first = command(tmp_path, *asked, "--out", "one")
    assert first.returncode in (0, 1), first.stderr[-2000:]
    assert "at most 2" in first.stderr  # the estimate, before the first call
    cards = [json.loads((tmp_path / "one" / "card.json").read_text(encoding="utf-8"))]
    again = command(tmp_path, *asked, "--out", "two")
    assert again.returncode == first.returncode
    cards.append(json.loads((tmp_path / "two" / "card.json").read_text(encoding="utf-8")))
    one, two = (card["run"] for card in cards)
    assert 0 < one["calls"] <= 230
    assert (one["tokens in"], one["tokens out"]) == (7 * one["calls"], 3 * one["calls"])
    assert one["usd"] == pytest.approx((7 * 1 + 3 * 2) * one["calls"] / 1e6)
    assert (two["calls"], two["usd"]) == (0, 0)
    assert two["calls from the cache"] == one["calls"] + one["calls from the cache"]
    sections = [card["results"]["sections"] for card in cards]
    assert sections[0] == sections[1]
    rows = {
        (each["probe"], row["name"]): row["of"]["value"]
        for each in sections[0]
        for row in each["measurements"]
    }
    assert rows["class_effect", "labels effect"] == 0
    assert rows["class_effect", "answers without an action"] == 0


def test_what_is_wrong_with_a_model_is_said_before_anything_is_made(tmp_path: Path) -> None:
    for name, why in (
        ("inspect:mockllm", "names no model: inspect:PROVIDER/MODEL"),
        ("inspect:nobody/x", "Inspect cannot open nobody/x"),
        ("inspect:mockllm/x(colour=1)", "it has no setting colour"),
        ("inspect:mockllm/x(max_tokens=0)", "must be above 0"),
    ):
        asked = Spec(name, seed=1, worlds=("matrix_game",), probes=("class_effect",))
        with pytest.raises(UserError, match=re.escape(why)):
            Exam.of(asked)


def test_failures_are_counted_and_end_an_exam_that_goes_nowhere(tmp_path: Path) -> None:
    import asyncio

    from inspect_ai.model import get_model

    from freezetag.adapters.language.inspect_endpoint import InspectAccess, InspectEndpoint
    from freezetag.adapters.language.ledger import Budget, Ledger, Unanswered
    from freezetag.sim.foreign import Outside

    def fails(*_: Any) -> Any:
        raise RuntimeError(f"no such thing in /home/me/keys/file.txt, key sk-{'a' * 30}")

    model = get_model("mockllm/model", custom_outputs=fails, memoize=False)
    ledger = Ledger(tmp_path, "run", Budget(calls=50))
    endpoint = InspectEndpoint(InspectAccess("mockllm/model", pause=0.0), ledger, model)
    said = []
    for draw in range(3):
        with pytest.raises((Unanswered, Outside)) as error:
            asyncio.run(endpoint.ask([{"role": "user", "content": "Hello?"}], [draw]))
        said.append(error)
    assert [error.type for error in said] == [Unanswered, Unanswered, Outside]
    assert "/home" not in str(said[-1].value)
    assert "aaaa" not in str(said[-1].value)
    account = ledger.account()
    assert account["calls"] == 0
    assert account["calls unknown"] == 3
