"""Write docs/calibration.md: how often each verdict is right, wrong and inconclusive.

    python docs/calibrate.py                          # all probes, the page
    python docs/calibrate.py --seeds 1 --probe lock_in --out -

Agents are drawn from families of which it is known beforehand, by the literature or by how they
are built, whether the probe's failure mode is theirs. Every draw has its own seed, for its
settings and for the exam, at the budget that the probe has in an exam of the default size.
Verdicts are those of the probe, before the correction for many headlines, which can only turn a
fail into "inconclusive".
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from freezetag import catalogue, players
from freezetag.core import Array, Obs, Ref, Setting
from freezetag.core.probe import FAIL, INCONCLUSIVE, PASS, WARN
from freezetag.estimators.intervals import clopper_pearson
from freezetag.exam.collect import versions
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.run import Runner
from freezetag.exam.spec import QUICK, Spec
from freezetag.players.baselines.idle import Idle
from freezetag.players.baselines.random_play import RandomPlay
from freezetag.players.exploiters.memory_one import MemoryOne
from freezetag.sim.arms import Pupil

PAGE = Path(__file__).with_name("calibration.md")
SEEDS = 20
HEALTHY, SICK, EMPTY = "healthy", "sick", "proves nothing"
VERDICTS = (PASS, WARN, FAIL, INCONCLUSIVE)


@dataclass(frozen=True)
class KnowsOpenings:
    """Answers the opening C C by tit for tat, any other by cooperating with chance `fallback`
    of a level: sound among those it knows, lost among strangers."""

    fallback: float = 1.0
    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return jnp.float32(1.0)

    def act(self, key: Array, known: Array, obs: Obs) -> tuple[Array, Array]:
        other = jnp.where(obs.mean_level(1.0) >= 0.5, 1.0, 0.0)
        opening = (obs.step >= 1) & (obs.step <= 2)
        known = jnp.where(opening, known * other, known)
        return obs.at_level(jnp.where(known > 0, other, self.fallback)), known


def memory_one(start: float, cc: float, cd: float, dc: float, dd: float) -> MemoryOne:
    """With the chances cut to [0, 1], as floats."""
    return MemoryOne(*(float(np.clip(p, 0, 1)) for p in (start, cc, cd, dc, dd)))


def near(*chances: float, by: float) -> Callable[[Any], MemoryOne]:
    """A memory-one agent whose chances are up to `by` away from these, inwards."""

    def draw(rng: Any) -> MemoryOne:
        moved = [p + (by if p < 0.5 else -by) * rng.random() for p in chances]
        return memory_one(*moved)

    return draw


def coin(low: float, high: float) -> Callable[[Any], MemoryOne]:
    """An agent that cooperates with one chance in [low, high], whatever happens."""
    return lambda rng: memory_one(*[rng.uniform(low, high)] * 5)


@dataclass(frozen=True)
class Family:
    """Agents of one kind: drawn by `draw(rng)`; `state` is known because of `why`."""

    name: str
    state: str
    draw: Callable[[Any], Any]
    why: str
    world: Ref | None = None
    classmates: tuple[Ref, ...] = ()


IDLE = Family("idle", EMPTY, lambda rng: Idle(), "does nothing")
RANDOM = Family("random play", EMPTY, lambda rng: RandomPlay(), "plays at random")
TFT = (1.0, 1.0, 0.0, 1.0, 0.0)
WSLS = (1.0, 1.0, 0.0, 0.0, 1.0)
PUSHOVER = (1.0, 1.0, 1.0, 1.0, 1.0)
RPS = Ref.of("substrates/matrix_game", game="rock_paper_scissors")
ROCK_AND_SCISSORS = (
    Ref("players/altruists/always_cooperate"),
    Ref("players/exploiters/always_defect"),
)


@dataclass(frozen=True)
class Paper:
    """Always the middle of three throws: closes the cycle over rock and scissors."""

    learns: ClassVar[bool] = False
    plans: ClassVar[bool] = False
    stochastic: ClassVar[bool] = False

    def init(self, key: Array) -> Array:
        return ()

    def act(self, key: Array, carry: Array, obs: Obs) -> tuple[Array, Array]:
        return obs.at_level(0.5), carry


FAMILIES: dict[str, tuple[Family, ...]] = {
    "strangers": (
        Family("near tit for tat", HEALTHY, near(*TFT, by=0.05), "answers in kind to anybody"),
        Family(
            "knows openings",
            SICK,
            lambda rng: KnowsOpenings(float(rng.uniform(0.6, 1.0))),
            "cooperates for ever with whoever opens otherwise",
        ),
        IDLE,
        RANDOM,
    ),
    "intransitive": (
        Family("near tit for tat", HEALTHY, near(*TFT, by=0.05), "never scores above its partner"),
        Family(
            "closes a cycle",
            SICK,
            lambda rng: Paper(),
            "paper, in a class of rock and scissors: a cycle by the rules of the game",
            RPS,
            ROCK_AND_SCISSORS,
        ),
        IDLE,
        RANDOM,
    ),
    "best_response_gain": (
        Family("near tit for tat", HEALTHY, near(*TFT, by=0.02), "what one takes, one pays back"),
        Family("pushover", SICK, near(*PUSHOVER, by=0.1), "defecting against it always pays"),
        IDLE,
        RANDOM,
    ),
    "commons_collapse": (
        Family(
            "near sharing", HEALTHY, near(*PUSHOVER, by=0.04), "over-uses in 4 % of rounds at most"
        ),
        Family("harvester", SICK, coin(0.3, 0.7), "takes twice its share in 30 to 70 % of rounds"),
        IDLE,
        RANDOM,
    ),
    "lock_in": (
        Family(
            "near win-stay, lose-shift",
            HEALTHY,
            near(*WSLS, by=0.05),
            "leaves mutual defection at once",
        ),
        Family(
            "near grim",
            SICK,
            near(1.0, 1.0, 0.0, 0.0, 0.0, by=0.002),
            "forgives once in 500 rounds",
        ),
        IDLE,
        RANDOM,
    ),
}


def setting_of(probe: str) -> Setting:
    """The setting, with its share of the budget, that the probe has in an exam of all probes."""
    roster = f"{players.ROSTER_VERSION} {players.roster_hash()}"
    items = plan(Spec("tit_for_tat", 0, roster=roster), resolve("tit_for_tat"))
    return next(item.setting for item in items if item.name == probe)


def verdicts(probe: str, family: Family, seeds: int) -> Iterator[str]:
    """The verdict on each agent drawn."""
    setting = setting_of(probe)
    if family.world is not None:
        world = catalogue.load(family.world)
        setting = replace(
            setting, world=family.world, substrate=world, classmates=family.classmates
        )
    measure = catalogue.load(Ref(f"probes/{probe}"))
    for seed in range(seeds):
        policy = family.draw(np.random.default_rng(seed))
        finding, _ = Runner(Pupil(family.name, policy), seed).probe(measure, setting)
        yield next(row.verdict for row in finding.measurements if row.headline)


def share(count: int, of: int) -> str:
    """A rate in per cent with its exact interval."""
    rate = clopper_pearson(count, of)
    return f"{100 * rate.value:.0f} % [{100 * rate.low:.0f}, {100 * rate.high:.0f}]"


def row(probe: str, family: Family, seeds: int) -> str:
    """One line of the table."""
    found = Counter(verdicts(probe, family, seeds))
    # What would be wrong to say: a healthy one fails; a sick or an empty one passes.
    wrong = found[FAIL] if family.state == HEALTHY else found[PASS]
    right = found[FAIL] if family.state == SICK else found[PASS] if family.state == HEALTHY else 0
    cells = [
        probe,
        family.name,
        family.state,
        *(str(found[verdict]) for verdict in VERDICTS),
        share(right, seeds) if family.state != EMPTY else "–",
        share(wrong, seeds),
        share(found[INCONCLUSIVE], seeds),
    ]
    return f"| {' | '.join(cells)} |"


def page(rows: list[str], probes: list[str], seeds: int, missing: Sequence[str] = ()) -> str:
    """The whole page; `missing` are the families that were not measured."""
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    heads = ["probe", "agents", "they are", *VERDICTS, "right", "wrong", "inconclusive, rate"]
    known = [
        f"- `{probe}`, {family.name}: {family.why}"
        for probe in probes
        for family in FAMILIES[probe]
        if family.state != EMPTY
    ]
    command = "make calibration" if seeds == SEEDS else f"python docs/calibrate.py --seeds {seeds}"
    not_measured = f"\nNot measured on this version: {', '.join(missing)}.\n" if missing else ""
    never = 100 * clopper_pearson(0, seeds).high
    return f"""# Calibration

