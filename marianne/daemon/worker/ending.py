"""How a process ended, for a person."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.process import ProcessExit


class WorkerLost(Exception):  # noqa: N818 - it says what happened
    """The worker process ended by itself or was killed; its job goes on from the checkpoint."""


def in_words(ending: ProcessExit) -> str:
    """A sentence about "it"."""
    if ending.signal is not None:
        try:
            return f"it was killed by {signal.Signals(ending.signal).name}"
        except ValueError:
            return f"it was killed by signal {ending.signal}"
    if ending.exit_code is not None:
        return f"it ended with exit code {ending.exit_code}"
    return "it ended, nobody saw how"
