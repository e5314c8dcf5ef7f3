"""Planning in one world and acting in another: worlds, solvers, policies, learning, prices."""
