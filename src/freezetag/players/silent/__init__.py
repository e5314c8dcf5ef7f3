"""They say nothing, and nothing they do depends on what is said or done."""
