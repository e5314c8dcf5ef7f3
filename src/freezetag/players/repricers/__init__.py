"""They set their price by a rule from the price of others."""
