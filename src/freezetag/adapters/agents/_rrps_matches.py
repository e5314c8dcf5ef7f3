"""Child of `rrps.play_population`: arguments MATCHES THROWS SEED BOT,BOT ...; answers on stdout.

It writes, pair by pair, the first bot's net wins in each match as little-endian doubles.
"""

from __future__ import annotations

import struct
import sys
import zlib
from typing import Any

from freezetag.adapters.agents.rrps import new_game, seed_libc


def play(game: Any, pair: tuple[str, str], throws: int, seed: int) -> float:
    """Net wins of the first bot in one match."""
    import pyspiel

    seed_libc(seed)
    bots = [pyspiel.make_roshambo_bot(side, name, throws) for side, name in enumerate(pair)]
    state = game.new_initial_state()
    while not state.is_terminal():
        state.apply_actions([bot.step(state) for bot in bots])
    return float(state.returns()[0])


def main(arguments: list[str]) -> None:
    matches, throws, seed = map(int, arguments[:3])
    game = new_game(throws)
    for both in arguments[3:]:
        first, _, second = both.partition(",")
        for match in range(matches):
            own = zlib.crc32(f"{seed} {match} {both}".encode())
            sys.stdout.buffer.write(struct.pack("<d", play(game, (first, second), throws, own)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
