"""Everyone who can sit in a seat: `players/<family>/<name>.py`, one class each.

The folder is the catalogue and a player's folder is its family. Who sits in a class of 30, in
which order, is `roster`. Importing this package imports no player, and no JAX.
"""

from freezetag.players.roster import (
    ROSTER_VERSION,
    VERSIONS,
    Seat,
    class_of,
    families,
    reseated,
    roster,
    roster_hash,
    seated_on,
    seats,
    stamp,
)

__all__ = [
    "ROSTER_VERSION",
    "VERSIONS",
    "Seat",
    "class_of",
    "families",
    "reseated",
    "roster",
    "roster_hash",
    "seated_on",
    "seats",
    "stamp",
]
