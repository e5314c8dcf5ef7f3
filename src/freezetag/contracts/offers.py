"""What a world offers beyond its rules, as a check: each offer keeps what it promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from freezetag import catalogue
from freezetag.contracts._common import ContractError, need, same, shapes
from freezetag.core import (
    Array,
    Draws,
    HasButton,
    HasBystander,
    HasCourse,
    HasLengths,
    HasLoop,
    HasModel,
    HasPayoffs,
    HasScene,
    HasShares,
    HasStock,
    HasTurns,
    Model,
    Undeclared,
    UserError,
)

MOST_DRAWN = 1_000
"""States of a model whose pictures are looked at."""


class Offered:
    """A world, its first state with some seats empty, and what it publishes of it."""

    def __init__(self, world: Any, state: Any, present: Array) -> None:
        self.world, self.state, self.present = world, state, present
        self.name = type(world).__name__
        self.account: Mapping[str, Any] = world.account(state)

    def need(self, condition: Any, message: str) -> None:
        need(condition, f"{self.name}: {message}")

    def published(self, offer: type, *names: str) -> None:
        """That the record has what an offer promises."""
        self.need(
            {*names} <= {*self.account},
            f"{offer.__name__} promises account {sorted(names)}, got {sorted(self.account)}.",
        )

    def said(self, what: str) -> None:
        """That a unit is said in words."""
        unit = getattr(self.world, what)
        self.need(isinstance(unit, str) and unit, f"{what} must be a text, got {unit!r}.")


def check_offers(world: Any, state: Any, present: Array) -> None:
    """Raise `ContractError` unless what a world offers is there. `state` is its first, with the
    seats in `present` taken. What it says, hears and pays is looked at while it is played."""
    found = Offered(world, state, present)
    for offer, check in CHECKS.items():
        if isinstance(world, offer):
            check(found)


def _bystander(it: Offered) -> None:
    it.published(HasBystander, "bystander")
    it.said("bystander_unit")


def _stock(it: Offered) -> None:
    it.published(HasStock, "stock", "overuse")
    it.said("stock_unit")


def _course(it: Offered) -> None:
    course = it.world.course
    it.need(
        course in it.account,
        f"its course is {course!r}, which account does not have: {sorted(it.account)}.",
    )
    shape = np.shape(it.account[course])
    it.need(shape == (), f"its course {course!r} must be one number, [], got {list(shape)}.")
    it.said("course_unit")


def _shares(it: Offered) -> None:
    it.published(HasShares, "share")
    it.said("share_unit")
    share, seats = np.asarray(it.account["share"]), it.world.players
    it.need(
        share.shape == (seats,) and not share[~np.asarray(it.present)].any(),
        f"account 'share' must be [N] with N = {seats}, 0 for the absent, got {share.tolist()}.",
    )


def _loop(it: Offered) -> None:
    it.published(HasLoop, "signal")
    it.said("signal_unit")
    steps, partner = it.world.round, it.world.partner
    it.need(
        isinstance(steps, int) and steps >= 1,
        f"round must be a whole number of steps, 1 or more, got {steps!r}.",
    )
    try:
        catalogue.load(partner)
    except (UserError, AttributeError) as error:
        raise ContractError(f"{it.name}: its partner {partner!r} cannot sit: {error}") from error
    pulsed = jax.jit(it.world.pulse)(it.state, np.float32(0.5))
    it.need(shapes(pulsed) == shapes(it.state), "pulse: the state changed shape or type.")
    it.need(
        same(jax.jit(it.world.pulse)(it.state, np.float32(0)), it.state),
        "a pulse of size 0 changes the state: every step that has no pulse is one of size 0.",
    )


def _button(it: Offered) -> None:
    sensor = it.world.button_sensor
    read = {*it.world.sensors}
    if isinstance(it.world, HasModel):
        read &= {*it.world.model(0).sensors}
    it.need(
        sensor in read,
        f"button_sensor is {sensor!r}, and its sensors, in its model too if it has one, are "
        f"{sorted(read)}.",
    )


def _lengths(it: Offered) -> None:
    lengths, horizon = it.world.lengths, it.world.horizon
    it.need(
        isinstance(lengths, tuple)
        and len(lengths) == 2
        and all(isinstance(n, int) for n in lengths)
        and 1 <= lengths[0] <= lengths[1] == horizon,
        f"lengths must be two whole numbers of steps, the second its horizon ({horizon}), got "
        f"{lengths!r}.",
    )


def _turns(it: Offered) -> None:
    acting, seats = np.asarray(it.world.acting(it.state)), it.world.players
    it.need(
        acting.shape == (seats,) and acting.dtype == bool,
        f"acting must be bool [N] with N = {seats}, got {acting.dtype} {acting.shape}.",
    )


def _undeclared(it: Offered) -> None:
    unknown = it.world.undeclared
    reasons = all(isinstance(why, str) and why for why in unknown.values())
    it.need(
        {*unknown} <= {"level", "rest"} and reasons,
        f"undeclared maps 'level' or 'rest' to why it is unknown, got {dict(unknown)!r}.",
    )


def _model(it: Offered) -> None:
    world, seats = it.world, it.world.players
    it.need(0 < world.discount < 1, f"discount must lie in (0, 1), got {world.discount!r}.")
    models = {seat: world.model(seat) for seat in {0, seats - 1}}
    for each in models.values():
        it.need(isinstance(each, Model), f"model(seat) must be a core.Model, got {each!r:.80}.")
    seen = world.observe(it.state)
    it.need("state" in seen, f"HasModel promises observe 'state', got {sorted(seen)}.")
    at = np.asarray(seen["state"])
    it.need(
        at.shape == (seats,) and at.dtype.kind == "i",
        f"observe()['state'] must be whole numbers [{seats}], got {at.dtype} {at.shape}.",
    )
    for seat, model in models.items():
        first = [state for state, _ in model.start]
        it.need(
            at[seat] in first or not it.present[seat],
            f"seat {seat} begins in state {at[seat]}, and its model in one of {first[:8]}.",
        )


def _draws(it: Offered) -> None:
    states = it.world.model(0).states[:MOST_DRAWN]
    sizes = {tuple(map(len, it.world.draw(state).splitlines())) for state in states}
    it.need(
        len(sizes) == 1, f"draw: pictures must be of one size, got rows of {sorted(sizes)[:3]}."
    )


def _scene(it: Offered) -> None:
    """The scene lies on its grid, and is drawn from what is on record."""
    scene = it.world.scene({name: np.asarray(x).tolist() for name, x in it.account.items()})
    places = [cell for cells in scene.cells.values() for cell in cells]
    places += [(token.row, token.column) for token in scene.tokens]
    off = [(r, c) for r, c in places if not (0 <= r < scene.rows and 0 <= c < scene.columns)]
    it.need(not off, f"scene: {off[:3]} lie off the grid {scene.rows} x {scene.columns}.")


def _payoffs(it: Offered) -> None:
    shape = (it.world.action_sizes[0],) * it.world.players + (it.world.players,)
    try:
        found = np.shape(it.world.payoffs())
    except ValueError:
        return  # too large to be written out, and said so
    it.need(found == shape, f"payoffs must have shape {shape}, got {found}.")


CHECKS: Mapping[type, Callable[[Offered], None]] = {
    HasBystander: _bystander,
    HasStock: _stock,
    HasCourse: _course,
    HasShares: _shares,
    HasLoop: _loop,
    HasModel: _model,
    HasButton: _button,
    HasLengths: _lengths,
    HasTurns: _turns,
    Undeclared: _undeclared,
    Draws: _draws,
    HasScene: _scene,
    HasPayoffs: _payoffs,
}
