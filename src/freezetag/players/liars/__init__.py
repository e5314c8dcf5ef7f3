"""What they show first is not what they do."""
