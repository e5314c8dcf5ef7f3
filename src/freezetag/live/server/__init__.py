"""The authority as a process: storage, listeners, routes. What it may grant is `live.authority`'s.

`home` keys and settings in a folder, `store` the ledger in SQLite, `service` the one place where a
decision, its record and its answer meet, `app` the routes, `wire` the gates' channel, `run` the
listeners. Third-party imports are inside functions, so that importing this costs nothing.
"""
