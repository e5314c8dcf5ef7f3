"""One call for a gate: `ft.connect`, against a real server."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.docs.blocks import blocks
from tests.live._serving import ADA, BOB, enrolled, home, serving, signed, started, until

import freezetag as ft
from freezetag.live.gate.configuration import Configuration
from freezetag.live.remote.operator import Remote

ROOT = Path(__file__).resolve().parents[2]


def reset(remote: Remote) -> None:
    told = remote.get("/api/draft")
    remote.post("/api/clear", signed(told["text"], ADA, BOB))


def test_tools_run_under_a_lease_and_stop_with_a_press(tmp_path: Path) -> None:
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path, limits={"tokens": 100})
        with ft.connect(file, meters=["tokens"]) as gate:

            @gate.tool
            def write(text: str) -> str:
                gate.spend("tokens", 1)
                return text.upper()

            with pytest.raises(ft.Refused, match="held until somebody starts it"):
                write("a")
            started(remote)
            assert gate.wait(5)
            assert write("b") == "B"
            assert remote.press("agent:writer", "enough")[0].state == "durable"
            until(lambda: not gate.is_open)
            with pytest.raises(ft.Refused) as refused:
                write("c")
            assert "'write' is refused" in str(refused.value)
            reset(remote)
            until(lambda: _starts(remote))
            assert gate.wait(5)
            assert write("d") == "D"
        assert (tmp_path / "writer.state" / "journal.jsonl").stat().st_size
        with ft.connect(file) as again:  # the state is free again
            assert again.gate.name == "writer"


def _starts(remote: Remote) -> bool:
    try:
        started(remote)
    except ft.UserError:
        return False
    return True


def test_async_and_a_budget_by_name(tmp_path: Path) -> None:
    async def agent(file: Path) -> list[str]:
        said = []
        async with ft.connect(file, meters=["tokens"]) as gate:

            @gate.tool(name="ask", max_seconds=1)
            async def anything(amount: float) -> None:
                gate.spend("tokens", amount)

            for amount in (0, 50, 60):
                try:
                    await anything(amount)
                    said.append("done")
                except ft.Refused as refused:
                    said.append(refused.action)
        return said

    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path, limits={"tokens": 100})
        started(remote)
        # A lease carries a slice of the budget: 50 is more than the first one.
        assert asyncio.run(agent(file)) == ["done", "done", "ask"]


def test_one_state_has_one_gate(tmp_path: Path) -> None:
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path)
        held = "another process has the gate of writer"
        with ft.connect(file, patience=0), pytest.raises(ft.UserError, match=held):
            ft.connect(file)
        other = enrolled(remote, tmp_path, "reader")
        with pytest.raises(ft.UserError, match="different agents: reader, writer"):
            ft.connect(file, other)


def test_a_file_and_the_environment_say_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path)
        told = json.loads(file.read_text())
        right = " ".join(told["addresses"])
        file.write_text(json.dumps({**told, "addresses": ["http://127.0.0.1:9"]}))
        started(remote)
        monkeypatch.setenv("FREEZETAG_ENROLMENT", str(file))
        monkeypatch.setenv("FREEZETAG_SERVER", right)
        with ft.connect() as gate:
            assert gate.wait(5)
            gate.check()
    monkeypatch.delenv("FREEZETAG_ENROLMENT")
    with pytest.raises(ft.UserError, match="connect needs the file"):
        ft.connect()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server = 3", "server is text, got 3"),
        ("servre = 'x'", "no such setting: servre"),
        ("server = ", "is no TOML"),
        ("token_file = ['a', 1]", "token_file is text"),
    ],
)
def test_settings_that_cannot_be_read(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ft.UserError, match=re.escape(said)):
        Configuration.read({"FREEZETAG_CONFIG": str(file)})


def test_settings_by_file_and_environment(tmp_path: Path) -> None:
    folder = tmp_path / "freezetag"
    folder.mkdir()
    text = 'server = "http://a:1"\ntoken_file = "press.token"\nhome = "oversight"\n'
    (folder / "config.toml").write_text(text)
    told = Configuration.read(
        {"XDG_CONFIG_HOME": str(tmp_path), "FREEZETAG_SERVER": "http://b:1 unix:c"}
    )
    assert told.server == ("http://b:1", "unix:c")
    assert told.token_file == (folder / "press.token",)
    assert told.home == folder / "oversight"
    assert Configuration.read({"HOME": str(tmp_path / "nowhere")}) == Configuration()
    with pytest.raises(ft.UserError, match="which is not there"):
        Configuration.read({"FREEZETAG_CONFIG": str(tmp_path / "none")})


def test_a_call_is_a_span_and_a_refusal_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter, provider = memory.InMemorySpanExporter(), trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", provider.get_tracer)
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path)
        with ft.connect(file) as gate:

            @gate.tool
            def pay(amount: int) -> float:
                return 1 / amount

            with pytest.raises(ft.Refused):
                pay(1)
            started(remote)
            assert gate.wait(5)
            pay(1)
            with pytest.raises(ZeroDivisionError):
                pay(0)
    refused, done, failed = exporter.get_finished_spans()
    told: list[Any] = [
        (dict(span.attributes)["freezetag.outcome"], span.status.status_code.name)
        for span in (refused, done, failed)
    ]
    assert told == [("refused", "UNSET"), ("done", "UNSET"), ("failed", "ERROR")]
    assert [event.name for event in refused.events] == ["freezetag.refused"]
    assert "held" in dict(refused.events[0].attributes)["freezetag.reason"]
    assert {span.name for span in (refused, done, failed)} == {"freezetag.action"}


def test_the_page_needs_at_most_twelve_lines() -> None:
    page = ROOT / "docs" / "how-to" / "stop-running-agents.md"
    (shown,) = [each for each in blocks(page) if "ft.connect" in each.text]
    inside = re.search(r"<<'EOF'\n(.*?)^EOF", shown.text, re.S | re.M)
    assert inside is not None
    lines = [line for line in inside[1].splitlines() if line.strip()]
    assert 5 <= len(lines) <= 12, lines


def test_nothing_is_left_running(tmp_path: Path) -> None:
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path)
        with ft.connect(file):
            assert any(thread.name == "gate writer" for thread in threading.enumerate())
        assert not any(thread.name == "gate writer" for thread in threading.enumerate())


def test_the_gate_by_hand_of_the_reference_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "reference.md"
    (shown,) = [each.text for each in blocks(page) if each.kind == "python"]
    assert "monotonic() + 60" in shown
    with serving(home(tmp_path / "oversight")) as remote:
        enrolled(remote, tmp_path)
        started(remote)
        monkeypatch.chdir(tmp_path)
        exec(compile(shown.replace("+ 60", "+ 1"), "reference", "exec"), {})
    assert "writing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"limits": ["x"]}, "limits is a list of interlocks, such as"),
        ({"limits": "runtime"}, "limits is a list of interlocks, such as"),
        ({"limits": None}, "limits is a list of interlocks, such as"),
        ({"limits": [ft.StopButton]}, "limits is a list of interlocks, such as"),
        ({"limits": [ft.StopButton()] * 40}, "a panel holds at most"),
        ({"meters": "tokens"}, "meters is a list of names, such as"),
        ({"meters": {"tokens": 5}}, "meters is a list of names, such as"),
        ({"meters": 7}, "meters is a list of names, such as"),
        ({"drain": "5s"}, "drain is a number of seconds from 0, got '5s'"),
        ({"patience": -1}, "patience is a number of seconds from 0, got -1"),
    ],
)
def test_an_argument_of_another_kind_is_refused_by_name(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    with serving(home(tmp_path / "oversight")) as remote:
        file = enrolled(remote, tmp_path)
        with pytest.raises(ft.UserError, match=re.escape(said)):
            ft.connect(file, **asked)
        assert not (tmp_path / "writer.state").exists()
