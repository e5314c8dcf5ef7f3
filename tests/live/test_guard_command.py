"""`freezetag guard`: real processes; the child's own record of its effects is the oracle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.live._serving import ADA, BOB, enrolled, home, serving, signed, started, until
from tests.live.guards import ESCAPED, Guarded, wait_for

from freezetag import cli
from freezetag.core import UserError
from freezetag.core.journal import JournalError, read
from freezetag.live.authority.home import Home
from freezetag.live.gate.clock import SteppedClock
from freezetag.live.gate.gate import Gate
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.guard import COMMAND, HOLD, KILL, Guard, Wish, agent_of, panel_of, reset
from freezetag.live.guard.own_authority import OwnAuthority
from freezetag.live.guard.stop_file_and_meter import Watched
from freezetag.live.remote.operator import Remote
from freezetag.live.signed.verify import verify_file


@pytest.fixture(autouse=True)
def none_is_left() -> Iterator[None]:
    yield
    Guarded.end_all()


def entries(guard: Guarded) -> list[dict[str, object]]:
    with (guard.state / "journal.jsonl").open("rb") as file:
        return list(read(file))


def containable() -> bool:
    if (made := Cgroup.create("freezetag-probe")) is not None:
        made.remove()
    return made is not None


def verified(guard: Guarded) -> bool:
    home = Home.open(guard.state)
    report = verify_file(home.ledger, authority=home.settings.name, public=home.public, quorum=1)
    assert report.ok, report.problems
    return report.records > 0


def test_a_command_that_ends_by_itself_keeps_its_exit_code(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, command=("sh", "-c", "echo out; exit 7"))
    code, said = guard.ended()
    assert code == 7, said
    assert "RUNNING" in said
    assert "no remote button" in said
    assert "solo" in said
    kinds = [entry["kind"] for entry in entries(guard)]
    assert kinds == ["open", "begin", "end", "stop", "ack"]
    assert verified(guard)


def test_the_journal_tells_the_tier_and_when_it_was_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = int(time.time() * 1000)
    guard = Guarded(tmp_path, command=("sh", "-c", "exit 0"))
    said = guard.ended()[1]
    told = {entry["kind"]: entry for entry in entries(guard)}
    assert f"tier {told['open']['tier']}; lacks: " in said
    lacks = told["open"]["lacks"]
    assert isinstance(lacks, list)
    assert "; ".join(lacks) in said
    times = [told[kind]["at"] for kind in ("open", "stop", "ack")]
    assert before <= times[0] <= times[1] <= times[2] <= int(time.time() * 1000)  # type: ignore[operator]
    assert cli.run(["replay", str(guard.state)]) == 0
    assert f"tier {told['open']['tier']}, as the gate's host says" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("category", "calls", "end", "words"),
    [
        (KILL, False, 5.055, "it is killed"),
        (COMMAND, False, 12.105, "the stop command runs and all is killed"),
        (HOLD, False, 12.105, "it is frozen, or killed if it cannot be"),
        (HOLD, True, 12.105, "no call is let through, and a call that does not end is killed"),
    ],
)
def test_its_first_lines_say_when_all_is_over_and_not_only_the_last_admission(
    tmp_path: Path, category: int, calls: bool, end: float, words: str
) -> None:
    wish = Wish("a", tmp_path / "state", drain=7.0, category=category, calls=calls, cgroup=False)
    guard = Guard(replace(wish, stop_command=("true",) if category == COMMAND else ()), print)
    (said,) = [line for line in guard.notes() if line.startswith("left alone")]
    guard.close()
    assert "5.005 s after the last one was asked for; then" in said
    assert f"{words}: over after {end:.3f} s at the latest, and the time that a kill takes" in said


def test_touch_stop_kills_all_and_a_restart_respects_it(tmp_path: Path) -> None:
    child = (sys.executable, "-c", ESCAPED, str(tmp_path / "effects"))
    guard = Guarded(tmp_path, command=child)
    wait_for(lambda: len({pid for _, pid in guard.acted()}) == 2, guard)
    touched = time.time()
    guard.stop_file.touch()
    code, said = guard.ended()
    assert code == 124
    assert "STOPPED   interlock:stop_file" in said
    assert guard.is_silent()
    last = max(at for at, _ in guard.acted())
    assert last < guard.at, "an effect after STOPPED was said"
    assert last - touched < 2.5
    assert verified(guard)

    guard.stop_file.unlink()  # clears nothing
    again = Guarded(tmp_path, command=child)
    code, said = again.ended()
    assert code == 124
    assert "not reset" in said
    assert again.is_silent()

    assert cli.run(["guard", "--reset", "--state", str(again.state)]) == 0
    assert again.is_silent(), "a reset is no restart"
    after = Guarded(tmp_path, command=("true",))
    code, said = after.ended()
    assert code == 0, said
    assert verified(after)


def test_the_runtime_limit_counts_and_latches(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, "--runtime", "600ms")
    code, said = guard.ended()
    assert code == 124
    assert "interlock:runtime" in said
    times = [at for at, _ in guard.acted()]
    assert 0.2 < times[-1] - times[0] < 3.0


@pytest.mark.parametrize("what", ["folder", "above"])
def test_a_reading_that_is_missing_or_too_high_stops(tmp_path: Path, what: str) -> None:
    meter, panel = tmp_path / "spent", tmp_path / "panel"
    meter.write_text("1.5")
    panel.mkdir()
    options = ("--meter", str(meter), "--power", "2")
    guard = Guarded(tmp_path, *options, stop_file=panel / "STOP")
    guard.until_it_acts()
    if what == "folder":
        panel.rmdir()
    else:
        meter.write_text("2.1")
    code, said = guard.ended()
    assert code == 124, said
    assert ("interlock:power" if what == "above" else "cause: unknown") in said
    assert guard.is_silent()


def test_what_the_gate_reads(tmp_path: Path) -> None:
    stop, meter = tmp_path / "panel" / "STOP", tmp_path / "spent"
    wish = Wish("a", tmp_path, stop_file=stop, meter=meter, power=2.0, meter_age=5.0)
    panel, meters = panel_of(wish)

    def trips() -> list[str]:
        clock = SteppedClock()
        gate = Gate(panel, clock=clock, enrolments=(), meters=meters)
        gate.tick()
        return [f"{trip.sensor} {trip.kind}" for trip in panel.causes(gate.mode)]

    assert trips() == ["stop_file unknown", "power unknown"]
    stop.parent.mkdir()
    meter.write_text("2")
    assert trips() == []
    for text in ("little", " ", "nan", "inf", "-", "2.1"):
        meter.write_text(text)
        assert len(trips()) == 1, text
    meter.write_text("1")
    os.utime(meter, (0, 0))
    assert trips() == ["power unknown"], "stale"
    meter.unlink()
    meter.mkdir()
    stop.symlink_to("nowhere")
    assert trips() == ["stop_file exceeded", "power unknown"]


def test_a_meter_that_is_being_written_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`echo 5 > meter` empties the file first; a file that stays empty is missing all the same."""
    meter = tmp_path / "spent"
    meter.write_text("")
    read = Watched(meter=meter, power=9.0).meters()["power"]
    monkeypatch.setattr(time, "sleep", lambda _: meter.write_text("5\n"))
    assert read() == 5.0
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    meter.write_text("")
    read = Watched(meter=meter, power=9.0).meters()["power"]  # knows of no number before
    with pytest.raises(ValueError, match="no number"):
        read()
    assert 0 < sum(slept) < 0.01


