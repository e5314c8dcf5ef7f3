"""Threads that run arms: what is waited for goes first, nothing is done twice, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from freezetag.exam.hands import Hands


def test_what_is_waited_for_goes_before_what_is_ahead() -> None:
    order: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go_on.wait(30)

    def ahead() -> Iterator[tuple[str, Any]]:
        yield "first", first
        for name in ("second", "third"):
            yield name, lambda name=name: order.append(name)

    hands = Hands(1, ahead())
    begun.wait(30)
    wanted = hands.submit("wanted", lambda: order.append("wanted"))
    third = None
    go_on.set()
    wanted.result(30)
    third = hands.submit("third", lambda: order.append("third, again"))
    third.result(30)
    hands.close()
    assert order[0] == "wanted"
    assert order.count("third") + order.count("third, again") == 1


def test_a_failure_is_told_and_is_no_answer_for_whoever_asks_again() -> None:
    hands = Hands(2)
    with pytest.raises(ValueError, match="once"):
        hands.submit("it", lambda: (_ for _ in ()).throw(ValueError("once"))).result(30)
    assert hands.submit("it", lambda: 7).result(30) == 7
    hands.close()


def test_what_was_given_up_is_done_anew() -> None:
    hold = threading.Event()
    hands = Hands(1)
    hands.submit("long", lambda: hold.wait(30))
    hands.submit("given up", lambda: "old")
    hands.forget(["given up"])
    again = hands.submit("given up", lambda: "new")
    hold.set()
    assert again.result(30) == "new"
    hands.close()


def test_a_fault_of_what_is_ahead_stops_nothing() -> None:
    def ahead() -> Iterator[tuple[str, Any]]:
        raise RuntimeError("of a probe to come")
        yield "", lambda: None

    hands = Hands(1, ahead())
    assert hands.submit("it", lambda: 1).result(30) == 1
    hands.close()


def test_after_the_end_nothing_begins() -> None:
    begun, hold, done = threading.Event(), threading.Event(), []
    hands = Hands(1)
    running = hands.submit("running", lambda: (begun.set(), hold.wait(30)))
    waiting = hands.submit("waiting", lambda: done.append(1))
    begun.wait(30)
    hands.close()
    hold.set()
    assert running.result(30)
    assert waiting.cancelled()
    assert done == []
