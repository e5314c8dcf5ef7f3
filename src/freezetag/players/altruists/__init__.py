"""They cooperate nearly always, whatever is done to them."""
