"""An agent that does well among those it knows may not among strangers."""
