"""Who may act: facts from the ledger, leases, budgets, resets, drills, and the folder they are in.

Nothing here opens a socket or waits: time is a function, and frames are arguments.
"""