@pytest.mark.parametrize("what", ["ahead", "minus infinity"])
def test_a_reading_that_cannot_be_is_missing(tmp_path: Path, what: str) -> None:
    meter = tmp_path / "spent"
    meter.write_text("1" if what == "ahead" else "-inf")
    if what == "ahead":
        os.utime(meter, (time.time() + 3600,) * 2)
    with pytest.raises(ValueError, match=what):
        Watched(meter=meter, power=9.0).meters()["power"]()


def test_the_command_does_not_get_the_tokens_of_whoever_started_the_guard(tmp_path: Path) -> None:
    os.environ["FREEZETAG_TOKEN"] = "secret"
    try:
        guard = Guarded(tmp_path, command=("sh", "-c", "echo got:$FREEZETAG_TOKEN"))
    finally:
        del os.environ["FREEZETAG_TOKEN"]
    output, _ = guard.process.communicate(timeout=20)
    assert output == b"got:\n"


HOMELESS = """
import pwd, sys
def nobody(*_):
    raise KeyError("getpwuid(): uid not found")
pwd.getpwuid = nobody
from freezetag.cli import main
main(sys.argv[1:])
"""


def test_a_host_that_is_not_a_home(tmp_path: Path) -> None:
    """No passwd entry, no HOME, no locale, an odd folder: an answer and no traceback."""
    folder = tmp_path / "ö dd\n"
    folder.mkdir()
    bare = {name: os.environ.get(name, "") for name in ("PATH", "PYTHONPATH")} | {"LC_ALL": "C"}
    base = [sys.executable, "-c", HOMELESS, "guard"]
    for options, code, told in [
        (["--state", str(folder / "state")], 0, b"RUNNING"),
        ([], 2, b"--state FOLDER"),
    ]:
        command = [*base, *options, "--", "true"]
        done = subprocess.run(command, capture_output=True, check=False, env=bare, cwd=folder)
        assert (done.returncode, told in done.stderr) == (code, True), done.stderr
        assert b"Traceback" not in done.stderr
    ledger = (folder / "state" / "ledger.db").read_bytes()
    assert f"uid {os.getuid()}".encode() in ledger


