"""Record to model: what an agent learns of its world, and what it may learn wrongly (`errors`)."""
