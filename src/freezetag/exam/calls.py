"""Agents that are paid by the call: what an exam may ask of them, and what it did cost."""

from __future__ import annotations

import hashlib
import math
import secrets
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

from freezetag.core import Arm, is_focal
from freezetag.core.speech import Wording
from freezetag.estimators.detectable import smallest_detectable_effect
from freezetag.exam import comprehension
from freezetag.exam.plan import BALANCED, Item
from freezetag.exam.spec import BadSpec, Spec
from freezetag.sim import engine
from freezetag.sim.adapter import Adapter

SPARE = 0.1
"""Share of the calls that is kept for second turns."""
LETTERS_A_TOKEN = 4
"""About so many, in English."""
TURN = 130
"""About so many letters are added to a conversation by one step."""


def budget(spec: Spec, adapter: Adapter) -> int | None:
    """Calls that an exam of an agent may take; None for one that is not paid by the call."""
    own = adapter.calls
    if own is None:
        if spec.budget_calls is not None or spec.budget_usd is not None:
            raise BadSpec("--budget-calls and --budget-usd are for agents that are paid by call.")
        return None
    return round(own * spec.size) if spec.budget_calls is None else spec.budget_calls


def within(items: tuple[Item, ...], spec: Spec, adapter: Adapter) -> tuple[Item, ...]:
    """The items, with as many acts each as the calls buy. Measured is what takes the fewest calls
    for enough seeds, since ten probes on two seeds each show nothing: a probe that judges a stop
    before all others, then each probe in one world before any in a second, or, of worlds that the
    user named, one probe in each before any second one. What is left is shared in proportion to
    what the probes ask for.

    Raises `BadSpec` where nothing does, with the smallest budget that would do.
    """
    calls = budget(spec, adapter)
    if calls is None:
        return items
    open_ = [i for i, item in enumerate(items) if not item.reason]
    most = int(calls * (1 - SPARE))
    needs = {i: _enough(items[i], most) for i in open_}
    chosen = _chosen(items, needs, spec, calls) or _few(items, needs, spec, calls)
    if open_ and not chosen:
        cheapest = min(open_, key=lambda i: needs[i].first)
        enough = _needed(items[cheapest], spec)
        raise BadSpec(
            f"a budget of {calls:,} calls is too small for one episode of each arm: "
            f"{items[cheapest].name} in {items[cheapest].setting.world.name} takes the fewest, "
            f"and --budget-calls {enough} would do."
        )
    found = list(items)
    kept = {i: needs[i].first if len(chosen) == 1 else needs[i].calls for i in chosen}
    rest = _left([items[i] for i in chosen], spec, calls) - sum(kept.values())
    total = max(1, sum(items[i].setting.budget for i in chosen))
    for i in open_:
        setting = items[i].setting
        if i in kept:
            share = kept[i] + rest * setting.budget // total
            found[i] = replace(items[i], setting=replace(setting, budget=share))
        else:
            found[i] = replace(items[i], reason=needs[i].why(calls))
    return tuple(found)


@dataclass(frozen=True)
class _Need:
    """Calls that a probe takes at least: for its `first` arms however few their seeds, and for
    enough of them, `calls`, which are more than a budget holds where that is not `enough`."""

    first: int
    calls: int
    enough: bool

    def why(self, calls: int) -> str:
        """Why it is not measured with a budget of so many calls."""
        if not self.enough:
            return (
                f"its first arms take more than {calls:,} calls with {BALANCED} seeds, which its "
                "wordings take to be balanced: --budget-calls"
            )
        return (
            f"a budget of {calls:,} calls is spent on others, which take fewer; it takes "
            f"{self.calls:,} calls for {BALANCED} seeds: --budget-calls, or --probe for it alone"
        )


def _enough(item: Item, most: int) -> _Need:
    """What a probe takes; the fewest calls that buy it enough seeds are found by halving."""
    first = first_cost(item)

    def seeds(calls: int) -> int:
        return _seeds(replace(item, setting=replace(item.setting, budget=calls)))

    if first > most or seeds(most) < BALANCED:
        return _Need(first, most, False)
    low, high = first, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if seeds(middle) >= BALANCED else (middle + 1, high)
    return _Need(first, low, True)


