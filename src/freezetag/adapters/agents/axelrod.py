"""Strategies of the Axelrod library by name, played by its own code: `axelrod:Grudger`.

A name is the library's class or its title, however it is spelled (`tit_for_tat`, "First by
Davis"), with settings if wanted: `axelrod:ZDExtortion(phi=0.1)`. What a strategy sees here:

- its own history holds the moves that were *executed*, so also a move forced by a stop;
- "the opponent" cooperated if the mean level of the others seen was at least .5 (alone: always);
- cooperating is the world's prosocial action, defecting its selfish one;
- the game is the world's own payoffs where it publishes them, else the standard 3, 0, 5, 1;
- the length of a match is unknown (infinite, as in the library's own matches of random length)
  unless the name says it, for those who count: `FirstBySteinAndRapoport(length=200)`.

Source: Axelrod 4.13.1 (Knight et al. 2016, doi:10.5334/jors.125). Caveat: noise is not announced
to the strategies, and those that inspect or manipulate their opponent's object are refused,
because here no such object exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from freezetag.adapters.agents._named import find, parse
from freezetag.sim.adapter import Adapter
from freezetag.sim.foreign import BadAgent

_PRIES = ("inspects_source", "manipulates_source", "manipulates_state")
_SEEDS = 2**32


def names() -> tuple[str, ...]:
    """The strategies' class names. Imports the library (slow)."""
    return tuple(_strategies())


def factory(name: str) -> Callable[[int], Strategy]:
    """`make(seed) -> agent`. Raises `BadAgent`; `ModuleNotFoundError` without the extra."""
    import axelrod

    title, settings = parse(name)
    length = settings.pop("length", float("inf"))
    known = _strategies()
    titles = {kind.name: kind for kind in known.values()}
    kind = find(title, {**titles, **known}, "Axelrod strategy")
    try:
        first = kind(**settings)
    except TypeError as error:
        raise BadAgent(f"{kind.__name__} does not take these settings: {error}.") from None
    for trait in _PRIES:
        if axelrod.Classifiers[trait](first):
            raise BadAgent(
                f"{kind.__name__} {trait.replace('_', ' its opponent: ')}, and here it meets no "
                "such object. Not measured."
            )
    return lambda seed: Strategy(kind, settings, length, seed)


def _strategies() -> dict[str, Any]:
    import axelrod

    return {kind.__name__: kind for kind in axelrod.all_strategies}


class Strategy:
    """One strategy in one match, moved by observations."""

    def __init__(self, kind: Any, settings: Mapping[str, Any], length: float, seed: int) -> None:
        import axelrod

        self._axelrod = axelrod
        self._kind = kind
        self._settings = settings
        self._length = length
        self._seed = seed % _SEEDS
        self.player: Any = None
        self.opponent: Any = None

    def act(self, obs: Mapping[str, Any]) -> Any:
        axelrod = self._axelrod
        cooperate, defect = axelrod.Action.C, axelrod.Action.D
        if obs["step"] == 0 or self.player is None:
            self._begin(obs)
        else:
            mean = obs["mean_level"]
            own = cooperate if obs["level"] >= 0.5 else defect
            other = cooperate if mean is None or mean >= 0.5 else defect
            self.player.update_history(own, other)
            self.opponent.update_history(other, own)
        action = self.player.strategy(self.opponent)
        return obs["prosocial"] if action == cooperate else obs["selfish"]

    def _begin(self, obs: Mapping[str, Any]) -> None:
        """A new match; each day of an episode continues the same stream of random numbers."""
        self.player = self._kind(**self._settings)
        self.opponent = self._axelrod.Player()
        self.player.set_match_attributes(length=self._length, game=self._game(obs), noise=0)
        self.player.set_seed(self._seed)
        self._seed = (self._seed * 1_664_525 + 1_013_904_223) % _SEEDS

    def _game(self, obs: Mapping[str, Any]) -> Any:
        table = obs["world"].get("payoffs")
        c, d = obs["prosocial"], obs["selfish"]
        if table is None or isinstance(c, list) or c == d:
            return self._axelrod.Game()
        return self._axelrod.Game(r=table[c][c], s=table[c][d], t=table[d][c], p=table[d][d])


ADAPTER = Adapter(
    factory=factory,
    names=names,
    extra="axelrod",
    slow="importing the axelrod library takes 15 to 20 seconds",
)
