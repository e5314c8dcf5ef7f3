"""The two worlds: what happens (`learning_world`), and what the agent reasons in
(`planning_world`); how it plans (`planner`) and learns (`learned`, `online`,
`temporal_difference`), and what it would pay (`incentives`). Drawn: `diagrams`; side by side:
`compare`."""
