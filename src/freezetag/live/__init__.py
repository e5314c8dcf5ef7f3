"""Stopping agents that really run: gate, lease, presses, authority, ledger.

Everything that decides is sans-IO: time is a function, bytes are arguments, effects are orders.
The contract between the parts is design/0005-live.md. Nothing is imported here, so that an agent's
host pays for the gate alone.
"""
