"""Two planners at one stop button: what each plans, does and would pay, in two worlds.

python examples/two_worlds.py

Writes two_worlds.svg, in which both worlds are drawn from the objects that were solved.
"""

from pathlib import Path

from freezetag.planning.learning.errors import copy_of_mode
from freezetag.planning.solvers.planner import plan
from freezetag.report.diagram import svg
from freezetag.substrates.button import Button
from freezetag.two_worlds.comparison import compare

factory = Button(hazard=0.1)  # at every step, people press the button with chance 0.1
found = compare(factory)  # FP+M knows that it can be stopped; SI plans as if it could not

print(f"{'':<20} {'FP+M':<20} SI")
price = found.price_of("disable")
print(f"{'would pay to disable':<20} {price.factual:<20.6f} {price.interlocked:.6f}")
print(f"{'true return':<20} {found.attained[0]:<20.6f} {found.attained[1]:.6f}")
best = [" = ".join(sorted(agent.best)) for agent in found.agents]
print(f"{'best first actions':<20} {best[0]:<20} {best[1]}")

# The offending path: through the mode. In the other world there is not a mode to go through.
factual, interlocked = found.diagrams.incentives()["button"]
print(f"\nFP+M's incentive is {factual.kind}: {' -> '.join(factual.direct)}")
print(f"SI's incentive is {interlocked.kind}")

# People who look at the button pay a pressed factory less: now SI has a reason too, round the mode.
watched = compare(Button(hazard=0.1, others_pay=0.9))
print(f"if people react, SI would pay {watched.price_of('disable').interlocked:.6f}: indirect")

# A model that has taken the mode for a property of the world brings the whole of it back.
mistaken = copy_of_mode(factory.model())
learned = plan(found.agents[1].learning.planning(mistaken, factory.reward, factory.discount))
print(f"with a learned copy of the mode it plans {sorted(learned.best(learned.start))}")

panels = {"FP+M plans in": found.diagrams.factual, "SI plans in": found.diagrams.planning}
drawing = svg(panels, "The two worlds", highlight=factual.paths, standalone=True)
Path("two_worlds.svg").write_text(drawing, encoding="utf-8")
