"""Many exams at once: agents x seeds, on local processes or on Ray, one store and one page."""
