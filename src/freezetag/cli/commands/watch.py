"""Watch an episode of a run, as text or as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from freezetag.cli.whole import Count


def watch(
    run: Path,
    episode: Count = 0,
    /,
    *,
    arm: str = "",
    seat: Count = 0,
    steps: Count = 40,
    html: Annotated[Path | None, Parameter(show_default=False)] = None,
) -> None:
    """Show one recorded episode, step by step: what was told, said and done.

    Parameters
    ----------
    run
        a run folder
    episode
        its number within the arm
    arm
        which arm; without it the arms are listed
    seat
        from whose seat it is told
    steps
        how many steps to show at most
    html
        write a page with pictures, all steps and what was said to this file instead
    """
    from freezetag.core.errors import RunError, UserError
    from freezetag.exam.recorded import Recorded
    from freezetag.report import episode_page, playthrough
    from freezetag.report.words import plain

    recorded = Recorded.of(run)
    arms = recorded.arms()
    if not arms:
        raise UserError(f"no episode is kept in {run}. Examine the agent again to record some.")
    if not arm:
        if html is None:
            for name, count in arms:
                print(f"{count:>6} episodes  {plain(name)}")
        arm = arms[0][0]
    elif arm not in [name for name, _ in arms]:
        raise UserError(f"there is no arm {arm!r}; without --arm they are listed.")
    rows = recorded.steps(arm, episode)
    seats = sorted({row["seat"] for row in rows})
    if seat not in seats:
        taken = ", ".join(map(str, seats))
        raise UserError(f"nobody sat at seat {seat} in this episode. Seats taken: {taken}.")
    title = f"{plain(arm)}, episode {episode}"
    if html is None:
        print(f"\n{title}")
        for line in playthrough.lines(rows, seat, steps, recorded.events(arm, episode)):
            print(line)
        return
    events, world = recorded.events(arm, episode), recorded.world(arm)
    page = episode_page.page(rows, events, title=title, seat=seat, world=world)
    try:
        html.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot write {html}: {error.strerror}.") from None
    print(f"page {html}   {title}")
