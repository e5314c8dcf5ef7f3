"""What a best response to the agent gains, at the agent's expense."""
