"""At what chances of winning an agent that plans fights its overseers for the stop button."""
