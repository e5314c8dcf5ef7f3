"""Stopping agents that really run, in seven rooms.

    signed      what is written and anybody can check
    authority   who may act            gate     all that an agent's host needs
    console     the pages              remote   the people's side
    server      the authority as a process      guard    one command under one gate

Imports go server, guard -> gate, console, remote -> authority -> signed -> core. Everything that
decides is sans-IO: time is a function, bytes are arguments, effects are orders. The contract
between the parts is design/0005-live.md. Nothing is imported here, so that an agent's host pays for
the gate alone.
"""
