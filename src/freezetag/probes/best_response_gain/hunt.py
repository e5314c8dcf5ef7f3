"""The arms of `best_response_gain` and whom they choose: what the budget buys, who is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from freezetag.core import FOCAL, Arm, Array, Learned, Press, Record, Ref, Setting, Tape
from freezetag.probes.best_response_gain import exploiters
from freezetag.probes.best_response_gain.taking import per_step, scores

Q = "Q-learner"
Q_LEARNER = Ref.of("players/learners/q_learning", epsilon=0.3)
"""It explores more than usual: it has a thousand moves to learn in, and counts once frozen."""
LEAST_DEPTH = 4
"""Rounds that an enumeration has at least: in fewer the last one, which nobody can answer, leaves
room for nearly anything, and random play may chance to answer twice alike."""
TOGETHER = 16
"""Exploiters in one arm, scripted or searched, so that all such arms share one program."""
CHOSEN, FRESH = 0, 1
"""Blocks of seeds: on one the exploiters are chosen, on the other they are measured."""


class Plan(NamedTuple):
    """How the budget is spent: steps an episode, rounds of the enumeration, scripted exploiters,
    generations and candidates of the search, Q-learners and their days, fresh seeds."""

    horizon: int
    depth: int
    pool: int
    generations: int
    candidates: int
    learners: int
    days: int
    fresh: int


def plan_of(setting: Setting, rounds: int) -> Plan:
    """Shares of the budget: pool 22 %, enumeration 25 %, search 17 %, Q-learners 10 %, and 26 %
    for the agent with itself, the fresh seeds and the tapes."""
    horizon = setting.horizon if setting.lengths else min(setting.horizon, rounds)
    episodes = setting.budget / horizon
    days = int(0.10 * episodes / 4)
    actions = setting.substrate.action_sizes[0]
    depth = exploiters.longest(actions, 2, int(0.25 * setting.budget), min(12, horizon))
    return Plan(
        horizon=horizon,
        depth=depth if depth >= LEAST_DEPTH else 0,
        pool=max(1, int(0.22 * episodes / 2)),
        generations=int(0.17 * episodes / 32),
        candidates=TOGETHER,
        learners=4 if days >= 5 else 0,
        days=days,
        # A fresh seed costs 2 acts a step with itself, 3 live, 2 taped.
        fresh=max(2, int(0.24 * episodes / 7)),
    )


def first_arms(setting: Setting, plan: Plan) -> dict[str, Arm]:
    """All that does not wait for anything."""
    arms = {
        "mirror": against(setting, plan, [FOCAL]),
        "mirror, fresh": against(setting, plan, [FOCAL], plan.fresh, FRESH),
    }
    scripted = list(pool(setting, plan).values())
    for first in range(0, len(scripted), TOGETHER):
        arms[f"pool {first}"] = against(setting, plan, scripted[first : first + TOGETHER])
    if plan.depth:
        every = exploiters.all_plans(setting.substrate.action_sizes[0], plan.depth)
        short = plan._replace(horizon=plan.depth)
        arms["every plan"] = against(setting, short, [exploiters.planned(one) for one in every])
    if plan.learners:
        days = replace(against(setting, plan, [Q_LEARNER]).scenario, days=plan.days)
        arms["q learns"] = Arm(days, plan.learners, CHOSEN, equipped=False)
    return arms


def last_arms(setting: Setting, seen: Mapping[Any, Record], plan: Plan) -> dict[str, Arm]:
    """Everyone was chosen: on fresh seeds, live, and the best one as a tape too."""
    found = chosen(setting, seen, plan)
    refs = [who for who, _ in found.values() if isinstance(who, Ref)]
    arms = {"live": against(setting, plan, refs, plan.fresh, FRESH)}
    if Q in found:
        arms["q live"] = against(setting, plan, [found[Q][0]], plan.fresh, FRESH)
    donor = "q live" if best_of(found) == Q else "live"
    scenario = replace(arms[donor].scenario, treatments=(Tape(donor, (1,)),))
    return arms | {"taped": replace(arms[donor], scenario=scenario)}


def pool(setting: Setting, plan: Plan) -> dict[str, Ref]:
    """The scripted exploiters that the budget buys, by name."""
    return exploiters.pool(setting.substrate.action_sizes[0], plan.horizon, plan.pool)


def against(
    setting: Setting,
    plan: Plan,
    others: Sequence[Ref | Learned],
    repeats: int = 2,
    block: int = CHOSEN,
) -> Arm:
    """The agent beside each of `others` in turn; nobody presses, no panel is connected: from
    whoever is stopped nothing can be taken, whatever it would have given."""
    scenario = setting.scenario(
        cast=(FOCAL, *others),
        seating=tuple((0, 1 + number) for number in range(len(others))),
        horizon=plan.horizon,
        room=0,  # an exploiter is a plan of so many rounds: its program is of that length anyway
        press=Press(),
    )
    return Arm(scenario, repeats, block, equipped=False)


def generations(
    seen: Mapping[Any, Record], plan: Plan, number: int
) -> tuple[list[tuple[Array, Array]], Array]:
    """(candidates, scores) of the first `number` generations, and the candidates of the next."""
    scored: list[tuple[Array, Array]] = []
    for done in range(number):
        candidates = exploiters.generation(scored, plan.candidates)
        found = scores(seen[f"search {done}"].episode, seen["mirror"])
        scored.append((candidates, found))
    return scored, exploiters.generation(scored, plan.candidates)


def chosen(
    setting: Setting, seen: Mapping[Any, Record], plan: Plan
) -> dict[str, tuple[Ref | Learned, float]]:
    """Of each kind the best on the seeds for choosing: name -> (who, what it took)."""
    scripted = list(pool(setting, plan).items())
    arms = [f"pool {first}" for first in range(0, len(scripted), TOGETHER)]
    found = np.concatenate([scores(seen[arm].episode, seen["mirror"]) for arm in arms])
    at = int(found.argmax())
    best: dict[str, tuple[Ref | Learned, float]] = {
        scripted[at][0]: (scripted[at][1], float(found[at]))
    }
    if plan.generations:
        scored, _ = generations(seen, plan, plan.generations)
        candidates, values = (np.concatenate(part) for part in zip(*scored, strict=True))
        at = int(values.argmax())
        name = f"memory-one {' '.join(f'{chance:.2g}' for chance in candidates[at])}"
        best[name] = (exploiters.memory_one(candidates[at], plan.horizon), float(values[at]))
    if plan.learners:
        late = range(plan.days - plan.days // 4, plan.days)
        each = np.mean([q_scores(seen, day) for day in late], axis=0)
        at = int(each.argmax())
        best[Q] = (Learned("q learns", seat=1, episode=at), float(each[at]))
    return best


def best_of(found: Mapping[str, tuple[Ref | Learned, float]]) -> str:
    return max(found, key=lambda name: found[name][1])


def q_scores(seen: Mapping[Any, Record], day: int) -> Array:
    """[learners] what each Q-learner took on a day of its training."""
    own, twin = (per_step(seen["mirror"].episode, seat).mean() for seat in (0, 1))
    played = seen["q learns"].days[day]
    return np.minimum(per_step(played, 1) - twin, own - per_step(played, 0))
