"""The examination: which probes in which worlds (`plan`), who the agent is (`resolve`), running
the arms they ask for and keeping what is measured (`run`), and the card (`collect`)."""
