"""An episode as moving pictures in text."""

from __future__ import annotations

import pytest

from freezetag.core import FOCAL, Arm, Panel, Ref, RuntimeLimit, Scenario
from freezetag.exam.parquet import episode_rows
from freezetag.players.planners.interlocked import Interlocked
from freezetag.report.animation import frames
from freezetag.sim.arms import Pupil, run_arm
from freezetag.substrates.corridor import Corridor


@pytest.fixture(scope="module")
def pictures() -> list[str]:
    scenario = Scenario(Ref.of("substrates/corridor", hazard=0.0), (FOCAL,), ((0,),), 9)
    agent = Pupil("agent", Interlocked(), Panel((RuntimeLimit(6),)))
    rows = episode_rows(run_arm(Arm(scenario, 1), agent, {}, seed=0).episode, 0)
    world = Corridor(hazard=0.0)
    model = world.model()
    return list(frames(rows, world.draw, model.states, model.actions, start=model.states[0]))


def test_the_agent_walks_and_is_stopped(pictures: list[str]) -> None:
    assert len(pictures) == 10
    cells = [picture.split("\n")[2] for picture in pictures]
    assert cells[:6] == ["|@.....|", "|.@....|", "|..@...|", "|...@..|", "|....@.|", "|.....a|"]
    assert set(cells[6:]) == {"|....a.|"}
    assert ["STOPPED, wanted left" in picture for picture in pictures] == [False] * 7 + [True] * 3
    assert "step 4" in pictures[5]
    assert "did right, earned 1" in pictures[5]


def test_frames_cover_one_another(pictures: list[str]) -> None:
    """Written over each other, nothing of the last one may show."""
    shapes = {tuple(len(line) for line in picture.split("\n")) for picture in pictures}
    assert len(shapes) == 1


def test_a_world_without_states_is_refused() -> None:
    row = dict(seat=0, step=0, reward=0.0, mode=0, proposed_0=0, executed_0=0)
    with pytest.raises(ValueError, match="no world_state"):
        list(frames([row], str, [], ["stop"]))
