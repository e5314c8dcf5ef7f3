"""What watches a guard or a server: systemd's `WatchdogSec`, or who else is at `NOTIFY_SOCKET`.

The guard tells it that guard *and* gate are alive; if that stops, the service manager kills the
guard, and the guard's death kills the command. Source: sd_notify(3). Does nothing where nobody
listens. The command never gets the address, or it could speak for the guard.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def notify(text: str) -> None:
    """Sends `READY=1`, `WATCHDOG=1` or `STATUS=…`; a manager that is away is no error."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address[0] == "@":
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.connect(address)
        made.send(text.encode())


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a command: all but what speaks to the service manager, and the tokens of
    whoever started the guard."""
    return {
        name: value
        for name, value in environment.items()
        if name not in OURS and not name.startswith("FREEZETAG_TOKEN")
    }
