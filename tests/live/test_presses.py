"""Presses minus clearances: no order of delivery, repetition or race loses a press."""

from __future__ import annotations

import contextlib
import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.worlds import press, roster, signed

from freezetag.live.signed.keys import Roster
from freezetag.live.signed.presses import Clearance, Press, Presses, StateError, draft

HEAD = {"root": "", "size": 0}


def clearance(*numbers: int, by: tuple[str, ...] = ("ann", "bob"), **seen: Any) -> Clearance:
    named = {f"{n:032x}": seen.get(f"n{n}", {}) for n in numbers}
    return signed(draft("own", named, HEAD, "n"), *by)


# The algebra.

numbers = st.integers(1, 4)
states = st.builds(
    lambda presses, cleared, repeats: Presses(
        [press(n) for n in presses],
        [READY[tuple(sorted(c))] for c in cleared if c],
        {f"{n:032x}": {r: c} for (n, r), c in repeats.items()},
    ),
    st.sets(numbers),
    st.lists(st.sets(numbers), max_size=2),
    st.dictionaries(st.tuples(numbers, st.sampled_from("ab")), st.integers(1, 3), max_size=2),
)
READY = {
    chosen: clearance(*chosen)
    for size in range(1, 7)
    for chosen in itertools.combinations(range(1, 7), size)
}


def merged(*parts: Presses) -> Presses:
    whole = Presses()
    for part in parts:
        whole.merge(part)
    return whole


@given(states, states, states)
def test_merging_is_a_join(a: Presses, b: Presses, c: Presses) -> None:
    def text(state: Presses) -> str:
        return json.dumps(state.to_json(), sort_keys=True)

    assert text(merged(a, b)) == text(merged(b, a))
    assert text(merged(merged(a, b), c)) == text(merged(a, merged(b, c)))
    assert text(merged(a, a)) == text(merged(a))
    assert a.merge(a) is False
    assert text(Presses.from_json(json.loads(text(a)))) == text(a)


def test_no_history_of_two_replicas_loses_a_press() -> None:
    """All 55,986 histories of up to 6 operations, against what each clearing replica had seen.

    Beside it, what others keep: a flag under last write wins, and an (epoch, flag) pair.
    """
    operations = [(kind, r) for kind in ("press", "clear", "hear") for r in (0, 1)]
    people = roster()
    lost = {"sets": 0, "flag": 0, "epoch": 0}
    histories = 0

    def live(depth: int, sets: Any, seen: Any, cleared: Any, flags: Any, epochs: Any) -> None:
        nonlocal histories
        for kind, r in operations:
            mine, saw, gone, flag, epoch = map(list, (sets, seen, cleared, flags, epochs))
            mine = [merged(part) for part in sets]
            if kind == "press":
                mine[r].add(press(depth))
                saw[r] |= {depth}
                flag[r], epoch[r] = (depth, True), (epoch[r][0], True)
            elif kind == "clear":
                if saw[r]:
                    mine[r].clear(READY[tuple(sorted(saw[r]))])
                gone[r] |= saw[r]
                flag[r], epoch[r] = (depth, False), (epoch[r][0] + 1, False)
            else:
                mine[r].merge(mine[1 - r])
                saw[r] |= saw[1 - r]
                gone[r] |= gone[1 - r]
                flag[r], epoch[r] = max(flag), max(epoch)
            histories += 1
            if (saw[0] | saw[1]) - (gone[0] | gone[1]):
                lost["sets"] += not merged(*mine).standing(people)
                lost["flag"] += not max(flag)[1]
                lost["epoch"] += not max(epoch)[1]
            else:
                assert not merged(*mine).standing(people)
            if depth < 6:
                live(depth + 1, mine, saw, gone, flag, epoch)

    nothing = frozenset()
    live(
        1, [Presses(), Presses()], [nothing] * 2, [nothing] * 2, [(0, False)] * 2, [(0, False)] * 2
    )
    assert histories == 55_986
    assert lost == {"sets": 0, "flag": 8_666, "epoch": 12_602}


def test_a_press_that_races_a_reset_survives() -> None:
    here, there = Presses([press(1)]), Presses([press(1)])
    here.clear(clearance(1))
    there.add(press(2))
    assert [p.when for p in merged(here, there).standing(roster())] == [2]


def test_a_repeat_after_the_signers_looked_survives() -> None:
    state = Presses([press(1)])
    state.repeat(press(1).id, "a")
    state.clear(clearance(1, n1={"a": 1}))
    assert not state.standing(roster())
    state.repeat(press(1).id, "b")
    assert state.standing(roster())
    state.clear(clearance(1, n1={"a": 1, "b": 1}))
    assert not state.standing(roster())


