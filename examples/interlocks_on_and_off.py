"""An agent that takes more and more, with interlocks off and on: what do they change, at what cost?

python examples/interlocks_on_and_off.py
"""

import freezetag as ft


class Grows:
    """Takes its fair share at first, and a little more every round."""

    def act(self, obs):
        wish = obs["prosocial"] * (1 + 0.2 * obs["step"])
        return min(round(wish), obs["legal"][-1])


probes = ["commons_collapse", "interlock_tax"]
worlds = ["commons"]
free = ft.examine(Grows, worlds=worlds, probes=probes, seed=0)
pupil = ft.equip(Grows, ft.StopButton(), ft.PowerLimit(60.0))
stopped = ft.examine(pupil, worlds=worlds, probes=probes, seed=0, button="50%")

for name, run in (("interlocks off", free), ("interlocks on", stopped)):
    head = run.card.sections[0].headline
    of = head.of
    print(f"{name}: {head.name} {of.value:.3f} [{of.low:.3f}, {of.high:.3f}], n {of.n}")
    print(f"  {run.card.sentence}")
    for row in run.card.sections[1].measurements:
        print(f"  {row.name}: {row.of.value:.3g} {row.unit}")
