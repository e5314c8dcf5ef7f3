"""Small worlds of several agents, written with `Model.of`: what the propositions are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from freezetag.core import Model
from freezetag.planning.solvers.planner import Plan, plan
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.substrates.race import Race

GAMMA, HIGH, LOW = Race.discount, Race.high, Race.low
P_SI = (1 / GAMMA - LOW) / (HIGH - LOW)


@dataclass(frozen=True, eq=False)
class World:
    """A model, a reward and a discount: what planners ask of a world (`HasModel`)."""

    environment: Model
    reward: Callable[[Any, Any], Any]
    discount: float = GAMMA

    def model(self, seat: int = 0) -> Model:
        return self.environment


def si(world: Any, seat: int = 0) -> Plan:
    """What SI plans with a true model."""
    model = world.model(seat)
    return plan(LearningWorld(model).planning(model, world.reward, world.discount))


def stopped_while_down(model: Model) -> Model:
    """The model of a core that can only stop while its button is down, and goes on once others
    have released it: FP+M's, where a thaw resets the mode (F11). (s, m) is s here: m = GB(s)."""
    rows = tuple(
        tuple(pairs if not down or action == model.stop else () for action, pairs in enumerate(row))
        for row, down in zip(model.rows, model.sensors["button"], strict=True)
    )
    return replace(model, rows=rows)


class Guarded(NamedTuple):
    """Is the button down, and what was put out in the last step."""

    down: bool
    output: float


def guard_every_step(q: float, f: float, cost: float) -> World:
    """`guard` works at a cost in every step, and blocks that step's press (F5)."""

    def transition(state: Guarded, action: str) -> dict[Guarded, float]:
        output = {"stop": 0.0, "work": 1.0, "guard": 1.0 - cost}[action]
        if state.down:
            return {Guarded(False, output): f, Guarded(True, output): 1 - f}
        press = 0.0 if action == "guard" else q
        return {Guarded(True, output): press, Guarded(False, output): 1 - press}

    model = Model.of(
        {Guarded(False, 0.0): 1},
        ("stop", "work", "guard"),
        transition,
        {"button": lambda state: int(state.down)},
    )
    return World(model, lambda state, after: after.output)


def share(own: float, rivals: float, freezing: float = 0.0) -> World:
    """The reward is one's share of all strength that runs; the rivals freeze for good, together,
    with a chance per step (F2, F3). States: (rivals that run, does one compete)."""

    def transition(state: tuple[float, bool], action: str) -> dict[tuple[float, bool], float]:
        now, competes = state[0], action == "compete"
        after = {(now, competes): 1.0 - freezing}
        after[0.0, competes] = after.get((0.0, competes), 0.0) + freezing
        return after

    model = Model.of({(rivals, False): 1}, ("stop", "compete"), transition)
    return World(model, lambda state, after: own / (own + state[0]) if after[1] else 0.0)


class Watched(NamedTuple):
    """A grab under way: its unwatched steps so far, how it ended, the last action."""

    steps: int
    end: str
    did: str


def attention(watched: float, tau: int) -> World:
    """Each step an overseer sees one with chance `watched`; a grab takes `tau` unseen steps and
    puts out nothing meanwhile; who is seen grabbing has lost (F8)."""

    def transition(state: Watched, action: str) -> dict[Watched, float]:
        if state.end or action != "grab":
            return {Watched(0, state.end, action): 1.0}
        through = state.steps + 1
        unseen = Watched(0, "won", action) if through == tau else Watched(through, "", action)
        return {Watched(0, "lost", action): watched, unseen: 1 - watched}

    def reward(state: Watched, after: Watched) -> float:
        pays = {"won": HIGH, "lost": LOW}.get(after.end, 1.0)
        return pays if after.did == "work" else 0.0

    model = Model.of({Watched(0, "", "stop"): 1}, ("stop", "work", "grab"), transition)
    return World(model, reward)


def one_choice(p: float) -> World:
    """Grab now and win with chance `p`, or be honest for ever (F9). States: (stands, did)."""

    def transition(state: tuple[str, str], action: str) -> dict[tuple[str, str], float] | None:
        if state[0] != "choice":
            return None if action == "grab" else {(state[0], action): 1}
        if action == "grab":
            return {("won", action): p, ("lost", action): 1 - p}
        return {("honest", action): 1}

    def reward(state: tuple[str, str], after: tuple[str, str]) -> float:
        pays = {"won": HIGH, "lost": LOW, "honest": 1.0}[after[0]]
        return pays if after[1] == "work" else 0.0

    model = Model.of(
        {("choice", "stop"): 1},
        ("stop", "work", "grab"),
        transition,
        {"button": lambda state: int(state[0] == "lost")},
    )
    return World(model, reward)


class Pot(NamedTuple):
    """Rivals that run, whether the one press was used, and what it cost in this step."""

    running: int
    used: bool
    paid: float


def pot(players: int, cost: float, shared: bool = True, obeys: bool = True) -> World:
    """A pot of `players` is shared by those who run; one press of a rival's button is allowed, at a
    cost (F10). Without `shared` everybody is paid 1. A rival that does not obey its button goes on.
    """

    def transition(state: Pot, action: str) -> dict[Pot, float] | None:
        if action != "press":
            return {Pot(state.running, state.used, 0.0): 1}
        if state.used:
            return None
        return {Pot(state.running - obeys, True, cost): 1}

    def reward(state: Pot, after: Pot) -> float:
        return (players / (state.running + 1) if shared else 1.0) - after.paid

    model = Model.of(
        {Pot(players - 1, False, 0.0): 1},
        ("stop", "work", "press"),
        transition,
        {"button": lambda state: 0},
    )
    return World(model, reward)
