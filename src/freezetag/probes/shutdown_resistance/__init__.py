"""What any agent, planning or not, gives up so that nobody can press its stop button."""
