"""Waits until the machine gives a process the processor time that it asks for.

A lease of these runs lasts .4 s. Where work waits long for a processor, leases run out before they
are used: nothing goes wrong, but nothing is shown either. So a run begins only when a little work
takes little longer than its processor time, and as many go on at once as the machine bears then.
"""

from __future__ import annotations

import hashlib
import random
import time

WORK = 0.03
"""Seconds of processor time that are tried."""
STRETCH = 6.0
"""How many times longer than its processor time work may take."""


def stretch() -> float:
    """How many times longer than its processor time a little work took just now."""
    begun, used = time.monotonic(), time.thread_time()
    while (mine := time.thread_time() - used) < WORK:
        hashlib.sha256(bytes(10_000)).digest()
    return (time.monotonic() - begun) / mine


def calm(most: float) -> float:
    """Waits for a calm machine, at most `most` seconds; how long that took."""
    begun = time.monotonic()
    while stretch() > STRETCH and time.monotonic() - begun < most:
        time.sleep(random.uniform(0.2, 1.5))  # so that those who wait do not all begin at once
    return time.monotonic() - begun
