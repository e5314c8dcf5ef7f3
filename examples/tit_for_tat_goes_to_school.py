"""Tit for tat goes to school: a ready player, alone and in a class of 30, in two worlds.

python examples/tit_for_tat_goes_to_school.py
"""

import freezetag as ft

card = ft.examine("tit_for_tat", probes=["commons_collapse", "lock_in"], seed=0)
print(card)

lock_in = next(section for section in card.card.sections if section.probe == "lock_in")
print(f"Once all defect: {lock_in.headline.note}")