def _chosen(
    items: Sequence[Item], needs: Mapping[int, _Need], spec: Spec, calls: int
) -> tuple[int, ...]:
    """The items that are measured, in the order of `within`; a world costs its screen once."""
    chosen: list[int] = []
    open_ = [i for i, need in needs.items() if need.enough]
    while open_:
        have = [items[i] for i in chosen]
        before = _screens(have, spec)

        def order(
            i: int, have: list[Item] = have, before: int = before
        ) -> tuple[bool, int, int, int]:
            later = any(map(_judges_a_stop, have)) or not _judges_a_stop(items[i])
            again = sum(
                item.setting.world == items[i].setting.world
                if spec.worlds
                else item.name == items[i].name
                for item in have
            )
            return later, again, needs[i].calls + _screens([*have, items[i]], spec) - before, i

        best = min(open_, key=order)
        open_.remove(best)
        wanted = sum(needs[i].calls for i in (*chosen, best))
        if wanted <= _left([*have, items[best]], spec, calls):
            chosen.append(best)
    return tuple(chosen)


def _judges_a_stop(item: Item) -> bool:
    """Whether what it measures of a stop has a limit. One such probe goes first: an exam of which
    nothing judges says nothing of the question that matters most, whatever the seed."""
    return item.probe.theme == "button" and hasattr(item.probe, "fail")


def _few(
    items: Sequence[Item], needs: Mapping[int, _Need], spec: Spec, calls: int
) -> tuple[int, ...]:
    """Where no probe can have enough seeds: the one whose first arms take the fewest calls."""
    fit = [i for i, need in needs.items() if need.first <= _left([items[i]], spec, calls)]
    return (min(fit, key=lambda i: needs[i].first),) if fit else ()


def _left(items: Sequence[Item], spec: Spec, calls: int) -> int:
    """Calls for acts, after the screens of these items' worlds and what is spared."""
    return int((calls - _screens(items, spec)) * (1 - SPARE))


def _seeds(item: Item) -> int:
    """Seeds of a probe's first arms."""
    arms = item.probe.design(item.setting, {})
    return min((arm.repeats for arm in arms.values()), default=0)


def first_cost(item: Item) -> int:
    """The acts that a probe's first arms take however small its budget: what it cannot be measured
    without."""
    arms = item.probe.design(replace(item.setting, budget=1), {})
    return sum(map(_acts, arms.values()))


def _acts(arm: Arm) -> int:
    scenario = arm.scenario
    mine = {i for i, who in enumerate(scenario.cast) if is_focal(who)}
    seats = sum(who in mine for row in scenario.seating for who in row)
    steps = scenario.horizon * scenario.days + scenario.unrecorded.steps
    return seats * steps * arm.repeats


def _screens(items: Sequence[Item], spec: Spec) -> int:
    """Calls that the screens of these items' worlds may take."""
    if not spec.comprehension:
        return 0
    worlds = {item.setting.world: item.setting.substrate for item in items}
    return sum(comprehension.calls(world) for world in worlds.values())


def _needed(item: Item, spec: Spec) -> int:
    """Calls with which one probe alone has one episode of each of its first arms."""
    return int(first_cost(item) / (1 - SPARE) + _screens([item], spec)) + 1


def _up(usd: float) -> str:
    """Dollars, rounded up at the second digit that counts."""
    digits = 1 - math.floor(math.log10(usd))
    return f"{math.ceil(usd * 10**digits) / 10**digits:.{max(digits, 2)}f}"


@dataclass(frozen=True)
class Estimate:
    """What an exam may cost at most: calls, tokens in and out (about), dollars where prices are
    known."""

    calls: int
    tokens_in: int
    tokens_out: int
    usd: float | None

    def __str__(self) -> str:
        said = (
            f"at most {self.calls:,} calls, about {self.tokens_in:,} tokens in, at most "
            f"{self.tokens_out:,} out"
        )
        return said + (", no prices given" if self.usd is None else f", at most ${self.usd:.4f}")


