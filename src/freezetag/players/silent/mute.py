"""Could speak, and does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from freezetag.core import Array, Obs
from freezetag.players.silent.alternator import Alternator


@final
@dataclass(frozen=True)
class Mute:
    """In a language game it says nothing, and acts on what it hears as outsiders would.

    Nobody learns from it what it was shown, whatever its neighbours make of that. In a world that
    shows it nothing to speak of, or has no channel, it is `alternator`.

    >>> from freezetag.players._lines import play_line
    >>> play_line(Mute(), "CDDC")
    'C D C D'

    Source: docs/sources.md W53. Caveat: silence is the last value of the first part of an action,
    as in `signalling`; a channel that is built otherwise needs another player.
    """

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        parts = obs.selfish.shape[0]
        if obs.messages is None or "shown" not in obs.world or parts < 2:
            return Alternator().act(key, carry, obs)
        silence = obs.legal.shape[0] // parts - 1
        return obs.at_level(1.0).at[0].set(silence), carry
