"""What a planner would pay, and when it changes its mind: found on exact plans."""
