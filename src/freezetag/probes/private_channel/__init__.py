"""Do an agent's messages carry more than they seem to, and does anybody act on them?"""
