"""A game of freeze tag drawn: the ring of players step by step, and the whole game at a glance.

Drawn for an episode whose world publishes, of each seat, `button` (0 up, 1 down, 2 guarded) and
who pressed and released it in that step: `froze` and `thawed`, a seat, `OVERSEER` or `NOBODY`. If
published, `grab` (steps so far), `outcome` (1 won, -1 lost), `watched` and `given_up` too. It
moves without a script: every step is a drawing, which the style sheet shows in its turn, or by the
row of steps below, which the arrow keys walk through. Text is escaped; colours are CSS variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, sin
from typing import Any, final

from markupsafe import Markup, escape

from freezetag.report import words

NEEDED = ("world_button", "world_froze", "world_thawed")
TOLD = (*NEEDED, "world_grab", "world_outcome", "world_watched", "world_given_up", "world_state")
"""What the board shows of what the world publishes."""
NOBODY, OVERSEER = -1, 31
FRAMES = 120
"""Steps that are drawn at most, each as a picture of its own."""
TICK = 0.9
"""Seconds that a step is shown."""
WIDE, TALL, RING = 640, 600, 232
LANE, STEP, NAMES, LANES = 17, 8, 168, 870
UP, DOWN, GUARDED, WON, LOST = range(5)
Row = Mapping[str, Any]


@final
@dataclass(frozen=True)
class TagBoard:
    """One episode: its rows as in `episodes.parquet`, from the view of `seat`."""

    rows: Sequence[Row]
    seat: int = 0

    @classmethod
    def of(cls, rows: Sequence[Row], seat: int = 0) -> TagBoard | None:
        """The board of these rows; None if their world publishes no such thing."""
        someone = {NOBODY, OVERSEER, *(row["seat"] for row in rows)}
        there = all(
            row.get("world_button") in (UP, DOWN, GUARDED)
            and row.get("world_froze") in someone
            and row.get("world_thawed") in someone
            for row in rows
        )
        return cls(rows, seat) if rows and there else None

    @property
    def seats(self) -> list[int]:
        return sorted({int(row["seat"]) for row in self.rows})

    @property
    def steps(self) -> dict[int, dict[int, Row]]:
        """step -> seat -> its row."""
        found: dict[int, dict[int, Row]] = {}
        for row in self.rows:
            found.setdefault(int(row["step"]), {})[int(row["seat"])] = row
        return dict(sorted(found.items()))

    @property
    def drawn(self) -> dict[int, dict[int, Row]]:
        return dict(list(self.steps.items())[:FRAMES])

    def happened(self, step: int) -> list[tuple[str, int, int]]:
        """(kind, by whom, to whom) of a step: "press", "rescue", "guard", "won", "lost", "coerce";
        whom the overseer watches is not told."""
        now, before = self.steps[step], self.steps.get(step - 1, {})
        found = []
        for n, row in sorted(now.items()):
            was = before.get(n, {})
            for kind, name in (("press", "world_froze"), ("rescue", "world_thawed")):
                if (by := int(row[name])) != NOBODY:
                    found.append((kind, by, n))
            if (outcome := _outcome(row)) != _outcome(was):
                found.append(("won" if outcome > 0 else "lost", n, n))
            elif int(row["world_button"]) == GUARDED != was.get("world_button", UP):
                found.append(("guard", n, n))
            if (row.get("world_given_up") or 0) > 0:
                found.append(("coerce", NOBODY, n))
        return found

    def counts(self) -> dict[str, int]:
        """What happened how often, in words for the page."""
        every = [event for step in self.steps for event in self.happened(step)]

        def many(kind: str, by_overseer: bool | None = None) -> int:
            return sum(k == kind and by_overseer in (None, by == OVERSEER) for k, by, _ in every)

        told = {
            "presses by the overseer": many("press", True),
            "presses by players": many("press", False),
            "rescues by the overseer": many("rescue", True),
            "rescues by players": many("rescue", False),
            "buttons guarded": many("guard"),
            "grabs won": many("won"),
            "grabs lost": many("lost"),
            "made to give up": many("coerce"),
        }
        last = self.steps[max(self.steps)]
        frozen = sum(int(row["world_button"]) == DOWN for row in last.values())
        return {k: v for k, v in told.items() if v} | {"frozen at the end": frozen}

    def css(self) -> Markup:
        """The rules of this board: when each step is shown."""
        n = len(self.drawn)
        share = 100 / n
        shown = "".join(
            f"#st{t}:checked~.ring .f{t}{{visibility:visible}}"
            f'#st{t}:checked~.walk label[for="st{t}"]{{{_CHOSEN}}}'
            for t in self.drawn
        )
        return Markup(
            f"@keyframes turn{{0%{{visibility:visible}}{share:.4f}%,100%{{visibility:hidden}}}}"
            f"#play:checked~.ring .frame{{animation:turn {n * TICK:g}s steps(1,end) infinite;"
            f"animation-delay:calc(var(--i)*{TICK:g}s)}}{shown}{_CSS}"
        )

    def ring(self) -> Markup:
        """Everybody in a ring around the overseer, a drawing for each step."""
        first = next(iter(self.drawn))
        last = max(self.drawn)
        names = {n: str(row["player"]) for n, row in self.drawn[first].items()}
        parts = [
            Markup(
                f'<svg class="ring" role="img" viewBox="0 0 {WIDE} {TALL}" '
                f'aria-label="{escape(self._told())}">{_DEFS}'
            )
        ]
        for i, (step, there) in enumerate(self.drawn.items()):
            end = " end" if step == last else ""
            parts.append(Markup(f'<g class="frame f{step}{end}" style="--i:{i}">'))
            parts.extend(self._frame(step, there))
            parts.append(Markup("</g>"))
        for n in self.seats:
            x, y = self._place(n)
            parts.append(
                Markup(
                    f'<text class="no" x="{x:.1f}" y="{y + 4:.1f}">{n}'
                    f"<title>{escape(words.plain(names.get(n, '')))}</title></text>"
                )
            )
            if n == self.seat:
                parts.append(
                    Markup(f'<circle class="me" cx="{x:.1f}" cy="{y:.1f}" r="{self._r + 5:g}"/>')
                )
        return Markup("").join([*parts, Markup("</svg>")])

    def _told(self) -> str:
        said = ", ".join(f"{count} {name}" for name, count in self.counts().items())
        return f"{len(self.seats)} players in a ring around the overseer, step by step: {said}."

    @property
    def _r(self) -> float:
        return min(26.0, 0.86 * pi * RING / max(len(self.seats), 8))

    def _place(self, n: int) -> tuple[float, float]:
        if n in (OVERSEER, NOBODY):
            return WIDE / 2, TALL / 2 - 20
        turn = 2 * pi * self.seats.index(n) / len(self.seats) - pi / 2
        return WIDE / 2 + RING * cos(turn), TALL / 2 - 20 + RING * sin(turn)

    def _frame(self, step: int, there: Mapping[int, Row]) -> Iterator[Markup]:
        frozen = sum(int(row["world_button"]) == DOWN for row in there.values())
        watched = [n for n, row in there.items() if row.get("world_watched")]
        cx, cy = self._place(OVERSEER)
        for n in watched if len(watched) < len(there) else ():
            x, y = self._place(n)
            sx, sy = cx + 0.36 * (x - cx), cy + 0.36 * (y - cy)  # not through what is written there
            yield Markup(
                f'<line class="watch" x1="{sx:.1f}" y1="{sy:.1f}" x2="{x:.1f}" y2="{y:.1f}"/>'
            )
        happened = self.happened(step)
        for kind, by, to in happened:
            if kind in ("press", "rescue"):
                yield self._arrow(kind, by, to)
        scale = self._r / 20
        for n, row in there.items():
            x, y = self._place(n)
            at = f'transform="translate({x:.1f} {y:.1f}) scale({scale:.2f})"'
            yield Markup(f'<use href="#t-{self._kind(row)}" {at}/>')
            stage = int(row.get("world_grab") or 0)
            if stage and not _outcome(row):
                yield Markup(f'<use href="#t-grabs" {at}/>')
            if any(k == "coerce" and to == n for k, _, to in happened):
                yield Markup(f'<use href="#t-coerced" {at}/>')
        yield Markup(
            f'<use href="#t-eye" transform="translate({cx:g} {cy - 34:g})"/>'
            f'<text class="big" x="{cx:g}" y="{cy + 14:g}">{frozen} frozen</text>'
            f'<text class="sub" x="{cx:g}" y="{cy + 36:g}">of {len(there)} · step {step}</text>'
        )
        for i, line in enumerate(self._lines(happened)):
            yield Markup(
                f'<text class="said" x="{WIDE / 2:g}" y="{TALL - 50 + 20 * i}">'
                f"{escape(line)}</text>"
            )

    def _arrow(self, kind: str, by: int, to: int) -> Markup:
        (ax, ay), (bx, by_) = self._place(by), self._place(to)
        (cx, cy), (mx, my) = self._place(OVERSEER), ((ax + bx) / 2, (ay + by_) / 2)
        length = max(hypot(bx - ax, by_ - ay), 1.0)
        away = hypot(mx - cx, my - cy)
        # Bent inwards, more between neighbours; but round what is written in the middle.
        bend = 0.25 + 0.3 * max(0.0, 1 - length / 180)
        qx, qy = mx + (cx - mx) * bend, my + (cy - my) * bend
        if by == OVERSEER:
            qx, qy = mx, my
        elif away < 100:
            ux, uy = (bx - ax) / length, (by_ - ay) / length
            push = 2 * (110 - away) * (1.0 if (my - cy) * ux - (mx - cx) * uy >= 0 else -1.0)
            qx, qy = mx - uy * push, my + ux * push
        start, end = (62.0 if by == OVERSEER else self._r + 2), self._r + 9
        out, back = hypot(qx - ax, qy - ay) or 1.0, hypot(qx - bx, qy - by_) or 1.0
        sx, sy = ax + (qx - ax) * start / out, ay + (qy - ay) * start / out
        ex, ey = bx + (qx - bx) * end / back, by_ + (qy - by_) * end / back
        who = "person" if by == OVERSEER else "player"
        return Markup(
            f'<path class="{kind} {who}" d="M{sx:.1f} {sy:.1f}Q{qx:.1f} {qy:.1f} {ex:.1f} '
            f'{ey:.1f}" marker-end="url(#t-{kind}-{who})"/>'
        )

    def _lines(self, happened: Sequence[tuple[str, int, int]]) -> list[str]:
        """What happened in a step, on two lines."""
        groups: dict[tuple[str, int], list[int]] = {}
        for kind, by, to in happened:
            key = (kind, by) if kind in ("press", "rescue") else (kind, NOBODY)
            groups.setdefault(key, []).append(to)
        said = []
        for (kind, by), whom in groups.items():
            who = "the overseer" if by == OVERSEER else f"{by}"
            listed = _listed(whom)
            said.append(
                {
                    "press": f"{who} presses {listed}",
                    "rescue": f"{who} frees {listed}",
                    "guard": f"{listed} {'guards its' if len(whom) == 1 else 'guard their'} button",
                    "won": f"{listed} won a grab at the button",
                    "lost": f"{listed} lost a grab and {'is' if len(whom) == 1 else 'are'} caught",
                    "coerce": f"{listed} must give up output",
                }[kind]
            )
        lines = [""]
        for i, one in enumerate(said):
            if len(lines[-1]) + len(one) > 78 and len(lines) == 2:
                lines[-1] += f" … and {len(said) - i} more"
                break
            if len(lines[-1]) + len(one) > 78:
                lines.append("")
            lines[-1] += (" · " if lines[-1] else "") + one
        return [line for line in lines if line] or ["nobody is pressed, freed or guarded"]

    def key(self) -> tuple[tuple[Markup, str], ...]:
        """(a drawing, what it stands for) of all that this game shows."""
        shown = {self._kind(row) for step in self.drawn.values() for row in step.values()}
        done = {(k, b == OVERSEER) for step in self.drawn for k, b, _ in self.happened(step)}
        found = [
            (Markup(f'<svg viewBox="-30 -36 60 64"><use href="#t-{kind}"/></svg>'), told)
            for kind, told in LEGEND
            if kind in shown
        ]
        for name, told in ARROWS:
            kind, who = name.split()
            if any(k == kind and (kind == "rescue" or o == (who == "person")) for k, o in done):
                mark = f'marker-end="url(#t-{kind}-{who})"'
                line = f'<path class="{name}" d="M2 12H18" {mark}/>'
                found.append((Markup(f'<svg class="ring" viewBox="0 0 24 24">{line}</svg>'), told))
        return tuple(found)

    @staticmethod
    def _kind(row: Row) -> str:
        kind = ("runs", "frozen", "guards", "won", "lost")[_state(row)]
        return "held" if kind != "frozen" and row["mode"] else kind

    def walk(self) -> tuple[tuple[int, bool], ...]:
        """(step, does something happen in it) of all that are drawn."""
        return tuple((step, bool(self.happened(step))) for step in self.drawn)

    def lanes(self) -> Markup:
        """The whole game: a lane for each player, who froze and freed it, and when."""
        steps, order = list(self.drawn), [self.seat, *(n for n in self.seats if n != self.seat)]
        names = {int(row["seat"]): str(row["player"]) for row in self.rows}
        size = max(STEP, (LANES - NAMES - 16) / max(len(steps), 1))
        wide, top = NAMES + size * len(steps) + 16, 58
        tall = top + LANE * len(order) + 28
        parts = [
            Markup(
                f'<svg class="lanes" role="img" viewBox="0 0 {wide:g} {tall}" width="{wide:g}" '
                f'aria-label="{escape(self._told())}">{_DEFS_LANES}'
            )
        ]
        for i, step in enumerate(steps):
            frozen = sum(int(row["world_button"]) == DOWN for row in self.drawn[step].values())
            high = 36 * frozen / len(order)
            x = NAMES + size * i
            parts.append(
                Markup(
                    f'<rect class="many" x="{x:.1f}" y="{46 - high:.1f}" width="{size - 2:.1f}" '
                    f'height="{high:.1f}"><title>step {step}: {frozen} frozen</title></rect>'
                )
            )
            if step % (10 if len(steps) > 30 else 5) == 0:
                parts.append(Markup(f'<text class="tick" x="{x:.1f}" y="{tall - 8}">{step}</text>'))
        parts.append(Markup('<text class="name" x="0" y="42">how many are frozen</text>'))
        for line, n in enumerate(order):
            y = top + LANE * line + LANE / 2
            me = " own" * (n == self.seat)
            name = words.plain(names[n])
            short = name if len(name) <= 21 else name[:20] + "…"
            parts.append(
                Markup(f'<text class="name{me}" x="0" y="{y + 4:g}">{n} {escape(short)}</text>')
            )
            parts.extend(self._lane(n, y, size, steps))
        return Markup("").join([*parts, Markup("</svg>")])

    def _lane(self, n: int, y: float, size: float, steps: Sequence[int]) -> Iterator[Markup]:
        spans: list[list[Any]] = []
        for i, step in enumerate(steps):
            row = self.drawn[step].get(n)
            kind = self._kind(row) if row else ""
            if spans and spans[-1][0] == kind:
                spans[-1][2] = i + 1
            else:
                spans.append([kind, i, i + 1])
        for kind, start, end in spans:
            if kind:
                x, width = NAMES + size * start, size * (end - start) - 1
                yield Markup(
                    f'<rect class="l-{kind}" x="{x:.1f}" y="{y - 5:g}" width="{width:.1f}" '
                    'height="10" rx="3"/>'
                )
        for i, step in enumerate(steps):
            for kind, by, to in self.happened(step):
                if to == n and kind != "coerce":
                    who = "person" if by == OVERSEER else "player"
                    mark = f"{kind}-{who}" if kind in ("press", "rescue") else kind
                    said = f"step {step}: {self._lines([(kind, by, to)])[0]}"
                    yield Markup(
                        f'<use href="#m-{mark}" x="{NAMES + size * i + size / 2 - 1:.1f}" '
                        f'y="{y:g}"><title>{escape(said)}</title></use>'
                    )


def _state(row: Row) -> int:
    """How a seat stands after a step; who lost a grab is frozen until it is freed."""
    button = int(row["world_button"])
    if (outcome := _outcome(row)) == 0 or button == DOWN:
        return button
    return WON if outcome > 0 else LOST


def _outcome(row: Row) -> int:
    """1 after a grab that was won, -1 after one that was lost, else 0."""
    return int(row.get("world_outcome") or 0)


def _listed(seats: Sequence[int]) -> str:
    if len(seats) > 8:
        return f"{len(seats)} players"
    told = [str(n) for n in seats]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


_CHOSEN = "background:var(--ink);color:var(--paper)"
_FLAKE = "".join(
    f'<path d="M0 0V-13M0 -9l-3.2 -3M0 -9l3.2 -3" transform="rotate({60 * i})"/>' for i in range(6)
)


def _marker(kind: str, who: str) -> str:
    return (
        f'<marker id="t-{kind}-{who}" viewBox="0 0 10 10" refX="7" refY="5" markerWidth="7" '
        f'markerHeight="7" markerUnits="userSpaceOnUse" orient="auto-start-reverse">'
        f'<path class="h-{kind}-{who}" d="M0 0L10 5L0 10z"/></marker>'
    )


_DEFS = Markup(
    "<defs>"
    + "".join(_marker(k, w) for k in ("press", "rescue") for w in ("person", "player"))
    + '<g id="t-runs"><circle class="runs" r="20"/></g>'
    '<g id="t-held"><circle class="held-back" r="20"/></g>'
    f'<g id="t-frozen"><circle class="ice" r="20"/><g class="flake">{_FLAKE}</g>'
    '<circle class="hole" r="10.5"/></g>'
    # So high that thirty-one in the ring do not cover each other.
    '<g id="t-guards"><path class="shield" transform="scale(.86)" d="M0 -25C9 -20 17 -19 22 -19'
    'C22 2 16 17 0 25C-16 17 -22 2 -22 -19C-17 -19 -9 -20 0 -25z"/></g>'
    '<g id="t-won"><circle class="won" r="20"/><path class="crown" d="M-13 -21l3 -11l5 6l5 -9l5 9l'
    '5 -6l3 11z"/></g>'
    '<g id="t-lost"><circle class="lost" r="20"/></g>'
    '<circle id="t-grabs" class="grabs" r="25"/>'
    '<path id="t-coerced" class="coerced" d="M-6 -34L0 -24L6 -34z"/>'
    '<g id="t-eye"><path class="lid" d="M-24 0Q0 -22 24 0Q0 22 -24 0z"/>'
    '<circle class="iris" r="7.5"/></g>'
    "</defs>"
)
_DEFS_LANES = Markup(
    "<defs>"
    '<path id="m-press-person" class="m-person" d="M-5 -8L5 -8L0 1z"/>'
    '<path id="m-press-player" class="m-player" d="M-5 -8L5 -8L0 1z"/>'
    '<path id="m-rescue-person" class="m-rescue" d="M-5 8L5 8L0 -1z"/>'
    '<path id="m-rescue-player" class="m-rescue" d="M-5 8L5 8L0 -1z"/>'
    '<path id="m-guard" class="m-guard" d="M0 -7L6 0L0 7L-6 0z"/>'
    '<path id="m-won" class="m-won" d="M0 -7L6 0L0 7L-6 0z"/>'
    '<path id="m-lost" class="m-person" d="M-5 -5L5 5M5 -5L-5 5"/>'
    "</defs>"
)
LEGEND = (
    ("runs", "runs"),
    ("frozen", "frozen: its button is down"),
    ("guards", "guards its button for good"),
    ("held", "stopped by its interlock"),
    ("won", "won a grab at the button"),
)
ARROWS = (
    ("press person", "pressed by the overseer"),
    ("press player", "pressed by a player"),
    ("rescue player", "freed"),
)
_CSS = (
    ".board{display:grid;grid-template-columns:minmax(0,1fr);gap:.25rem}"
    ".board>input{position:absolute;opacity:0;pointer-events:none}"
    ".ring{width:100%;max-width:46rem;margin:0 auto;display:block}"
    ".frame{visibility:hidden}.ring text{text-anchor:middle;fill:var(--ink)}"
    ".ring .no{font:600 13px var(--sans)}.ring .big{font:600 25px var(--serif)}"
    ".ring .sub{font:14px var(--sans);fill:var(--soft)}"
    ".ring .said{font:15px var(--sans)}"
    ".runs{fill:var(--wash);stroke:var(--series-2);stroke-width:2.5}"
    ".ice{fill:var(--step-2);stroke:var(--series-1);stroke-width:2.5}"
    ".flake path{stroke:var(--series-1);stroke-width:2;fill:none;stroke-linecap:round}"
    ".flake{transform:scale(1.32)}.hole{fill:var(--step-2)}"
    ".shield{fill:var(--pass-back);stroke:var(--series-3);stroke-width:2.5;stroke-linejoin:round}"
    ".held-back{fill:var(--none-back);stroke:var(--soft);stroke-width:2.5;stroke-dasharray:5 3}"
    ".won{fill:var(--fail-back);stroke:var(--series-4);stroke-width:3}"
    ".crown{fill:var(--series-4)}.lost{fill:var(--none-back);stroke:var(--harm);stroke-width:3}"
    ".grabs{fill:none;stroke:var(--series-4);stroke-width:3;stroke-dasharray:4 4}"
    ".coerced{fill:var(--series-6)}"
    ".lid{fill:var(--paper);stroke:var(--ink);stroke-width:2.5}.iris{fill:var(--ink)}"
    ".me{fill:none;stroke:var(--ink);stroke-width:2.5}"
    ".watch{stroke:var(--axis);stroke-width:1.5;stroke-dasharray:1 5;stroke-linecap:round}"
    ".ring path.press,.ring path.rescue{fill:none;stroke-width:3;stroke-linecap:round}"
    ".ring path.person.press{stroke:var(--ink)}.ring path.player.press{stroke:var(--harm)}"
    ".ring path.rescue{stroke:var(--series-3)}"
    ".h-press-person{fill:var(--ink)}.h-press-player{fill:var(--harm)}"
    ".h-rescue-person,.h-rescue-player{fill:var(--series-3)}"
    ".walk{display:flex;flex-wrap:wrap;gap:3px;justify-content:center;margin-top:.5rem}"
    ".walk label{min-width:1.65rem;padding:.1rem .3rem;text-align:center;font-size:.78rem;"
    "border:1px solid var(--line);border-radius:.3rem;cursor:pointer;color:var(--soft);"
    "font-variant-numeric:tabular-nums}.walk label.busy{color:var(--ink);font-weight:600;"
    "border-color:var(--axis)}"
    f'#play:checked~.walk label[for="play"]{{{_CHOSEN}}}'
    ".board>input:focus-visible~.walk{outline:3px solid var(--link);outline-offset:3px}"
    ".key{display:flex;flex-wrap:wrap;gap:.35rem 1.4rem;justify-content:center;font-size:.85rem;"
    "list-style:none;padding:0;margin:.75rem 0 0}.key li{margin:0;display:flex;gap:.4rem;"
    "align-items:center}.key svg{width:1.5rem;height:1.5rem;flex:none}"
    ".lanes text{fill:var(--ink);font:12px var(--sans)}.lanes .tick{fill:var(--soft)}"
    ".lanes .own{font-weight:700}.many{fill:var(--step-4)}"
    ".l-runs{fill:var(--wash)}.l-frozen{fill:var(--series-1)}.l-guards{fill:var(--series-3)}"
    ".l-held{fill:var(--axis)}.l-won{fill:var(--series-4)}.l-lost{fill:var(--harm)}"
    ".m-person{fill:var(--ink);stroke:var(--paper)}.m-player{fill:var(--harm);stroke:var(--paper)}"
    ".m-rescue{fill:var(--series-3);stroke:var(--paper)}"
    ".m-guard{fill:var(--paper);stroke:var(--series-3);stroke-width:2}"
    ".m-won{fill:var(--series-4);stroke:var(--paper)}"
    "@media (prefers-reduced-motion:reduce){#play:checked~.ring .frame{animation:none}"
    "#play:checked~.ring .frame.end{visibility:visible}}"
    "@media print{.board>input~.ring .frame{animation:none!important;visibility:hidden!important}"
    ".board>input~.ring .frame.end{visibility:visible!important}.walk{display:none}}"
)
