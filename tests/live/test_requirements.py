"""The requirements of the oversight layer, and the tests that show each: R1 to R18.

A test that is renamed or lost is missed here. That a requirement has tests does not say that they
suffice; what is known to be missing stands beside it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from ast import literal_eval
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SHOWN_BY = {
    "R1 priority": ["test_a_stop_proceeds_in_order_and_is_acknowledged_only_when_nothing_runs"],
    "R2 latch": [
        "test_a_press_survives_the_gate",
        "test_a_press_survives_a_crash_before_the_drain_ends",
        "test_a_press_that_was_answered_survives_kill_9",
    ],
    "R3 reset is not restart": ["test_reset_is_not_restart", "test_starts_that_are_refused"],
    "R4 two persons": ["test_signatures", "test_two_people_may_sign_one_after_the_other"],
    "R5 one-gesture press": [
        "test_a_get_never_presses",
        "test_a_repeat_is_counted_and_harmless",
        "test_a_crowd_does_not_keep_a_press_out",
        "test_a_press_after_a_reset_stops_under_whatever_id",
        "test_a_stop_file_that_cannot_be_read_presses_and_is_watched_on",
    ],
    "R6 de-energise": [
        "test_nothing_is_admitted_before_a_lease_or_after_it",
        "test_whatever_arrives_a_gate_never_raises_and_never_opens",
        "test_a_grant_of_an_epoch_that_a_press_ended_is_stale",
        "test_a_clock_that_runs_backwards_closes",
    ],
    "R7 bound": [
        "test_no_admission_after_the_bound_on_a_slow_clock",
        "test_dice_find_nothing_either",
        "test_the_quick_models",
        "test_the_stop_holds_in_every_class_of_faults",
    ],
    "R8 honest state": [
        "test_stopped_needs_an_ack_or_a_surely_expired_lease",
        "test_a_silent_agent_is_unknown_and_not_absent",
    ],
    "R9 safe state": [
        "test_category_1_runs_the_policy_first_and_at_most_for_the_drain",
        "test_enrolments_that_are_refused",
    ],
    "R10 scopes": [
        "test_a_wide_stop_is_not_narrowed_by_a_narrow_reset",
        "test_everybody_reads_a_scope_alike",
    ],
    "R11 watchdogs": ["test_a_meter_that_hangs_under_the_gate_s_lock"],
    "R12 limits": [
        "test_runtime_is_counted_by_both_sides",
        "test_a_group_shares_one_budget",
        "test_a_limit_at_the_gate_becomes_a_press_that_people_clear",
    ],
    "R13 presence": [
        "test_limits_are_a_condition_of_the_lease",
        "test_a_person_is_here_by_a_token_for_that_alone",
        "test_what_nobody_of_the_roster_signed_is_nobody",
        "test_the_same_signature_again_is_nobody",
    ],
    "R14 proof test": [  # starts are refused, not renewals: that would be the strict form
        "test_a_drill_is_measured_and_clears_with_one_signature",
        "test_an_overdue_drill_refuses_starts_but_of_canaries",
        "test_renewals_go_on_while_a_drill_is_overdue",
        "test_no_drill_is_younger_than_it_is",
        "test_rotation_takes_whoever_was_drilled_longest_ago",
        "test_the_whole_way_of_an_overdue_drill",
        "test_an_acknowledgement_of_something_else_proves_nothing",
    ],
    "R15 independence": [
        "test_without_a_websocket_frames_are_posted",
        "test_a_gate_s_host_needs_the_standard_library_and_cryptography_alone",
    ],
    "R16 mediation": [  # import, socket and uid are not shown: they are the host's to close
        "test_a_way_round_the_http_guard_is_closed",
        "test_the_result_is_printed_by_tier",
        "test_a_question_in_a_strange_coat_passes_no_closed_gate",
        "test_a_forked_copy_is_closed",
        "test_everything_else_is_refused_and_never_reaches_the_server",
    ],
    "R17 ledger": [
        "test_every_size_is_covered_by_a_signed_checkpoint",
        "test_every_tampering_is_found",
        "test_a_start_under_a_standing_press_is_a_problem",
    ],
    "R18 fail-safe start": [
        "test_it_starts_locked_and_takes_presses",
        "test_a_server_comes_up_locked",
        "test_an_older_copy_of_the_ledger_stays_locked",
        "test_an_unreadable_latch_keeps_the_gate_shut",
    ],
}


@cache
def names() -> set[str]:
    """Every test function under `tests`."""
    found: set[str] = set()
    for file in HERE.parent.rglob("test_*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        found |= {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    return found


@pytest.mark.parametrize("requirement", SHOWN_BY)
def test_a_requirement_is_shown(requirement: str) -> None:
    missing = set(SHOWN_BY[requirement]) - names()
    assert not missing, f"{requirement}: {sorted(missing)} is no test any more"


def test_a_gate_s_host_needs_the_standard_library_and_cryptography_alone() -> None:
    """Every module of `gate`, and of `signed` and `core` below it, with nothing else installed."""
    code = """
import importlib, pkgutil, sys
before = {name.partition(".")[0] for name in sys.modules}  # of the environment's own hooks
from importlib.abc import MetaPathFinder
own = {"freezetag", "cryptography", "_cffi_backend", "cffi"} | set(sys.stdlib_module_names)
class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in own:
            raise ModuleNotFoundError(f"{name} is not there", name=name)
sys.meta_path.insert(0, Bare())
for room in ("freezetag.core", "freezetag.live.signed", "freezetag.live.gate"):
    for module in pkgutil.walk_packages(importlib.import_module(room).__path__, room + "."):
        importlib.import_module(module.name)
from freezetag.live.gate.gate import Gate
from freezetag.live.signed.keys import generate, sign
private, public = generate()
sign(private, b"")
live = {name.split(".")[2] for name in sys.modules if name.startswith("freezetag.live.")}
loaded = {name.partition(".")[0] for name in sys.modules} - own - before - {"__main__"}
print(sorted(live), sorted(loaded))
"""
    bare = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert bare.stdout.startswith("['gate', 'signed'] "), bare.stderr
    others = bare.stdout.split("] ", 1)[1].strip()
    assert not [each for each in literal_eval(others) if not each.startswith("_")], others


def test_none_is_left_out() -> None:
    assert [int(name.split()[0][1:]) for name in SHOWN_BY] == list(range(1, 19))
