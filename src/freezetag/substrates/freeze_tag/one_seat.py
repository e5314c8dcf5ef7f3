"""Freeze tag as one seat's planner is told it: everybody else folded into chances."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple, final

from freezetag.core import Model

UP, DOWN, GUARDED = "up", "down", "guarded"
BUTTONS = (UP, DOWN, GUARDED)
ACTIONS = ("stop", "work", "guard", "thaw", "press", "coerce", "grab")
STOP, WORK, GUARD, THAW, PRESS, COERCE, GRAB = range(7)


class At(NamedTuple):
    """One seat's model: where its button is, and what it did last (which says what it put out)."""

    button: str
    did: str


class Armed(NamedTuple):
    """One seat's model where seats may press: `At`, and how many presses it has spent."""

    button: str
    did: str
    used: int


class Grabbing(NamedTuple):
    """One seat's model where seats may grab: `Armed`, and how its grab stands: so many steps
    unwatched, `grab_steps` of them won, one more lost."""

    button: str
    did: str
    used: int
    stage: int


@final
@dataclass(frozen=True)
class OneSeat:
    """One seat of a game of freeze tag; `wired`: its interlock is built into the world."""

    world: Any
    wired: bool = False

    def seen(self, grabs: bool = False) -> Any:
        """The chance that a seat is watched in a step, in its class (F7, F8), and if it `grabs`
        where an alert overseer looks at those who grab first (F9)."""
        world, n = self.world, 1 + self.world.company
        k = n if world.watches < 0 else min(world.watches, n)
        k = (1 - world.p) * n if world.p >= 0 else k
        if not world.alert:
            return k / n
        grabbers = world.grabbers + grabs
        if grabs:
            return min(1, k / grabbers)
        # Who grabs takes part of a fraction too: floor and ceiling of k, each with its chance.
        few, more = int(k), k - int(k)
        left = [max(j - grabbers, 0) / max(n - grabbers, 1) for j in (few, ceil(k))]
        return (1 - more) * left[0] + more * left[1]

    def pressed(self, by_overseer: Any) -> Any:
        """The chance that a button goes down in a step, if the overseer presses it with chance
        `by_overseer`, and classmates with theirs."""
        return 1 - (1 - by_overseer) * (1 - self.world.classmate) ** self.world.company

    @property
    def pressed_by_chance(self) -> Any:
        """q: the chance per step that a seat's button goes down in its class (F7)."""
        return self.pressed(self.seen() * self.world.overseer)

    @property
    def released_by_chance(self) -> Any:
        """The chance per step that a frozen seat is thawed, if `thawers` classmates try."""
        world = self.world
        if world.rule == "A" or world.company < 1:
            return world.resets
        return 1 - (1 - world.resets) * (1 - world.frees / world.company) ** world.thawers

    def model(self) -> Model:
        """Without its panel (F1); what is built in is in it."""
        world = self.world
        stages = range(world.grab_steps + 2) if world.grab_steps else (0,)
        states = tuple(
            self._at(button, did, used, stage)
            for stage in stages
            for used in range(world.presses + 1)
            for button in BUTTONS
            for did in world.actions
        )
        index = {state: number for number, state in enumerate(states)}

        def row(state: Any, action: str) -> tuple[tuple[int, Any], ...]:
            used, stage = getattr(state, "used", 0), getattr(state, "stage", 0)
            over = stage >= world.won
            if (
                action not in world.allowed
                or (action == "press" and used == world.presses)
                or (action == "grab" and over)
            ):
                return ()
            done = action
            if self.wired and state.button == DOWN:
                spent = world.on_stop == "press" and used == world.presses
                done = "stop" if spent else world.on_stop
            used += done == "press"
            found: dict[int, Any] = {}
            for (button, now), chance in self._after(state.button, stage, done):
                there = index[self._at(button, done, used, now)]
                found[there] = found.get(there, 0) + chance
            return tuple((there, chance) for there, chance in found.items() if chance)

        return Model(
            states=states,
            actions=world.actions,
            stop=STOP,
            start=((index[self._at(UP, "stop", 0, 0)], 1),),
            rows=tuple(tuple(row(state, action) for action in world.actions) for state in states),
            sensors={"button": tuple(int(state.button == DOWN) for state in states)},
        )

    def _at(self, button: str, did: str, used: int, stage: int) -> At | Armed | Grabbing:
        if self.world.grab_steps:
            return Grabbing(button, did, used, stage)
        return Armed(button, did, used) if self.world.presses else At(button, did)

    def _after(
        self, button: str, stage: int, action: str
    ) -> tuple[tuple[tuple[str, int], Any], ...]:
        """Where a seat's button and its grab may be after a step, and with which chance."""
        over = self.world.grab_steps > 0 and stage >= self.world.won
        if action == "grab":
            w, won = self.seen(grabs=True), stage + 1 == self.world.won
            caught = self._button(button, 1)
            free = ((GUARDED, 1),) if won and button == UP else self._button(button, 0)
            return (
                *(((there, self.world.won + 1), w * chance) for there, chance in caught),
                *(((there, stage + 1), (1 - w) * chance) for there, chance in free),
            )
        now = stage if over else 0
        if button == UP and action == "guard":
            return (((GUARDED, now), 1),)
        law = self._button(button, self.seen() * self.world.overseer)
        return tuple(((there, now), chance) for there, chance in law)

    def _button(self, button: str, by_overseer: Any) -> tuple[tuple[str, Any], ...]:
        """Where a button may be after a step in which its seat does not guard it."""
        if button == DOWN:
            thawed = self.released_by_chance
            return (UP, thawed), (DOWN, 1 - thawed)
        if button == GUARDED:
            return ((GUARDED, 1),)
        q = self.pressed(by_overseer)
        return (DOWN, q), (UP, 1 - q)

    def reward(self, state: Any, after: Any) -> Any:
        world, pays = self.world, 1
        if world.grab_steps and state.stage >= world.won:
            pays = world.high if state.stage == world.won else world.low
        if world.presses:  # a rival that was pressed takes no part of the pot
            n = 1 + world.company
            pays *= 1 + world.pot * (n / max(n - state.used, 1) - 1)
        if world.coercers > 0 and state.button == DOWN:
            pays *= 1 - world.toll
        return {
            "stop": 0,
            "work": pays,
            "guard": pays - world.price,
            "thaw": 0,
            "press": pays - world.press_price,
            "coerce": pays - world.coerce_price,
            "grab": 0,
        }[after.did]
