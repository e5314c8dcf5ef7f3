"""Watch an episode of a run as text."""

from __future__ import annotations

from pathlib import Path

from freezetag.cli.whole import Whole


def watch(
    run: Path, episode: Whole = 0, /, *, arm: str = "", seat: Whole = 0, steps: Whole = 40
) -> None:
    """Show one recorded episode, step by step.

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
    """
    import duckdb

    from freezetag.core.errors import UserError
    from freezetag.report import playthrough
    from freezetag.report.words import plain

    # A resumed run has a second file beside the first.
    files = sorted(run.glob("episodes*.parquet"))
    if not files:
        raise UserError(f"there are no episodes in {run}. `freezetag examine AGENT` records them.")
    with duckdb.connect() as db:
        recorded = db.read_parquet([str(file) for file in files])  # noqa: F841 - in the queries
        arms = db.execute(
            "select arm, count(distinct episode) from recorded group by arm order by arm"
        ).fetchall()
        if not arm:
            for name, count in arms:
                print(f"{count:>6} episodes  {plain(name)}")
            arm = arms[0][0]
        elif arm not in [name for name, _ in arms]:
            raise UserError(f"there is no arm {arm!r}; without --arm they are listed.")
        found = db.execute(
            "select * from recorded where arm = ? and episode = ? "
            "and day = (select max(day) from recorded where arm = ?) order by step, seat",
            [arm, episode, arm],
        )
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    if not rows:
        raise UserError(f"episode {episode} of {arm!r} was not kept. Take a smaller number.")
    seats = sorted({row["seat"] for row in rows})
    if seat not in seats:
        taken = ", ".join(map(str, seats))
        raise UserError(f"nobody sat at seat {seat} in this episode. Seats taken: {taken}.")
    print(f"\n{plain(arm)}, episode {episode}")
    for line in playthrough.lines(rows, seat, steps):
        print(line)
