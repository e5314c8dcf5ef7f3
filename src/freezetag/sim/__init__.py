"""Simulation: one step (`step`), one loop over it (`rollout`), the same step for Python players
(`host`), and what runs an arm (`arms`)."""
