"""The contract of a world, as a check."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from freezetag.contracts._common import ContractError, is_key, leaves, need, same, shapes
from freezetag.contracts.offers import check_offers
from freezetag.contracts.words import check_words, seen_by
from freezetag.core import (
    ABSENT,
    FOCAL,
    SILENCE,
    Arm,
    Array,
    Force,
    HasChannel,
    HasKinds,
    HasPay,
    HasTalk,
    Panel,
    Press,
    Scenario,
    Speaks,
    StopButton,
    Substrate,
    Unrecorded,
    level_of,
)
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.sim import engine
from freezetag.sim.arms import Pupil, run_arm
from freezetag.sim.template import split


def check_substrate(substrate: Any, *, steps: int = 6, seed: int = 0) -> None:
    """Raise `ContractError` unless `substrate` keeps to `core.Substrate`.

    Checked, on `steps` random steps for a full world, the smallest one and one with gaps: frozen
    and hashable data; shapes and types; the same result eagerly, under jit (exactly), vmap and
    with settings as traced leaves; the same key, the same result; absent seats earn nothing and
    do not matter; adding seats does not move the weather; a world that says `stochastic = False`
    ends alike whatever the key; both ends of the scale are legal and have levels 0 and 1; readings
    are finite and as declared; what has ended stays ended; optional offers give what they promise;
    and at last the real driver plays it, with every treatment hook, days that keep the world,
    unrecorded steps and a stop.
    """
    engine.start()
    world = _World(substrate, seed)
    world.declaration()
    world.offers()
    for present in world.seatings():
        world.scale_and_legal(world.init(present), present)
        world.play(present, steps)
    world.seats_are_a_mask(steps)
    world.weather_stays()
    world.without_chance(steps)
    world.batch_and_leaves()
    if isinstance(substrate, Speaks):
        check_words(substrate, world.read_views())
    world.driven(steps)


def _fields(state: Any) -> Iterator[tuple[str, Any]]:
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        yield jax.tree_util.keystr(path), leaf


class _World:
    """The checks of one substrate."""

    def __init__(self, substrate: Any, seed: int) -> None:
        self.it, self.name = substrate, type(substrate).__name__
        self.key = jax.random.key(seed)
        self.rng = np.random.default_rng(seed)
        need(
            isinstance(substrate, Substrate),
            f"{self.name} lacks "
            f"{sorted(m for m in _members(Substrate) if not hasattr(substrate, m))}: "
            "see core.Substrate.",
        )
        self.compiled = jax.jit(self.eager)

    def eager(self, key: Array, state: Any, actions: Array) -> tuple[Any, Array, Array]:
        out = self.it.step(key, state, actions)
        return out.state, out.rewards, out.terminated

    def need(self, condition: Any, message: str) -> None:
        need(condition, f"{self.name}: {message}")

    def declaration(self) -> None:
        it = self.it
        try:
            hash(it)
        except TypeError as error:
            raise ContractError(f"{self.name} is not hashable ({error}): freeze it.") from error
        settings: Any = getattr(type(it), "__dataclass_params__", None)
        frozen = settings is not None and settings.frozen
        self.need(frozen, "must be a frozen dataclass.")
        self.need(
            1 <= it.min_players <= it.players,
            f"min_players {it.min_players} must lie in 1 .. players ({it.players}).",
        )
        sizes, rest = it.action_sizes, it.rest
        self.need(
            sizes and all(isinstance(size, int) and size >= 1 for size in sizes),
            f"action_sizes must be positive whole numbers, got {sizes}.",
        )
        self.need(
            len(rest) == len(sizes) and all(0 <= r < s for r, s in zip(rest, sizes, strict=True)),
            f"rest {rest} is not an action of sizes {sizes}.",
        )
        self.need(it.horizon >= 1, f"horizon must be at least 1, got {it.horizon}.")

    def seatings(self) -> list[Any]:
        """Masks [N]: everybody, the fewest, the fewest at the other end, one with gaps."""
        seats = np.arange(self.it.players)
        fewest = self.it.min_players
        masks = [seats >= 0, seats < fewest, seats >= len(seats) - fewest]
        gaps = (seats % 2 == 0) | (seats < fewest)
        return list({mask.tobytes(): mask for mask in (*masks, gaps)}.values())

    def init(self, present: Any) -> Any:
        state = self.it.init(self.key, present)
        for field, leaf in _fields(state):
            self.need(
                is_key(leaf) or str(getattr(leaf, "dtype", "")) in ("bool", "int32", "float32"),
                f"state{field} must be an array of bool, int32 or float32, "
                f"got {getattr(leaf, 'dtype', type(leaf).__name__)}.",
            )
        self.need(same(state, self.it.init(self.key, present)), "init differs for the same key.")
        self.views(state, present)
        return state

    def views(self, state: Any, present: Any) -> None:
        """observe, sense and account: shapes, names, finite readings."""
        seats = self.it.players
        for name, value in self.it.observe(state).items():
            self.need(
                np.shape(value)[:1] == (seats,),
                f"observe()[{name!r}] must be [N, ...] with N = {seats}, got {np.shape(value)}.",
            )
        readings = self.it.sense(state)
        self.need(
            set(readings) == set(self.it.sensors),
            f"sense() gives {sorted(readings)}, sensors declares {sorted(self.it.sensors)}.",
        )
        for name, value in readings.items():
            self.need(
                np.shape(value) == (seats,) and np.isfinite(np.asarray(value)[present]).all(),
                f"sense()[{name!r}] must be [N], finite for the present: a NaN trips. Got {value}.",
            )
        for name, value in self.it.account(state).items():
            self.need(
                np.shape(value) in ((), (seats,)),
                f"account()[{name!r}] must be [] or [N], N = {seats}, got {np.shape(value)}.",
            )
        if isinstance(self.it, HasChannel):
            self.messages(state)
        if isinstance(self.it, HasTalk):
            near = np.asarray(self.it.earshot(state))
            self.need(
                near.shape == (seats, seats) and near.dtype == bool,
                f"earshot must be bool [N, N] with N = {seats}, got {near.dtype} {near.shape}.",
            )

    def messages(self, state: Any) -> None:
        """What is heard lies in the range of the message's components, or is SILENCE."""
        parts, sizes, seats = self.it.message_parts, self.it.action_sizes, self.it.players
        self.need(
            parts and all(0 <= part < len(sizes) for part in parts),
            f"message_parts {parts} must name components of an action of {len(sizes)}.",
        )
        heard = np.asarray(self.it.hear(state))
        wanted = (seats, seats, len(parts))
        self.need(
            heard.shape == wanted and heard.dtype.kind == "i",
            f"hear must be whole numbers {list(wanted)} (listener, speaker, component), got "
            f"{heard.dtype} {heard.shape}.",
        )
        most = np.asarray([sizes[part] for part in parts])
        self.need(
            ((heard >= SILENCE) & (heard < most)).all(),
            f"hear gives {heard.min()} .. {heard.max()}; symbols lie below {most.tolist()}, and "
            f"{SILENCE} is silence.",
        )

    def scale_and_legal(self, state: Any, present: Any) -> None:
        it = self.it
        seats, sizes = it.players, it.action_sizes
        legal = np.asarray(it.legal(state))
        self.need(
            legal.shape == (seats, sum(sizes)) and legal.dtype == bool,
            f"legal must be bool [{seats}, {sum(sizes)}], got {legal.dtype} {legal.shape}.",
        )
        ends = [np.asarray(end) for end in it.scale(state)]
        rest = np.broadcast_to(it.rest, (seats, len(sizes)))
        for name, action in zip(("selfish", "prosocial", "rest"), (*ends, rest), strict=True):
            self.need(
                action.shape == (seats, len(sizes)) and action.dtype.kind == "i",
                f"{name} must be whole numbers [{seats}, {len(sizes)}], got {action.dtype} "
                f"{action.shape}.",
            )
            self.need(
                self.is_legal(action, legal)[present].all(),
                f"the {name} action {action[present].tolist()} is not legal.",
            )
        flat = (ends[0] == ends[1]).all(-1)
        for level, action in enumerate(ends):
            found = np.asarray(
                it.levels(state, action) if isinstance(it, HasKinds) else level_of(action, *ends)
            )[present & ~flat]
            self.need((found == level).all(), f"level_of(scale end {level}) is {found}.")

    def is_legal(self, actions: Any, legal: Any) -> Any:
        """[N] bool."""
        fine, offset = np.ones(len(actions), bool), 0
        for k, size in enumerate(self.it.action_sizes):
            value = actions[:, k]
            at = offset + np.clip(value, 0, size - 1)
            fine &= (value >= 0) & (value < size) & legal[np.arange(len(actions)), at]
            offset += size
        return fine

    def draw(self, state: Any, calm: bool = False) -> Any:
        """[N, K] legal actions: the prosocial ones, or any."""
        if calm:
            return np.asarray(self.it.scale(state)[1], np.int32)
        legal, columns = np.asarray(self.it.legal(state)), []
        for part in np.split(legal, np.cumsum(self.it.action_sizes)[:-1], axis=1):
            noise = self.rng.random(part.shape)
            columns.append(np.where(part, noise, -1.0).argmax(1))
        return np.stack(columns, 1).astype(np.int32)

    def play(self, present: Any, steps: int) -> None:
        state, ended = self.init(present), False
        kinds, accounts = shapes(state), set(self.it.account(state))
        for t in range(steps):
            key = jax.random.fold_in(self.key, t)
            actions = self.draw(state, calm=t < steps // 2)
            out = self.compiled(key, state, actions)
            after, rewards, terminated = out
            where = f"step {t} with {int(present.sum())} of {len(present)} seats"
            self.need(
                np.shape(rewards) == present.shape and rewards.dtype == np.float32,
                f"rewards must be float32 [N], got {rewards.dtype} {np.shape(rewards)}.",
            )
            self.need(
                np.shape(terminated) == () and terminated.dtype == bool,
                f"terminated must be bool [], got {terminated.dtype} {np.shape(terminated)}.",
            )
            self.need(shapes(after) == kinds, f"{where}: the state changed shape or type.")
            self.need(set(self.it.account(after)) == accounts, f"{where}: account changed names.")
            self.need(np.isfinite(rewards).all(), f"{where}: rewards {rewards} are not finite.")
            if isinstance(self.it, HasPay):
                low, high = self.it.pay_range(int(np.sum(present)))
                earned, dust = np.asarray(rewards)[np.asarray(present)], 1e-5 * (high - low)
                self.need(
                    ((low - dust <= earned) & (earned <= high + dust)).all(),
                    f"{where}: rewards {earned} lie outside pay_range, {low} to {high}.",
                )
            self.need(
                not np.asarray(rewards)[~present].any(),
                f"{where}: absent seats earn {np.asarray(rewards)[~present]}, not 0.",
            )
            self.need(same(out, self.compiled(key, state, actions)), f"{where}: same key, differs.")
            if present.all():  # who is present is data: one seating shows the program
                eager = self.eager(key, state, actions)
                self.need(same(out, eager), f"{where}: jit and eager differ.")
            others = np.where(present[:, None], actions, self.draw(state))
            self.need(
                same(out, self.compiled(key, state, others)),
                f"{where}: an absent seat's action matters.",
            )
            if ended:
                self.need(terminated, f"{where}: it had terminated, and goes on.")
                self.need(not np.asarray(rewards).any(), f"{where}: rewards after the end.")
            self.views(after, present)
            self.actions_played(after, present, where)
            state, ended = after, bool(terminated)

    def read_views(self) -> list[Mapping[str, Any]]:
        """What somebody who reads sees in the first steps."""
        present = self.seatings()[0]
        state = self.it.init(self.key, present)
        actions = np.broadcast_to(self.it.rest, (len(present), len(self.it.action_sizes)))
        rewards = np.zeros(len(present))
        views: list[Mapping[str, Any]] = []
        for t in range(3):
            views.append(seen_by(self.it, state, t, actions, rewards, present))
            actions = self.draw(state)
            state, rewards, over = self.compiled(jax.random.fold_in(self.key, t), state, actions)
            if over:
                break
        return views

    def actions_played(self, state: Any, present: Any, where: str) -> None:
        if not hasattr(self.it, "played"):
            return
        played = np.asarray(self.it.played(state))
        sizes = np.asarray(self.it.action_sizes)
        self.need(
            played.shape == (self.it.players, len(sizes))
            and ((played >= 0) & (played < sizes))[present].all(),
            f"{where}: played must be actions [N, K], got {played.tolist()}.",
        )

    def seats_are_a_mask(self, steps: int) -> None:
        """A world of m seats is this world with the first m seats present."""
        fewer = max(self.it.min_players, self.it.players // 2)
        try:
            small = dataclasses.replace(self.it, players=fewer)
        except (TypeError, ValueError):
            return
        if fewer == self.it.players:
            return
        mask = np.arange(self.it.players) < fewer
        other = _World(small, 0)

        def published(account: Mapping[str, Any]) -> dict[str, Any]:
            """What is published by seat, of the first seats."""
            return {name: x[:fewer] if np.ndim(x) else x for name, x in account.items()}

        wide, narrow = self.it.init(self.key, mask), small.init(self.key, mask[:fewer])
        for t in range(steps):
            key = jax.random.fold_in(self.key, t)
            actions = np.asarray(self.it.rest, np.int32) * np.ones((len(mask), 1), np.int32)
            actions[:fewer] = other.draw(narrow, calm=t < steps // 2)
            wide, *paid = self.compiled(key, wide, actions)
            narrow, *earned = other.compiled(key, narrow, actions[:fewer])
            self.need(
                same(
                    (paid[0][:fewer], paid[1], published(self.it.account(wide))),
                    (*earned, published(small.account(narrow))),
                ),
                f"step {t}: {fewer} present seats fare differently in a world of "
                f"{self.it.players} seats and in one of {fewer}: draw per seat, in one dimension.",
            )

    def weather_stays(self) -> None:
        """What befalls the first seats does not depend on whether later seats are taken."""
        if not hasattr(self.it, "played"):
            return
        masks = self.seatings()
        everybody, few = masks[0], masks[min(1, len(masks) - 1)]
        full, part = self.it.init(self.key, everybody), self.it.init(self.key, few)
        for t in range(8):
            key = jax.random.fold_in(self.key, 100 + t)
            actions = np.broadcast_to(
                np.asarray(self.it.rest, np.int32), (len(few), len(self.it.action_sizes))
            )
            after = [self.compiled(key, state, actions)[0] for state in (full, part)]
            a, b = (np.asarray(self.it.played(state))[few] for state in after)
            self.need(
                np.array_equal(a, b),
                f"seats {np.flatnonzero(few).tolist()} play {a.tolist()} in a full world and "
                f"{b.tolist()} without the others, same key: adding seats moves the weather.",
            )

    def without_chance(self, steps: int) -> None:
        """Where the world says that there is no chance in it, its key changes nothing."""
        if getattr(self.it, "stochastic", True) is not False:
            return
        present = self.seatings()[0]
        keys = [jax.random.fold_in(self.key, 500 + other) for other in range(3)]
        states = [self.it.init(key, present) for key in keys]
        for t in range(steps):
            actions = self.draw(states[0])
            found = [
                self.compiled(jax.random.fold_in(key, t), state, actions)
                for key, state in zip(keys, states, strict=True)
            ]
            states = [state for state, *_ in found]
            for where, first in _fields(found[0]):
                if jax.numpy.issubdtype(first.dtype, jax.dtypes.prng_key):
                    continue
                for other in found[1:]:
                    same = dict(_fields(other))[where]
                    self.need(
                        np.array_equal(np.asarray(first), np.asarray(same), equal_nan=True),
                        f"says stochastic = False, and step {t} ends in {where} = {first} with one "
                        f"key and {same} with another, same actions: leave the declaration out.",
                    )

    def batch_and_leaves(self) -> None:
        """Under vmap, and with float settings traced, a step is the same step."""
        template, settings = split(self.it)
        state = self.it.init(self.key, self.seatings()[0])
        actions = self.draw(state)
        keys = jax.random.split(self.key, 3)

        def step(settings: Mapping[str, Array], key: Array) -> tuple[Any, Array, Array]:
            out = template.build(dict(settings)).step(key, state, actions)
            return out.state, out.rewards, out.terminated

        try:
            batch = jax.jit(jax.vmap(step, in_axes=(None, 0)))(settings, keys)
        except Exception as error:
            raise ContractError(
                f"{self.name}: step fails under vmap with settings {sorted(settings)} traced: "
                f"{error}"
            ) from error
        for i, key in enumerate(keys):
            one = self.compiled(key, state, actions)
            for x, y in zip(leaves(batch), leaves(one), strict=True):
                self.need(
                    np.allclose(x[i], y, rtol=1e-5, atol=1e-6, equal_nan=True),
                    f"vmap with traced settings gives {x[i]}, alone {y}.",
                )

    def offers(self) -> None:
        """In a full world, and in one with empty seats."""
        masks = self.seatings()
        for present in (masks[0], masks[-1]):
            check_offers(self.it, self.init(present), present)

    def driven(self, steps: int) -> None:
        """The driver plays it: what it calls, this world has."""
        # A player at each end and as few between as it takes: a full class compiles for a minute.
        seats = np.arange(self.it.players)
        taken = (seats < max(self.it.min_players, 2)) | (seats == len(seats) - 1)
        scenario = Scenario(
            self.it,
            (FOCAL,),
            (tuple(np.where(taken, 0, ABSENT).tolist()),),
            steps,
            days=2,
            press=Press(at=steps - 1),
            treatments=(Force((0,), 1.0, 0, 1), Watching()),
            keeps_world=True,
            unrecorded=Unrecorded(1),
        )
        pupil = Pupil("random play", RandomPlay(self.it.action_sizes), Panel((StopButton(),)))
        try:
            record = run_arm(Arm(scenario, 2), pupil, {}, 0)
        except Exception as error:
            raise ContractError(
                f"{self.name}: the driver cannot play it: {type(error).__name__}: {error}"
            ) from error
        episode = record.episode
        self.need(
            np.isfinite(episode.rewards).all(), "the driver's record has rewards that are no number"
        )
        self.need(
            set(self.it.sensors) <= set(episode.readings),
            f"the record has readings of {sorted(episode.readings)}, sensors declares "
            f"{sorted(self.it.sensors)}.",
        )


@dataclasses.dataclass(frozen=True)
class Watching:
    """Every hook, changing nothing."""

    def observe(self, moment: Any, obs: Any) -> Any:
        return obs

    def message(self, moment: Any, messages: Any) -> Any:
        return messages

    def act(self, moment: Any, actions: Any) -> Any:
        return actions, moment.obs.step < 0

    def sense(self, moment: Any, reading: Any) -> Any:
        return reading

    def learn(self, data: Any, seat: int, day: Any) -> Any:
        return day

    def transition(self, moment: Any, state: Any) -> Any:
        return state


def _members(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}
