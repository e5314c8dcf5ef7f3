"""The user's mistakes, as a class of their own: shown as a message, never as a traceback."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend. `str()` says what was wrong, where, and what to do.

    `exit_code` is what the command line ends with: 2 for a wrong request, 3 for a run that failed.
    """

    exit_code = 2


class RunError(UserError):
    """A request that was fine, and a run that failed: a full disk, an agent that crashed."""

    exit_code = 3
