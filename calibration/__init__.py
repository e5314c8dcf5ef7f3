"""How often the exam's verdicts are right: families of agents of which the answer is known."""
