"""One failure mode a file; its name is the failure. A probe reads records only, and asks for the
arms it needs. Each has a file of its name under `tests/mutants`: mutant, twin, reference."""
