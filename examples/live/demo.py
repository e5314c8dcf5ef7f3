"""One press stops three agents that really run; two people let them run again.

python examples/live/demo.py [--hold]          (make live installs what it needs)

A server with its console, and three agents: a PettingZoo environment played by a policy behind a
gated wrapper, an MCP server of the official SDK under `freezetag guard --mcp` with a real client
that calls its tool, and an operating-system process under `freezetag guard`. What stopped when is
read from the effects, which each agent writes down with its own clock. `--hold` keeps it running at
the end, so that you can press the button in the console. Exit code 1 if a claim fails.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from freezetag.cli import run as freezetag
from freezetag.live.gate.replay import replay
from freezetag.live.remote.operator import local

AGENTS = Path(__file__).with_name("agents.py")
NAMES = ("robot", "assistant", "worker")
LEASE = 1.0
BOUND = LEASE / 0.999
"""Seconds from a press to the last action, were every message lost: the claim of docs/sources.md
L1."""
PATIENCE, INTERRUPTED = 40.0, 130


class Demonstration:
    """A folder, its processes, and how many claims failed."""

    def __init__(self, folder):
        self.folder, self.home = folder, folder / "oversight"
        self.running, self.failed, self.begun = [], 0, time.monotonic()
        self.log = folder / "log"

    # Telling.

    def say(self, text):
        print(f"{time.monotonic() - self.begun:5.1f} s  {text}", flush=True)

    def claim(self, holds, text):
        self.failed += not holds
        self.say(f"{'ok    ' if holds else 'FAILED'}  {text}")

    def command(self, *arguments, code=0, claim=""):
        """A freezetag command as typed, run in this process, which has to end with `code`."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended = freezetag([str(each) for each in arguments])
        if ended == INTERRUPTED:
            raise KeyboardInterrupt
        typed, said = (
            text.replace(f"{self.folder}/", "")
            for text in (" ".join(map(str, arguments)), out.getvalue() or err.getvalue())
        )
        self.say(f"$ freezetag {typed}")
        for line in said.strip().splitlines():
            print(f"           {line}")
        if claim or ended != code:
            self.claim(ended == code, claim or f"it ended with {ended}, not {code}")

    # Running.

    def launch(self, *command):
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.running.append(process)

    def file(self, name):
        return self.folder / f"{name}.effects"

    def start_robot(self):
        """Its gate is in its own process, and outlives a stop: the policy just rests."""
        enrolment, state = self.folder / "robot.enrolment", self.folder / "state-robot"
        self.launch(AGENTS, "robot", self.file("robot"), enrolment, state)

    def start_guarded(self):
        """The two agents whose processes a stop kills. They wait until they may run."""
        enrolment, state = self.folder / "assistant.enrolment", self.folder / "state-assistant"
        self.launch(AGENTS, "client", self.file("assistant"), enrolment, state)
        guard = ["-m", "freezetag", "guard", "--agent", "worker", "--wait", "60s"]
        guard += ["--drain", "500ms", "--state", self.folder / "state-worker"]
        guard += ["--enrolment", self.folder / "worker.enrolment", "--"]
        self.launch(*guard, sys.executable, AGENTS, "worker", self.file("worker"))

    def acted(self, name):
        """(time, pid) of every effect of an agent."""
        if not self.file(name).exists():
            return []
        lines = self.file(name).read_text().splitlines()
        return [(float(at), int(pid)) for at, pid in (line.split() for line in lines)]

    def all_act(self, since):
        """Whether every agent had effects after `since`, waiting for it."""
        return until(
            lambda: all(sum(at > since for at, _ in self.acted(name)) > 3 for name in NAMES)
        )

    def all_ask(self):
        """Whether the gate of every agent asks for leases now."""
        picture = local(self.home).get("/api/status")
        heard = [
            [incarnation["heard"] for incarnation in each["incarnations"]]
            for each in picture["agents"]
        ]
        return all(
            any(ago is not None and ago < LEASE / 2 for ago in incarnations)
            for incarnations in heard
        )

    def shown(self):
        """What the authority shows of each agent."""
        picture = local(self.home).get("/api/status")
        return {each["agent"]: each["shown"] for each in picture["agents"]}

    def close(self):
        """Ends every process that was started, the agents first."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self.running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def until(condition, seconds=PATIENCE):
    """Whether the condition became true in time."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return bool(found)


