"""They say nothing, and where there is nothing to say nothing they do depends on what is done."""