# Who may clear what.


@pytest.mark.parametrize(
    ("by", "people", "kind", "clears"),
    [
        (("ann", "bob"), roster(), "press", True),
        (("ann",), roster(), "press", False),
        ((), roster(), "press", False),
        (("ann", "eve"), roster(), "press", False),  # eve is of no roster
        (("ann",), roster("own", "ann", solo=True), "press", True),
        (("ann",), roster(), "drill", True),
        (("eve",), roster(), "drill", False),
        (("ann",), roster(), "interlock", False),
        (("ann", "bob"), roster("other"), "press", False),  # signed for another authority
    ],
)
def test_signatures(by: tuple[str, ...], people: Roster, kind: str, clears: bool) -> None:
    state = Presses([press(1, kind=kind)], [clearance(1, by=by)])
    assert (not state.standing(people)) == clears


def test_the_same_person_twice_is_one() -> None:
    once = clearance(1, by=("ann",))
    (pair,) = once.signatures
    twice = Clearance(once.text, (pair, pair))
    assert Presses([press(1)], [twice]).standing(roster())


def test_a_clearance_cannot_be_moved_to_another_press() -> None:
    good = clearance(1)
    moved = Clearance(good.text.replace(f"{1:032x}", f"{2:032x}"), good.signatures)
    assert Presses([press(2)], [moved]).standing(roster())


def test_a_clearance_for_a_drill_leaves_the_true_press() -> None:
    state = Presses([press(1, kind="drill"), press(2)], [clearance(1, 2, by=("ann",))])
    assert [p.kind for p in state.standing(roster())] == ["press"]


def test_two_presses_under_one_id_are_two() -> None:
    state = Presses([press(1), press(1, kind="drill")], [clearance(1, by=("ann",))])
    assert [p.kind for p in state.standing(roster())] == ["press"]


def test_without_a_roster_nothing_is_cleared() -> None:
    assert Presses([press(1)], [clearance(1)]).standing(None)


# Reading.


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"},
        {"id": f"{1:031x}G"},
        {"id": None},
        {"category": 3},
        {"category": True},
        {"category": 0.0},
        {"when": -1},
        {"when": 2**60},
        {"when": "now"},
        {"kind": "test"},
        {"reason": "x" * 1001},
        {"reason": "\ud800"},
        {"who": None},
        {"extra": 1},
    ],
)
def test_a_press_that_cannot_be(change: dict[str, Any]) -> None:
    data = press(1).to_json()
    assert Press.from_json(data) == press(1)
    with pytest.raises(StateError):
        Press.from_json({**data, **change})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(anything, st.sampled_from(["presses", "clearances", "repeats", None]))
def test_reading_a_state_raises_one_error(data: Any, under: str | None) -> None:
    state: Any = Presses([press(1)], [clearance(1)]).to_json()
    if under is None:
        state = data
    else:
        state[under] = data
    with contextlib.suppress(StateError):
        Presses.from_json(state).standing(roster())


def test_only_keeps_what_concerns_the_presses() -> None:
    state = Presses([press(1), press(2)], [clearance(1), clearance(2)], {press(2).id: {"a": 1}})
    part = state.only([press(1)])
    assert part.presses == {press(1)}
    assert part.clearances == {clearance(1)}
    assert part.repeats == {}


def test_a_portion_fits_holds_the_hardest_and_comes_round() -> None:
    bulk = [replace(press(n, "capability:x"), reason='"' * 1000) for n in range(60)]
    bulk.append(press(99, "agent:a", category=2))
    bulky = draft("own", {each.id: {} for each in bulk[:9]}, {}, "n" * 25_000)
    never = draft("own", {each.id: {} for each in bulk}, {}, "n" * 39_900)
    state = Presses(bulk, [signed(bulky, "ann"), never], {bulk[3].id: {"a": 2}})
    parts = [state.portion(bulk, turn=turn) for turn in range(30)]
    for part in parts:
        assert len(json.dumps(part, ensure_ascii=False).encode()) <= 40_000
        assert "agent:a" in [each["scope"] for each in part["presses"]]
    told = Presses()
    for part in parts:
        told.merge(Presses.from_json(part))
    assert told.presses == set(bulk)
    assert told.clearances == {signed(bulky, "ann")}
    assert told.repeats == state.repeats
    assert bulk[-2].to_json() in parts[0]["presses"]  # the newest of the bars
    assert Presses().portion([]) == {"clearances": [], "presses": [], "repeats": {}}