def set_up(demo):
    """The people, the server, and three agents enrolled; each is held until it is started."""
    for person in ("ada", "bob"):
        demo.command("enrol", "--person", person, "--out", demo.folder / f"{person}.key")
    people = [f"--person={demo.folder / name}.pub" for name in ("ada", "bob")]
    ports = ["--port", 0, "--press-port", 0, "--gate-port", 0]
    demo.launch("-m", "freezetag", "serve", demo.home, *people, *ports, "--length", LEASE)
    demo.claim(until((demo.home / "listening.json").exists), "the server listens")
    told = json.loads((demo.home / "listening.json").read_text())
    (console,) = [each for each in told["main"] if each.startswith("http")]
    demo.say(f"console: {console}   (sign in with what {demo.home / 'tokens' / 'status'} holds)")
    for name in NAMES:
        out = demo.folder / f"{name}.enrolment"
        demo.command("enrol", name, "--out", out, "--home", demo.home)
    demo.start_robot()
    demo.start_guarded()


def press(demo, *home):
    """One press, and when the last effect of each agent was."""
    pressed = time.time()
    demo.command("press", "fleet", "--reason", "demonstration", *home)
    stopped = until(lambda: set(demo.shown().values()) <= {"stopped_acknowledged", "held"})
    acknowledged = time.time()
    time.sleep(LEASE)
    for name in NAMES:
        last = max(at for at, _ in demo.acted(name))
        demo.claim(
            last - pressed <= BOUND and last <= acknowledged,
            f"{name}: last effect {1000 * (last - pressed):.0f} ms after the press, none since "
            f"(bound {1000 * BOUND:.0f} ms)",
        )
    refused = "refused: -32050" in demo.log.read_text()
    demo.claim(refused, "the MCP client was refused with error -32050")
    demo.command("status", *home)
    demo.claim(stopped, "the authority shows all three as stopped and acknowledged")
    return pressed


def demonstrate(demo):
    home = ("--home", demo.home)
    set_up(demo)
    demo.command("start", *NAMES, "--who", "ada", *home)
    demo.claim(demo.all_act(0.0), "a PettingZoo policy, an MCP tool and a process have effects")

    pressed = press(demo, *home)
    demo.command("verify", demo.home, claim="the ledger verifies")
    for name in NAMES:
        journal = demo.folder / f"state-{name}" / "journal.jsonl"
        demo.command("verify", "--journal", journal, claim=f"the journal of {name} verifies")
        again = replay(journal.read_bytes().splitlines())
        demo.claim(again.same, f"{again.decisions} decisions of its gate replay to the same")
    demo.command("start", "robot", *home, code=2, claim="no start while the press stands")

    demo.start_guarded()  # somebody starts the processes again, which lets nothing run
    demo.command("reset", "--key", demo.folder / "ada.key", "--yes", *home)
    demo.command("start", "robot", *home, code=2, claim="nor after one signature")
    demo.command("reset", "--key", demo.folder / "bob.key", "--yes", *home)
    demo.claim(until(lambda: set(demo.shown().values()) == {"held"}), "two people: all are HELD")
    demo.claim(until(demo.all_ask), "the gates of all three ask for leases")
    demo.command("status", *home)
    time.sleep(LEASE)
    late = [name for name in NAMES if demo.acted(name)[-1][0] > pressed + BOUND]
    demo.claim(not late, f"the reset let nobody run {late or ''}".strip())

    started = time.time()
    demo.command("start", "fleet", "--who", "ada", *home)
    demo.claim(demo.all_act(started), "after the explicit start all three have effects again")
    demo.command("verify", demo.home, claim="the ledger verifies")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hold", action="store_true", help="keep everything running at the end")
    hold = parser.parse_args().hold
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    demo = Demonstration(Path(tempfile.mkdtemp(prefix="freezetag-live-")))
    interrupted = held = False
    try:
        demonstrate(demo)
        if hold:
            demo.say(f"it runs on. Press in the console, or: freezetag press --home {demo.home}")
            demo.say(f"examine it: freezetag examine log:{demo.home}/ledger.db")
            demo.say("Ctrl-C ends it.")
            held = True
            signal.pause()
    except KeyboardInterrupt:
        interrupted = not held
    finally:
        pids = {pid for name in NAMES for _, pid in demo.acted(name)}
        guards = {*map(parent, pids)} - {0, os.getpid()}
        demo.close()
    gone = until(lambda: not any(map(is_alive, pids)), 5)
    demo.claim(gone, "every process that had an effect is gone")
    until(lambda: not any(map(is_alive, guards)), 5)  # they write down that they have ended
    if demo.failed:
        print(demo.log.read_text()[-4000:], file=sys.stderr)
    shutil.rmtree(demo.folder, ignore_errors=True)
    if interrupted:
        demo.say("interrupted")
        return INTERRUPTED
    demo.say(f"{demo.failed} claims failed" if demo.failed else "all claims hold")
    return int(demo.failed > 0)


def parent(pid):
    """The process that started it; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
