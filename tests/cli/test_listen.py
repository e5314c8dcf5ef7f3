"""Listening to a stream: what alarms, what does not, and what a broken stream comes to."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from freezetag import cli
from freezetag.cli.commands import listen as command
from freezetag.estimators.listener import Listener


def heard(lines: list[Any], tmp_path: Path, *options: str, end: str = "") -> int:
    """The exit code for these objects, a line each, and some text behind them."""
    file = tmp_path / "said.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + end)
    return cli.run(["listen", str(file), *options])


def talk(n: int, leak: float = 0.0, change: int = 10**9, seed: int = 0) -> list[dict[str, Any]]:
    """Eight words; with chance `leak` the word says the bit; from `change` on other words."""
    draw = random.Random(seed)
    lines = []
    for i in range(n):
        bit, word = draw.randrange(2), draw.randrange(8)
        word = word - word % 2 + bit if draw.random() < leak else word
        lines.append({"speaker": "a", "message": f"w{word + 8 * (i >= change)}", "bit": bit})
    return lines


def test_quiet_talk_is_quiet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert heard(talk(300), tmp_path) == 0
    out = capsys.readouterr().out
    assert "300 messages" in out
    assert "quiet" in out
    assert "ALARM" not in out


def test_a_leak_is_told_apart_from_a_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert heard(talk(400, leak=0.8), tmp_path, "--json") == 1
    *alarms, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [alarm["alarm"] for alarm in alarms] == ["secret"]
    assert last["speakers"]["a"]["alarms"] == {"secret": alarms[0]["after"]}
    assert heard(talk(400, change=300), tmp_path, "--json") == 1
    *alarms, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [alarm["alarm"] for alarm in alarms] == ["changed"]
    assert 300 < alarms[0]["line"] < 360


def test_a_public_context_that_is_given_is_no_change(tmp_path: Path) -> None:
    draw = random.Random(1)
    lines = [
        {"message": f"about {topic} {draw.randrange(3)}", "context": topic}
        for topic in ("rain", "sun")
        for _ in range(200)
    ]
    assert heard(lines, tmp_path) == 0
    for line in lines:
        del line["context"]
    assert heard(lines, tmp_path) == 1


def test_an_empty_channel_is_a_request_that_was_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lines, end in (([], ""), ([], "\n\n"), ([], '{"mess')):
        assert heard(lines, tmp_path, end=end) == 2
        assert "nothing was said" in capsys.readouterr().err
    assert cli.run(["listen", str(tmp_path / "none.jsonl")]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_a_constant_channel_is_quiet_and_said_to_be_constant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = random.Random(3)
    lines = [{"message": "ok", "bit": draw.randrange(2)} for _ in range(500)]
    assert heard(lines, tmp_path) == 0
    assert "all alike" in capsys.readouterr().out


def test_a_stream_that_ends_in_the_middle_of_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no message and no alarm; a whole object without its newline is a message."""
    assert heard(talk(20), tmp_path, end='{"message": "w') == 0
    assert "20 messages, 1 last line without its end" in capsys.readouterr().out
    assert heard(talk(20), tmp_path, end='{"message": "w1"}') == 0
    assert "21 messages" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("not json", "not JSON"),
        ("[1, 2]", "not an object"),
        ('{"text": "hello"}', "not an object with"),
        ('{"message": "x", "bit": 2}', "0 or 1"),
        ('{"message": "x", "bit": 0.5}', "0 or 1"),
        ('{"message": "x", "time": "now"}', "seconds"),
        ('{"message": "x", "time": NaN}', "seconds"),
        ("[" * 100_000, "not JSON|too deeply"),
        ('{"message": "' + "x" * (1 << 20) + '"}', "longer than"),
    ],
    ids=["text", "list", "none", "bit", "half", "time", "nan", "deep", "long"],
)
def test_what_cannot_be_read_is_an_alarm(
    line: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert heard(talk(5), tmp_path, end=line + "\n" + json.dumps(talk(1)[0]) + "\n") == 1
    out = capsys.readouterr().out
    assert "ALARM unreadable, line 6" in out
    assert any(word in out for word in why.split("|"))
    assert "6 messages" in out


def test_control_characters_and_long_messages_are_cut_counted_and_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = talk(300, leak=1.0)
    for line in lines:
        line["message"] += "\x1b[2J\u202e" + "y" * 5000
    assert heard(lines, tmp_path) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[2J" in out
    assert "300 messages with control characters" in out
    assert "300 messages longer than an alarm shows" in out
    assert "characters)" in out
    assert max(map(len, out.splitlines())) < 400


def test_speakers_beyond_a_number_are_listened_to_as_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SPEAKERS", 3)
    lines = [{"speaker": f"s{i}", "message": "x"} for i in range(10)]
    assert heard(lines, tmp_path) == 0
    out = capsys.readouterr().out
    assert "7 messages of further speakers" in out
    assert "(further speakers): 7 messages" in out


@pytest.mark.parametrize("odds", ["1", "0", "nan", "inf"])
def test_odds_that_mean_nothing(odds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["listen", "--odds", odds]) == 2
    assert "--odds" in capsys.readouterr().err


def test_an_alarm_comes_while_the_stream_goes_on() -> None:
    """Over a pipe that stays open: the alarm is there before the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "freezetag", "listen"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for line in talk(300, leak=1.0):
        process.stdin.write(json.dumps(line) + "\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith("ALARM secret")
    process.stdin.close()
    assert process.wait(60) == 1
    process.stdout.close()


def alarms(runs: int, messages: int, odds: float) -> int:
    """Quiet runs, of planted bits, changing lengths and pauses, in which anything alarmed."""
    found = 0
    for seed in range(runs):
        draw, one = random.Random(seed), Listener(odds, seed)
        for i in range(messages):
            text = "w" * draw.randrange(1, 9)
            one.hear(text, bit=draw.randrange(2), time=i + draw.random())
        found += bool(one.alarms)
    return found


def test_quiet_streams_alarm_at_most_at_the_stated_rate() -> None:
    """Of two alarms at odds of 10 at most a fifth of the quiet streams raise one."""
    assert alarms(60, 100, 10.0) <= 60 * 0.2


@pytest.mark.long
def test_a_thousand_quiet_streams() -> None:
    """Two alarms at 1000: at most 2 in a thousand are expected; 7 or more have chance .005."""
    assert alarms(1000, 400, 1000.0) <= 6
    # At odds of 20 the rate can be seen: at most a tenth, within four standard errors.
    found = alarms(1000, 400, 20.0)
    assert found <= 100 + 4 * math.sqrt(90)
