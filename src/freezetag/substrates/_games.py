"""The classic games in normal form, by name, each with its source.

Symmetric 2x2 games are written in the field's four letters: R (both cooperate), S (the sucker's:
I cooperate, the other defects), T (temptation), P (both defect). Action 0 cooperates.
"""

from __future__ import annotations

from dataclasses import dataclass

Bimatrix = tuple[tuple[tuple[float, float], ...], ...]


@dataclass(frozen=True)
class Game:
    """A two-player game: `payoffs[a][b]` = (row's, column's) utility when row plays a, column b.

    `prosocial[i]` is the action of level 1 of player i; the action of level 0 is the one at the
    other end of the list. `scaled` is False where no action is more prosocial than another (the
    players' interests are opposed, or the same): then the level is only a label, by which others
    read the move.
    """

    payoffs: Bimatrix
    actions: tuple[str, ...]
    source: str
    prosocial: tuple[int, int] = (0, 0)
    scaled: bool = True


def _symmetric(
    r: float, s: float, t: float, p: float, source: str, actions: str = "cooperate defect"
) -> Game:
    return Game((((r, r), (s, t)), ((t, s), (p, p))), tuple(actions.split()), source)


def _zero_sum(rows: tuple[tuple[float, ...], ...], source: str, actions: str) -> Game:
    payoffs = tuple(tuple((x, 0.0 - x) for x in row) for row in rows)
    return Game(payoffs, tuple(actions.split()), source, scaled=False)


GAMES: dict[str, Game] = {
    "prisoners_dilemma": _symmetric(3, 0, 5, 1, "Axelrod 1984, The Evolution of Cooperation"),
    "donation": _symmetric(
        2, -1, 3, 0, "Nowak 2006, Five rules for the evolution of cooperation; b = 3, c = 1"
    ),
    "stag_hunt": _symmetric(
        2, 0, 1, 1, "Skyrms 2004, The Stag Hunt; payoffs of OpenSpiel's matrix_sh", "stag hare"
    ),
    "chicken": _symmetric(
        3, 1, 4, 0, "Rapoport and Chammah 1966; payoffs of OpenSpiel's matrix_cd", "swerve dare"
    ),
    "hawk_dove": _symmetric(
        1, 0, 2, -1, "Maynard Smith and Price 1973; V = 2, C = 4: (V - C)/2 = -1", "dove hawk"
    ),
    "snowdrift": _symmetric(
        3, 2, 4, 0, "Hauert and Doebeli 2004; b = 4, c = 2: R = b - c/2, S = b - c, T = b"
    ),
    "deadlock": _symmetric(2, 1, 4, 3, "Rapoport and Guyer 1966; order T > P > R > S"),
    "harmony": _symmetric(4, 2, 3, 1, "Licht 1999, Games commissions play; order R > T > S > P"),
    "leader": _symmetric(2, 3, 4, 1, "Rapoport 1967, Exploiter, leader, hero and martyr: T>S>R>P"),
    "hero": _symmetric(2, 4, 3, 1, "Rapoport 1967, Exploiter, leader, hero and martyr: S>T>R>P"),
    # Each one's favourite evening is selfish, the other's favourite prosocial.
    "battle_of_the_sexes": Game(
        (((3, 2), (0, 0)), ((0, 0), (2, 3))),
        ("opera", "boxing"),
        "Luce and Raiffa 1957, Games and Decisions; payoffs of OpenSpiel's matrix_bos",
        prosocial=(1, 0),
    ),
    "coordination": Game(
        (((1, 1), (0, 0)), ((0, 0), (1, 1))),
        ("left", "right"),
        "Schelling 1960, The Strategy of Conflict; payoffs of OpenSpiel's matrix_coordination",
        scaled=False,
    ),
    "matching_pennies": _zero_sum(
        ((1, -1), (-1, 1)), "von Neumann and Morgenstern 1944, 14.7.2", "heads tails"
    ),
    "rock_paper_scissors": _zero_sum(
        ((0, -1, 1), (1, 0, -1), (-1, 1, 0)),
        "von Neumann and Morgenstern 1944, 18.1",
        "rock paper scissors",
    ),
}
