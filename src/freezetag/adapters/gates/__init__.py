"""A gate in front of what agents act through: environments, MCP servers, agent frameworks.

Each takes a gate as an argument (`core.GateLike`), so the same wrapper runs on a step clock in
simulation and on a lease in earnest. A folder of its own, because the files beside it are the
schemes of `scheme:name` agents. Third parties are imported by the file that names them.
"""
