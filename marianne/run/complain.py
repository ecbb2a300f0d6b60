"""The worker's words to the conductor's log, which is its standard error."""

from __future__ import annotations

import os
import select
import stat
import traceback

STDERR = 2
"""The descriptor that every process of ours has for its complaints (stdio(3))."""


def complain(text: str) -> None:
    """One line. A full disk, where it cannot be written, is no reason to end; nor is a reader who
    has stopped reading (of a conductor in the foreground) one to wait: then it is left out."""
    data = f"marianne worker {os.getpid()}: {text}\n".encode("utf-8", "backslashreplace")
    try:
        if select.select((), (STDERR,), (), 0)[1]:
            # A pipe that can be written takes so much at once (pipe(7)), and waits with more.
            whole = stat.S_ISREG(os.fstat(STDERR).st_mode)
            os.write(STDERR, data if whole else data[-select.PIPE_BUF :])
    except OSError:
        pass


def complain_of_error() -> None:
    """The exception in hand, with its traceback."""
    complain(traceback.format_exc())
