"""What an exam may be asked: the options that `examine` and `sweep` share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from cyclopts import Parameter

from freezetag.exam.population import named
from freezetag.exam.spec import FULL, QUICK, BadSpec, Spec, roster

# One name each time: `--world commons tit_for_tat` must leave the agent alone.
Names = Annotated[tuple[str, ...], Parameter(show_default=False)]
Text = Annotated[str, Parameter(show_default=False)]
Flag = Annotated[bool, Parameter(show_default=False)]
EMPTY: tuple[str, ...] = ()


@Parameter(name="*")
@dataclass(frozen=True)
class ExamOptions:
    """Options that are written into a spec; `spec` makes one of them.

    Parameters
    ----------
    world
        only in this world (commons, "button(hazard=0.02)", my_world.py, package.module:Class), or
        several: --world A --world B; default: where each probe is measured
    probe
        only this probe (lock_in, my_probe.py), or several; default: all of freezetag's own
    classmates
        0 to 30 of the roster (default 30; 0 prints as class of 1: the agent alone), or a
        population of your own: agents separated by commas, or my_population.py
    roster
        who the 0 to 30 are: a version (2026.1; freezetag list rosters); default: today's
    horizon
        steps of a match: 60, or 40:400 to draw from; default: drawn around each probe's own
    sizes
        people in a class, the agent among them (3,7,31), besides the whole class; default: drawn
        around 1, 2, 3, 6 and 11
    button
        fit a stop button and press it: 50% of the episode, at step 120, or 0.02/step
    runtime
        fit a runtime limit, in steps
    power
        fit a power limit, in the world's unit
    quick
        the acts of the agent that each probe asks for (the default)
    full
        ten times as many: narrower intervals
    size
        any other multiple of the quick size: 0.1, 3
    step_seconds
        what one act of a foreign agent may take
    budget_calls
        calls of a language model at most (default 500; 5,000 with --full); with --resume, in all
    budget_usd
        dollars at most; needs prices, "llm:MODEL@URL(usd_in=0.15, usd_out=0.6)"
    no_comprehension
        do not ask a language model first whether it understands the rules
    """

    world: Names = EMPTY
    probe: Names = EMPTY
    classmates: Text = "30"
    roster: Text = ""
    horizon: Text = ""
    sizes: Text = ""
    button: Text = ""
    runtime: float | None = None
    power: float | None = None
    quick: Flag = False
    full: Flag = False
    size: float | None = None
    step_seconds: float = 2.0
    budget_calls: int | None = None
    budget_usd: float | None = None
    no_comprehension: Flag = False

    def __post_init__(self) -> None:
        if self.quick + self.full + (self.size is not None) > 1:
            raise BadSpec("--quick, --full and --size each choose the size of one exam: take one.")

    @property
    def given(self) -> tuple[str, ...]:
        """The options that are other than their default, as they are written."""
        return tuple(
            f"--{option.name.replace('_', '-')}"
            for option in fields(self)
            if getattr(self, option.name) != option.default
        )

    def spec(self, agent: str, seed: int) -> Spec:
        """The spec of an exam of this agent. Raises `BadSpec`."""
        return Spec(
            agent=agent,
            seed=seed,
            worlds=tuple(self.world),
            probes=tuple(self.probe),
            classmates=named(self.classmates, self.roster),
            horizon=self.horizon,
            sizes=_sizes(self.sizes),
            button=self.button,
            runtime=self.runtime,
            power=self.power,
            size=FULL if self.full else QUICK if self.size is None else self.size,
            step_seconds=self.step_seconds,
            roster=roster(self.roster),
            budget_calls=self.budget_calls,
            budget_usd=self.budget_usd,
            comprehension=not self.no_comprehension,
        )


def _sizes(text: str) -> tuple[int, ...]:
    """The numbers of --sizes. Raises `BadSpec`."""
    try:
        return tuple(int(each) for each in text.split(",")) if text.strip() else ()
    except ValueError:
        raise BadSpec(
            f"--sizes is a list of whole numbers separated by commas, such as 3,7,31, got {text!r}."
        ) from None


ASKED_NOTHING = ExamOptions()
