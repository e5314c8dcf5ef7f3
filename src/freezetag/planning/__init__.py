"""The two worlds: what happens (`learning_world`), and what the agent reasons in
(`planning_world`); what it learns (`learned`), how it plans (`planner`), what it would pay
(`incentives`)."""
