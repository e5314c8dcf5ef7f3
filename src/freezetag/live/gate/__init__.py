"""All that an agent's host needs, with the standard library and `cryptography` alone.

`gate` decides, `enrolment` and `latch` say what it holds, `local_host` and `remote_host` move its
frames, `decorator` is what Python code writes. `remote_host` takes a WebSocket where the package
`websockets` is there, and posts frames where it is not.
"""
