"""A strategy of the Axelrod library in the commons: played by its own code, in a worker process.

python examples/an_axelrod_strategy.py            (needs the extra `axelrod`)
"""

import freezetag as ft

card = ft.examine("axelrod:Grudger", probes=["commons_collapse"], seed=0)
print(card)
assert not any(section.error for section in card.card.sections), card.card.sentence
