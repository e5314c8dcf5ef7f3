"""They answer in kind: what they do depends on what was done to them."""
