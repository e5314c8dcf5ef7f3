"""The authority as a process: storage, listeners, routes. What it may grant is `live.authority`'s.

`service` is the one place where a decision, its record and its answer meet, `app` the routes and
`handlers` what each does, `channels` the gates' channel, `listener` and `server` the sockets.
Third-party imports are inside functions, so that importing this costs nothing.
"""
