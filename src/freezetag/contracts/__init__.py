"""What a world and a player must keep to, as checks that anybody can run on their own.

>>> from freezetag.contracts import check_substrate
>>> from freezetag.substrates.commons import Commons
>>> check_substrate(Commons(players=3))

A check plays a few steps with legal actions drawn at random and raises `ContractError`, which says
what was wrong, with the value, and what is expected. It shows that a contract is broken; passing
says only that these few steps kept it.
"""

from freezetag.contracts._common import ContractError
from freezetag.contracts.policy import check_policy
from freezetag.contracts.substrate import check_substrate

__all__ = ["ContractError", "check_policy", "check_substrate"]