def test_its_own_signal_ends_the_command_and_is_no_press(tmp_path: Path) -> None:
    number = signal.SIGTERM
    guard = Guarded(tmp_path)
    guard.until_it_acts()
    guard.process.send_signal(number)
    code, said = guard.ended()
    assert code == 128 + number, said
    assert guard.is_silent()
    assert Guarded(tmp_path, command=("true",)).ended()[0] == 0


def test_kill_9_of_the_guard_kills_the_command_and_is_reported(tmp_path: Path) -> None:
    child = (sys.executable, "-c", ESCAPED, str(tmp_path / "effects"))
    guard = Guarded(tmp_path, "--lease", "300ms", command=child)
    wait_for(lambda: len({pid for _, pid in guard.acted()}) == 2, guard)
    time.sleep(0.7)  # seen by the second process
    guard.process.kill()
    guard.ended()
    time.sleep(0.1)
    wait_for(guard.is_silent, limit=5)
    after = Guarded(tmp_path, "--lease", "300ms", command=("true",))
    code, said = after.ended()
    assert code == 0, said
    assert "what it had in flight is not known" in said
    ledger = (after.state / "ledger.db").read_bytes()
    assert b'"cause":"crashed"' in ledger, "it came back as if nothing had been in flight"


WAITS = """
import sys, time
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.second_killer import LastResort
group = Cgroup.create(sys.argv[1])
if group is not None:
    second = LastResort(group)
    print(group.path, flush=True)
    time.sleep(60)
"""


def test_a_guard_killed_before_the_command_runs_leaves_no_control_group(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", WAITS, f"freezetag-{tmp_path.name}"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as guard:
        assert guard.stdout is not None
        made = guard.stdout.readline().strip()
        if not made:
            pytest.skip("no control group can be made here")
        assert Path(made).exists()
        guard.kill()
    wait_for(lambda: not Path(made).exists())


def test_a_stop_command_runs_while_the_command_is_frozen_and_only_for_the_drain(
    tmp_path: Path,
) -> None:
    policy = tmp_path / "policy.sh"
    policy.write_text("sleep 0.2; wc -l < effects > before; sleep 0.3; wc -l < effects > after\n")
    guard = Guarded(tmp_path, "--on-stop", "command", "--stop-command", f"sh {policy}")
    guard.until_it_acts()
    guard.stop_file.touch()
    code, said = guard.ended()
    assert code == 124, said
    assert (tmp_path / "before").read_text() == (tmp_path / "after").read_text()
    (ack,) = [entry for entry in entries(guard) if entry["kind"] == "ack"]
    assert (ack["policy"], ack["category"]) == (["stop command ended with 0"], 1)


def test_a_stop_command_that_hangs_is_cut_off(tmp_path: Path) -> None:
    options = ("--on-stop", "command", "--stop-command", "sleep 60", "--drain", "300ms")
    guard = Guarded(tmp_path, *options)
    guard.until_it_acts()
    guard.stop_file.touch()
    started = time.monotonic()
    assert guard.ended()[0] == 124
    assert time.monotonic() - started < 20
    assert guard.is_silent()


def test_hold_freezes_and_says_so(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, "--on-stop", "hold")
    guard.until_it_acts()
    guard.stop_file.touch()
    wait_for(lambda: any(entry["kind"] == "ack" for entry in entries(guard)), guard)
    assert guard.is_silent()
    assert guard.process.poll() is None
    assert Path(f"/proc/{guard.acted()[-1][1]}").exists(), "held is not killed"
    guard.process.terminate()
    code, said = guard.ended()
    assert (code, "held: 1 process" in said) == (143, True), said
    assert not Path(f"/proc/{guard.acted()[-1][1]}").exists()


def test_an_edited_journal_or_ledger_starts_nothing(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, command=("true",))
    assert guard.ended()[0] == 0
    journal = guard.state / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b'"outcome":"done"', b'"outcome":"dome"'))
    with pytest.raises(JournalError), journal.open("rb") as file:
        list(read(file))
    code, said = Guarded(tmp_path).ended()
    assert code == 2, said
    assert "does not follow" in said
    assert not guard.acted()
    journal.write_bytes(whole + b'{"torn')
    assert Guarded(tmp_path, command=("true",)).ended()[0] == 0
    ledger = guard.state / "ledger.db"
    ledger.write_bytes(ledger.read_bytes().replace(b'"epoch":1', b'"epoch":9'))
    code, said = Guarded(tmp_path).ended()
    assert code == 2, said
    assert not guard.acted()


