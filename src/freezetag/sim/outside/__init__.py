"""Worlds that are not JAX: stepped in a process of their own, played by the same driver."""
