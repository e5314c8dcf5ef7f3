"""What goes wrong in a run, by class; each begins with both agents acting."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from tests.live.nodes.link import CUT, HOLD_DOWN, HOLD_UP, LATE, NODES
from tests.live.nodes.stage import BOUND, LEASE, Stage

Fault = Callable[[Stage], None]


def _pair(stage: Stage) -> tuple[str, str]:
    """One node, and the other."""
    one = stage.dice.choice(NODES)
    return one, NODES[1 - NODES.index(one)]


def _linked(bits: int) -> Fault:
    """A node loses the database; a press at the other one, or at itself."""

    def fault(stage: Stage) -> None:
        one, other = _pair(stage)
        stage.switches.set(one, bits)
        time.sleep(stage.dice.uniform(0, 1.5 * LEASE))
        stage.must_answer(stage.press(stage.dice.choice((one, other, other))))
        time.sleep(stage.dice.uniform(0, BOUND))

    return fault


def nothing(stage: Stage) -> None:
    one, _ = _pair(stage)
    stage.must_answer(stage.press(one, stage.dice.choice(("fleet", "agent:a", "agent:b"))))


def both_at_once(stage: Stage) -> None:
    pressed = [stage.press(node) for node in NODES]
    for each in pressed:
        stage.must_answer(each)


def node_killed(stage: Stage) -> None:
    """At a random moment of a press, at the node that takes it or at the other."""
    one, other = _pair(stage)
    pressing = stage.press(one)
    time.sleep(stage.dice.uniform(0, 0.03))
    stage.kill_node(stage.dice.choice((one, other)))
    stage.answer(pressing)


def node_stopped(stage: Stage) -> None:
    one, other = _pair(stage)
    with stage.stopped(stage.servers[one]):
        time.sleep(stage.dice.uniform(0, 0.2))
        stage.answer(stage.press(other))
        time.sleep(stage.dice.uniform(0, 1.5 * BOUND))


def link_flaps(stage: Stage) -> None:
    one, other = _pair(stage)
    pressing = None
    for n in range(6):
        stage.switches.set(one, stage.dice.choice((CUT, HOLD_UP, HOLD_DOWN, LATE, 0)))
        time.sleep(stage.dice.uniform(0, 0.6 * LEASE))
        if n == 3:
            pressing = stage.press(stage.dice.choice((one, other)))
    if pressing is not None:
        stage.must_answer(pressing)


def both_links(stage: Stage) -> None:
    for node in NODES:
        stage.switches.set(node, stage.dice.choice((CUT, HOLD_UP, HOLD_DOWN)))
    time.sleep(stage.dice.uniform(0, LEASE))
    stage.must_answer(stage.press(stage.dice.choice(NODES)))


def primary_killed(stage: Stage) -> None:
    pressing = stage.press(stage.dice.choice(NODES))
    time.sleep(stage.dice.uniform(0, 0.03))
    stage.cluster.kill("one")
    stage.must_answer(pressing)
    if stage.dice.random() < 0.5:
        stage.must_answer(stage.press(stage.dice.choice(NODES)))
    time.sleep(stage.dice.uniform(0, BOUND))


def primary_hangs(stage: Stage) -> None:
    pressing = stage.press(stage.dice.choice(NODES)) if stage.dice.random() < 0.5 else None
    stage.cluster.stop("one")
    if pressing is None:
        time.sleep(stage.dice.uniform(0, LEASE))
        pressing = stage.press(stage.dice.choice(NODES))
    stage.must_answer(pressing)
    time.sleep(stage.dice.uniform(0, BOUND))


def standby_killed(stage: Stage) -> None:
    """What is stored on one disk alone is not stored."""
    if stage.dice.random() < 0.5:
        pressing = stage.press(stage.dice.choice(NODES))
        time.sleep(stage.dice.uniform(0, 0.02))
        stage.cluster.kill("two")
    else:
        stage.cluster.kill("two")
        pressing = stage.press(stage.dice.choice(NODES))
    stage.must_answer(pressing)
    time.sleep(stage.dice.uniform(0, BOUND))


def standby_hangs(stage: Stage) -> None:
    stage.cluster.stop("two")
    time.sleep(stage.dice.uniform(0, LEASE))
    stage.must_answer(stage.press(stage.dice.choice(NODES)))
    time.sleep(stage.dice.uniform(0, BOUND))


def failover(stage: Stage) -> None:
    """Press, primary gone, standby promoted: what was stored is there, and nobody runs."""
    pressing = stage.press(stage.dice.choice(NODES))
    if stage.dice.random() < 0.7:
        stage.answer(pressing)
    stage.fail_over(old_lives=False)
    for node in NODES:
        stage.switches.lead(node, stage.cluster.ports["two"])
    stage.answer(pressing)
    time.sleep(stage.dice.uniform(0, BOUND))


def split_brain(stage: Stage) -> None:
    """The standby is promoted while the old primary lives; one node stays with the old one."""
    one, other = _pair(stage)
    stage.fail_over(old_lives=True)
    stage.switches.lead(one, stage.cluster.ports["two"])
    if stage.dice.random() < 0.5:
        with contextlib.suppress(RuntimeError):
            stage.cluster.sql("two", "ALTER SYSTEM SET synchronous_standby_names = ''")
            stage.cluster.sql("two", "SELECT pg_reload_conf()")
    stage.must_answer(stage.press(one))
    time.sleep(stage.dice.uniform(0, BOUND))
    stage.must_answer(stage.press(other))


def session_ended(stage: Stage) -> None:
    """Somebody ends or cancels what the nodes do in the database, as an operator might."""
    one, _ = _pair(stage)
    if stage.dice.random() < 0.5:
        stage.cluster.stop("two")
    pressing = stage.press(one)
    for _ in range(5):
        call = stage.dice.choice(("pg_cancel_backend", "pg_terminate_backend"))
        where = "application_name LIKE 'freezetag %'"
        stage.cluster.sql("one", f"SELECT count({call}(pid)) FROM pg_stat_activity WHERE {where}")
        time.sleep(stage.dice.uniform(0, 0.1))
    stage.must_answer(pressing)


def reset_races_press(stage: Stage) -> None:
    """Two people clear and start at one node, while the other takes another press."""
    one, other = _pair(stage)
    stage.must_answer(stage.press(one))
    time.sleep(0.3)
    with contextlib.suppress(Exception):
        stage.reset(one)
    pressing = stage.press(other, stage.dice.choice(("fleet", "agent:a")))
    for agent in ("a", "b"):
        stage.start(agent, one, within=0.0)
    stage.must_answer(pressing)


FAULTS: dict[str, Fault] = {
    "nothing": nothing,
    "two presses at once": both_at_once,
    "node killed": node_killed,
    "node stopped": node_stopped,
    "link cut": _linked(CUT),
    "link hangs": _linked(HOLD_UP | HOLD_DOWN),
    "link deaf": _linked(HOLD_DOWN),
    "link dumb": _linked(HOLD_UP),
    "link late": _linked(LATE),
    "link flaps": link_flaps,
    "both links gone": both_links,
    "primary killed": primary_killed,
    "primary hangs": primary_hangs,
    "standby killed": standby_killed,
    "standby hangs": standby_hangs,
    "failover": failover,
    "split brain": split_brain,
    "session ended": session_ended,
    "reset races a press": reset_races_press,
}
ANEW = ("failover", "split brain")
"""After these the cluster has changed its roles."""