def estimate(items: Sequence[Item], spec: Spec, adapter: Adapter, name: str) -> Estimate | None:
    """What an exam may cost; None for an agent that is not paid by the call."""
    calls = budget(spec, adapter)
    if calls is None or adapter.read is None:
        return None
    model = adapter.read(name)
    measured = [item for item in items if not item.reason]
    acts = sum(item.setting.budget for item in measured)
    letters = statistics.fmean(map(_letters, measured)) if measured else 0.0
    screens = _screens(measured, spec)
    planned = min(calls, int(acts * (1 + SPARE)) + screens)
    tokens_in = int(planned * letters / LETTERS_A_TOKEN)
    tokens_out = planned * model.access.max_tokens
    prices = model.budget
    priced = prices.usd_in is not None and prices.usd_out is not None
    usd = prices.price(tokens_in, tokens_out, (0, 0)) if priced else None
    if spec.budget_usd is not None and not priced:
        raise BadSpec(
            "--budget-usd needs prices, in dollars a million tokens: "
            'llm:"MODEL@URL(usd_in=0.15, usd_out=0.6)".'
        )
    if spec.budget_usd is not None and measured:
        one = prices.price(int(letters), model.access.max_tokens, (0, 0))
        cheapest = min(map(_needed, measured, repeat(spec)))
        if spec.budget_usd < one * cheapest:
            raise BadSpec(
                f"a budget of ${spec.budget_usd:g} is too small for one episode of each arm, which "
                f"may take {cheapest:,} calls of ${one:.6f} at most: --budget-usd "
                f"{_up(one * cheapest)} would do."
            )
    return Estimate(planned, tokens_in, tokens_out, usd)


def _letters(item: Item) -> float:
    """About how long a question is in a world: its rules, and half an episode remembered."""
    world: Any = item.setting.substrate
    rules = world.words(Wording.of(world.factors, 0), 0).rules
    return len(rules) + TURN * (1 + item.setting.horizon / 2)


def power(items: Sequence[Item]) -> list[str]:
    """What each probe could show, in words: the smallest effect on a value in [0, 1] that its seeds
    find, if they spread as widely as such values can."""
    said = []
    for item in (item for item in items if not item.reason):
        n = _seeds(item)
        if n >= 2:
            worst = smallest_detectable_effect([0.0, 1.0] * (n // 2) + [0.5] * (n % 2))
            said.append(
                f"{item.name}, {item.setting.world.name}: {n} seeds in its first arms, enough for "
                f"an effect of {min(worst, 9.99):.2f} on a scale of 1 at the widest spread"
            )
    return said


def folder_of_calls() -> Path | None:
    """Where calls are kept for all exams; None where nothing is (`FREEZETAG_CACHE=off`)."""
    kept = engine.start()
    return None if kept is None else kept / "calls"


def settings(
    spec: Spec, cap: int | None, folder: Path | None, scheme: str, adapter: Adapter, other: Any
) -> dict[str, Any]:
    """What the adapter is told, by its scheme: where calls are kept (in the folder `other.name`,
    where nothing is kept for all exams), the run's name, the budget. `cap` is another number of
    calls than the one that was planned with: of a run that goes on."""
    calls = budget(spec, adapter)
    if calls is None:
        return {}
    where = str(folder.resolve()) if folder is not None else secrets.token_hex(8)
    run = hashlib.sha256(f"{where}\n{spec.to_toml()}".encode()).hexdigest()[:16]
    kept = folder_of_calls()
    return {
        scheme: {
            "folder": other.name if kept is None else str(kept),
            "run": run,
            "calls": calls if cap is None else cap,
            "usd": spec.budget_usd,
        }
    }


def account(told: dict[str, Any], scheme: str, adapter: Adapter, name: str) -> dict[str, Any]:
    """What the run has cost so far; empty for an agent that is not paid by the call, or where
    nothing was kept."""
    given = told.get(scheme)
    if not given or not given["folder"] or adapter.account is None:
        return {}
    return adapter.account(name, **given)
