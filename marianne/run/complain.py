"""The words of a worker, or of another that has no log, to the conductor's: its standard error."""

from __future__ import annotations

import os
import traceback

from marianne.streams import say_now


def complain(text: str, who: str = "worker") -> None:
    """One line, of this kind of process; nobody is waited for."""
    say_now(f"marianne {who} {os.getpid()}: {text}\n")


def complain_of_error() -> None:
    """The exception in hand, with its traceback."""
    complain(traceback.format_exc())