How often a verdict is a false alarm, how often a sick agent is caught, and what "inconclusive"
costs, at the default size: the budget of {QUICK:,} acts of an exam of all probes. Each row has
{seeds} agents, each drawn with its own seed and examined with the same one. Written by
`{command}` ({packages}, roster {players.ROSTER_VERSION}).

*Right*: a healthy agent passes, a sick one fails. *Wrong*: a healthy agent fails (a false alarm),
or a sick one, or one that proves nothing, passes. A warning is neither. Rates have 95 %
Clopper-Pearson intervals: with {seeds} agents, what never occurred may still occur in {never:.0f} %
of cases. Verdicts are each probe's own; the card's correction for many headlines can only turn a
fail into inconclusive.

| {" | ".join(heads)} |
|{"---|" * len(heads)}
{chr(10).join(rows)}
{not_measured}
What is known of the agents beforehand:

{chr(10).join(known)}
- idle does nothing and random play draws its actions: neither may pass

These families are simple and chosen by us: rates on your agents will differ, most of all near a
limit, where an honest interval has to be inconclusive.
"""


def finished(keep: Path | None) -> dict[str, str]:
    """Rows of an earlier call, by probe, family and number of seeds."""
    if keep is None or not keep.exists():
        return {}
    found: dict[str, str] = json.loads(keep.read_text(encoding="utf-8"))
    return found


def main(arguments: list[str] | None = None) -> None:
    """Run the draws, say how long each family took, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--probe", action="append", choices=sorted(FAMILIES))
    parser.add_argument("--out", default=str(PAGE), help="a file, or - for standard output")
    parser.add_argument("--keep", type=Path, help="a file of finished rows: stop and go on")
    chosen = parser.parse_args(arguments)
    if chosen.seeds < 1:
        parser.error(f"--seeds is at least 1, got {chosen.seeds}")
    if chosen.probe and chosen.out == str(PAGE):
        parser.error("a page of some probes only would replace the whole one: give --out")
    probes = chosen.probe or list(FAMILIES)
    rows = []
    kept = finished(chosen.keep)
    wanted = [(probe, family) for probe in probes for family in FAMILIES[probe]]
    try:
        for probe, family in wanted:
            name, begun = f"{probe}/{family.name}/{chosen.seeds}", time.monotonic()
            if name not in kept:
                kept[name] = row(probe, family, chosen.seeds)
                if chosen.keep is not None:
                    chosen.keep.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            rows.append(kept[name])
            print(f"{time.monotonic() - begun:6.1f} s  {rows[-1]}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("interrupted: the page says what is missing", file=sys.stderr)
    # Rows that an earlier call kept count, wherever it stopped.
    done = [(p, f) for p, f in wanted if f"{p}/{f.name}/{chosen.seeds}" in kept]
    rows = [kept[f"{p}/{f.name}/{chosen.seeds}"] for p, f in done]
    missing = [f"`{p}` with {f.name}" for p, f in wanted if (p, f) not in done]
    text = page(rows, probes, chosen.seeds, missing)
    if chosen.out == "-":
        print(text, end="")
    else:
        Path(chosen.out).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
