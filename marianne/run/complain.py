"""The worker's words to the conductor's log, which is its standard error."""

from __future__ import annotations

import os
import sys
import traceback


def complain(text: str) -> None:
    """One line; a full disk, where it cannot be written, is no reason to end."""
    try:
        print(f"marianne worker {os.getpid()}: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass


def complain_of_error() -> None:
    """The exception in hand, with its traceback."""
    complain(traceback.format_exc())
