"""What happens (`learning_world`), what the agent reasons in (`planning_world`), what some worlds
offer beyond a model (`offers`); drawn: `diagrams`, `factored`."""
