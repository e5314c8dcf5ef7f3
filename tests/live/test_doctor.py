"""What `freezetag doctor` says of this host, and of hosts that lack something."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import Run

from freezetag.live.gate.clock import boot_clock
from freezetag.live.guard import doctor
from freezetag.live.guard.cgroup import Cgroup
from freezetag.live.guard.doctor import Diagnosis, Patient

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user's guard")


def named(found: Diagnosis, name: str) -> Any:
    everything = (*found.host, *found.assumptions, *found.tiers)
    (finding,) = [each for each in everything if each.name == name]
    return finding


def test_this_host(run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    told = json.loads(out)
    assert code == (1 if told["broken"] else 0)
    assert [each["name"] for each in told["assumptions"]] == [f"A{n}" for n in range(1, 7)]
    assert [each["name"] for each in told["tiers"]] == [f"tier {n}" for n in range(4)]
    about = {"kernel", "clock", "user", "cgroup", "pidfd", "/proc", "/dev/shm", "disk"}
    assert {each["name"] for each in told["host"]} == about
    everything = [*told["host"], *told["assumptions"], *told["tiers"]]
    assert all(each["why"] for each in everything)
    # Without a user for the agent nothing above tier 0 is surely reached.
    assert told["tier"] == 0
    code, out, _ = run("doctor", "--tier", "2")
    assert code == 1
    assert "tier 2 is not reached here" in out.splitlines()[-1]
    assert "A2        holds" in out or not boot_clock().counts_suspend


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tier", "4"), "--tier is a number from 0 to 3"),
        (("--user", "nobody-here"), "no user 'nobody-here'"),
        (("--home", "nowhere"), "no folder nowhere"),
        (("--enrolment", "none"), "names no addresses"),
    ],
)
def test_wrong_requests(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = run("doctor", *arguments)
    assert (code, said in err) == (2, True), err


def test_a_clock_that_runs_wrong_breaks_a1(tmp_path: Path) -> None:
    class Fast:
        name, counts_suspend = "fast", False

        def __call__(self) -> float:
            return time.clock_gettime(time.CLOCK_MONOTONIC_RAW) * 1.01

    found = Patient(tmp_path, clock=Fast()).diagnosis()
    assert named(found, "A1").holds is False
    assert "+1.0e-02" in named(found, "A1").why
    assert named(found, "A2").holds is False
    assert {each.name for each in found.broken(0)} >= {"A1", "A2"}
    honest = named(Patient(tmp_path).diagnosis(), "A1")
    assert honest.holds is None  # never rounded up


def test_memory_is_no_disk() -> None:
    found = Patient(Path("/dev/shm")).diagnosis()
    assert named(found, "A5").holds is False
    assert "tmpfs" in named(found, "A5").why


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    found = Patient(tmp_path / "gone").diagnosis()
    assert named(found, "disk").holds is False
    assert named(found, "A6").holds is False


@ROOT_ONLY
def test_tier_2_takes_a_user_and_a_control_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_user = Patient(tmp_path, "nobody").diagnosis()
    assert named(with_user, "user").holds is True
    assert named(with_user, "tier 2").holds == bool(named(with_user, "cgroup").holds)
    monkeypatch.setattr(Cgroup, "create", lambda name: None)
    without = Patient(tmp_path, "nobody").diagnosis()
    assert named(without, "tier 2").holds is False
    assert "control group" in named(without, "cgroup").what
    assert without.tier == 0
    assert named(Patient(tmp_path, "root").diagnosis(), "user").holds is False


@ROOT_ONLY
def test_code_that_the_agent_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "freezetag"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.setattr(doctor, "CODE", package)
    assert named(Patient(tmp_path, "nobody").diagnosis(), "A4").holds is True
    (package / "__init__.py").chmod(stat.S_IRUSR | stat.S_IWOTH)
    assert named(Patient(tmp_path, "nobody").diagnosis(), "A4").holds is False


@ROOT_ONLY
def test_a_secret_that_the_agent_reads_and_a_route_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "writer.enrolment"
    file.write_text(json.dumps({"authority": "lab", "addresses": ["http://127.0.0.1:9"]}))
    file.chmod(0o644)
    found = Patient(tmp_path, "nobody", [file]).diagnosis()
    assert named(found, "tier 1").holds is False
    assert named(found, "route").holds is False
    file.chmod(0o600)
    assert named(Patient(tmp_path, "nobody", [file]).diagnosis(), "tier 1").holds is None


def test_an_ordinary_user_reaches_tier_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "geteuid", lambda: 1000)
    found = Patient(tmp_path).diagnosis()
    assert (found.tier, named(found, "tier 1").holds) == (0, False)
    assert "as root" in named(found, "tier 1").todo
