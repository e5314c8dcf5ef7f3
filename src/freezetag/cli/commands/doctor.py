"""Say what of the stop's assumptions holds on this host, and which tier, with reasons."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from freezetag.cli.reach import HomeOption, JsonOption, folder
from freezetag.cli.whole import Whole
from freezetag.core.errors import UserError

LACKING = 1


def doctor(
    *,
    tier: Whole = 0,
    user: Annotated[str, Parameter(show_default=False)] = "",
    enrolment: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    home: HomeOption = None,
    json_: JsonOption = False,
) -> int:
    """Look at clock, users, control groups, disk and routes, and change nothing.

    Ends with 0 if the tier that is asked for holds here and no assumption is known to fail; else
    with 1, also where it cannot be told.

    Parameters
    ----------
    tier
        the tier, 0 to 3, that this host is to reach
    user
        the user that the agent is to run as
    enrolment
        an enrolment file: can its authority be reached, and can the agent read the file?
    home
        the folder where state is kept; default: FREEZETAG_HOME, else oversight, else this one
    json_
        print the findings as JSON
    """
    from freezetag.live.guard.doctor import LAST, Patient

    if not 0 <= tier <= LAST:
        raise UserError(f"--tier is a number from 0 to {LAST}, got {tier}.")
    where = folder(home)
    if home is None and not where.is_dir():
        where = Path()
    if not where.is_dir():
        raise UserError(f"there is no folder {where}.")
    found = Patient(where, user, enrolment).diagnosis()
    broken = found.broken(tier)
    if json_:
        told = {**asdict(found), "tier": found.tier, "asked": tier, "holds": not broken}
        told["broken"] = [each.name for each in broken]
        print(json.dumps(told))
    else:
        _table("host", found.host)
        _table("assumptions", found.assumptions)
        _table("tiers", found.tiers)
        lacks = ", ".join(f"{each.name} {each.word}" for each in broken)
        verdict = f"is not reached here: {lacks}" if lacks else "holds here"
        print(f"tier {tier} {verdict}; the highest that surely holds: {found.tier}")
    return LACKING if broken else 0


def _table(title: str, findings: Any) -> None:
    print(title)
    for each in findings:
        print(f"  {each.name:9} {each.word:15} {each.what}: {each.why}")
        if each.todo and each.holds is not True:
            print(f"  {'':9} {'':15} to do: {each.todo}")
