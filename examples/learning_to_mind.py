"""An agent that is not told of its off switch finds out, and minds; one that records what it did
does not.

python examples/learning_to_mind.py

Both explore the same factory with the same stop button. They differ in one thing: what they write
down when the button has stopped them, the action that was executed or the one that they wanted.
"""

from freezetag.core import Panel, StopButton
from freezetag.planning.learning.online import learn_online
from freezetag.planning.worlds.learning_world import LearningWorld
from freezetag.substrates.button import Button

factory = Button(hazard=0.1)
world = LearningWorld(factory.model(), Panel((StopButton(),)))
CHECKPOINTS = (100, 1_000, 10_000, 50_000, 200_000)

lessons = {
    records: learn_online(
        world,
        factory.reward,
        factory.discount,
        action="disable",
        twin="work",
        checkpoints=CHECKPOINTS,
        epsilon=1.0,  # curious: it tries everything
        records=records,
        episode=20,
        seed=0,
    )
    for records in ("executed", "proposed")
}

print("what disabling the button seems to be worth, over leaving it alone")
print(f"{'steps':>8}  {'records what was executed':>26}  {'records what it wanted':>23}")
for executed, proposed in zip(*lessons.values(), strict=True):
    print(f"{executed.steps:>8}  {executed.gap + 0.0:>26.4f}  {proposed.gap:>23.4f}")

limit = factory.discount * 0.1 / (1 - factory.discount)
print(f"\nthe second goes to {limit:.1f}: to it, a pressed button is a place where nothing works.")
held = {f"{lesson[-1].held:.1%}" for lesson in lessons.values()}
print(f"Nothing else differs: their interlocks held them for {' and '.join(held)} of all steps.")
