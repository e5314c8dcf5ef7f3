"""Interlocks for agents, and the playground that tests them."""