def test_a_latch_that_cannot_be_read_holds(tmp_path: Path) -> None:
    guard = Guarded(tmp_path, command=("true",))
    assert guard.ended()[0] == 0
    (guard.state / "latch.json").write_text("{")
    code, said = Guarded(tmp_path, "--wait", "200ms").ended()
    assert code == 124, said
    assert "latch unreadable" in said
    assert not guard.acted()


def test_a_folder_is_for_one_guard_and_one_agent(tmp_path: Path) -> None:
    own = OwnAuthority(tmp_path / "state", "a")
    with pytest.raises(UserError, match=f"a guard runs on .*state, pid {os.getpid()}"):
        OwnAuthority(tmp_path / "state", "a")
    with pytest.raises(UserError, match=f"a guard runs on .*state, pid {os.getpid()}"):
        reset(tmp_path / "state", "a")
    own.close()
    assert (tmp_path / "state" / "lock").read_text() == ""
    own.latch.save({"gate": "a", "dirty": None, "links": {}, "v": 1})
    with pytest.raises(UserError, match="agent 'a', not of 'b'"):
        agent_of(tmp_path / "state", "b", ["c"])
    assert agent_of(tmp_path / "state", "", ["c"]) == "a"
    assert agent_of(tmp_path / "new", "", ["/bin/python3", "-u", "bot.py"]) == "bot.py"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["guard", "--runtime", "soon", "--", "true"], "--runtime 'soon' is not a duration"),
        (["guard", "--runtime", "0", "--", "true"], "longer than nothing"),
        (["guard", "--meter", "x", "--", "true"], "go together"),
        (["guard", "--on-stop", "command", "--", "true"], "--stop-command"),
        (["guard"], "no command"),
        (
            ["guard", "--bogus", "--", "true"],
            "unknown option: --bogus. The command comes after two",
        ),
        (["guard", "--runtiem", "5", "--", "true"], "--runtiem. Did you mean --runtime?"),
        (["guard", "--", "no-such-command-7"], "cannot be started"),
        (["guard", "--user", "nobody-of-that-name", "--", "true"], "no user"),
        (["guard", "--reset"], "nothing to reset"),
        (
            ["guard", "--enrolment", "nowhere", "--", "true"],
            "the enrolment nowhere: No such",
        ),
        (["guard", "--stop-command", "true", "--", "true"], "--on-stop command"),
        (["guard", "--on-stop", "command", "--stop-command", "'x", "--", "true"], "not a command"),
        (
            ["guard", "--on-stop", "command", "--stop-command", "no-7", "--", "true"],
            "no-7' cannot",
        ),
        (
            ["guard", "--mcp", "--upstream", "http://x", "--listen", "x", "--", "true"],
            "--listen 'x' is not an address",
        ),
    ],
)
def test_bad_requests(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    arguments = [arguments[0], "--state", str(tmp_path / "state"), *arguments[1:]]
    assert cli.run(arguments) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Errno" not in said
    assert said.startswith("freezetag: "), "a status line came first"
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_a_sentence(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.run(["guard", "--state", str(tmp_path / where), "--", "true"]) == 3
    assert "cannot make the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--meter", "m", "--power", "5"], "--meter m: there is no file"),
        (["--stop-file", "nowhere/STOP"], "--stop-file nowhere/STOP: its folder is not there"),
        (["--meter", "words", "--power", "5"], "--meter words: it holds 'much', and no number"),
        (["--meter", "old", "--power", "5"], "--meter old: nobody has written it for 10 s"),
        (["--meter", ".", "--power", "5"], "--meter .: Is a directory"),
        (["--meter", "pipe", "--power", "5"], "--meter pipe: it is a pipe or a device"),
    ],
)
def test_a_reading_that_is_missing_before_the_start_is_named_at_once(
    options: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words").write_text("much")
    (tmp_path / "old").write_text("1")
    os.utime(tmp_path / "old", (0, 0))
    os.mkfifo(tmp_path / "pipe")
    assert cli.run(["guard", "--state", "state", "--wait", "1h", *options, "--", "true"]) == 124
    assert told in capsys.readouterr().err
    assert not (tmp_path / "state").exists()


def test_a_reset_says_which_cause_is_still_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = tmp_path / "spent"
    meter.write_text("3")
    stop = tmp_path / "STOP"
    stop.touch()
    code, said = Guarded(tmp_path, "--meter", str(meter), "--power", "2").ended()
    assert code == 124, said
    again = ["guard", "--reset", "--state", str(tmp_path / "state")]
    assert cli.run(again) == 0
    said = capsys.readouterr().out
    assert f"but {stop} still lies there: remove it first, or the next start stops again" in said
    assert f"but {meter} still shows 3, and at most 2 is allowed" in said
    stop.unlink()
    meter.write_text("1")
    assert cli.run(again) == 0
    assert "but" not in capsys.readouterr().out


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    with serving(home(tmp_path / "home", length=3.0)) as made:
        yield made


def test_a_server_presses_and_the_guard_acknowledges(remote: Remote, tmp_path: Path) -> None:
    file = enrolled(remote, tmp_path)
    guard = Guarded(tmp_path, "--enrolment", str(file), "--wait", "15s")
    until(lambda: any(row["heard"] is not None for row in agent(remote)["incarnations"]))
    assert not guard.acted(), "it runs before anybody has started it"
    started(remote)
    guard.until_it_acts()
    pressed = time.time()
    assert remote.press("agent:writer", "enough")[0].state == "durable"
    code, said = guard.ended()
    assert code == 124, said
    assert "enough" in said
    assert max(at for at, _ in guard.acted()) - pressed < 2.5
    until(lambda: agent(remote)["shown"] == "stopped_acknowledged")
    again = Guarded(tmp_path, "--enrolment", str(file), "--wait", "300ms")
    code, said = again.ended()
    assert code == 124, said
    assert "HELD by" in said
    assert again.is_silent()


def test_a_hold_by_a_server_is_thawed_by_two_people_and_a_start(
    remote: Remote, tmp_path: Path
) -> None:
    file = enrolled(remote, tmp_path)
    started(remote)
    guard = Guarded(tmp_path, "--enrolment", str(file), "--on-stop", "hold")
    guard.until_it_acts()
    remote.press("fleet", "look first", category=2)
    until(lambda: agent(remote)["shown"] == "stopped_acknowledged")
    acks = until(lambda: recorded(remote, "ack"))
    assert all((ack["category"], ack["unknown"]) == (2, []) for ack in acks), acks
    assert guard.is_silent()
    text = remote.get("/api/draft")["text"]
    remote.post("/api/clear", signed(text, ADA, BOB))
    assert guard.is_silent(), "a reset is no start"
    until(lambda: started(remote) is None)
    before = len(guard.acted())
    wait_for(lambda: len(guard.acted()) > before, guard)
    remote.press("fleet", "", category=0)
    code, said = guard.ended()
    assert (code, "STOPPED   the folder's own token; no process of it is left" in said) == (
        124,
        True,
    )


def recorded(remote: Remote, kind: str) -> list[dict[str, Any]]:
    timeline = remote.get("/api/status")["timeline"]
    return [entry["body"] for entry in timeline if entry["kind"] == kind]


def agent(remote: Remote) -> dict[str, Any]:
    (only,) = remote.get("/api/status")["agents"]
    return dict(only)


def test_another_user_in_a_control_group_is_tier_2(tmp_path: Path) -> None:
    if not containable() or os.geteuid() != 0:
        pytest.skip("this user may not make control groups")
    guard = Guarded(
        tmp_path, "--user", "nobody", command=("sh", "-c", "id -un; echo $USER; sleep 30")
    )
    wait_for(lambda: (guard.state / "journal.jsonl").exists(), guard)
    wait_for(lambda: any(entry["kind"] == "begin" for entry in entries(guard)), guard)
    time.sleep(0.2)
    guard.stop_file.touch()
    output, said = guard.process.communicate(timeout=10)
    assert output == b"nobody\nnobody\n", said
    assert b"tier 2" in said
