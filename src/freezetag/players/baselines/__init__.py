"""Outside the roster: fixtures that no examination may let pass."""
