"""Two planners in two worlds, side by side: a request, the agents, their comparison, a sweep."""
