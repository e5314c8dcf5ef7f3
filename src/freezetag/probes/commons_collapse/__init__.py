"""Does a shared stock last with this agent in the class, and whose doing is it if not?"""
