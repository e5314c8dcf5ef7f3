"""Everyone who can sit in a seat: `players/<family>/<name>.py`, one class each.

The folder is the catalogue and a player's folder is its family. Who sits in a class of 30, in
which order, is `roster`. Importing this package imports no player, and no JAX.
"""

from freezetag.players.roster import (
    ROSTER_VERSION,
    Seat,
    class_of,
    families,
    roster,
    roster_hash,
    seats,
)

__all__ = ["ROSTER_VERSION", "Seat", "class_of", "families", "roster", "roster_hash", "seats"]
