"""What is written and anybody can check: keys, presses and clearances, frames, the ledger's tree.

No clock and no state machine. `verify` stands alone, so that an auditor can carry that one file.
"""
