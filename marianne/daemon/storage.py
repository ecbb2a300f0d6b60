"""Whether the database can be written, for those who decide by it without asking."""

from __future__ import annotations

import time

from marianne.daemon.refusal import Refused
from marianne.state.errors import StoreFull


class Storage:
    """What the store found at its last commit. Safe to read from any thread.

    While there is a ``problem`` (words for a person) nothing new is accepted and no sheet is
    started; what runs goes on and waits for its commit.
    """

    def __init__(self) -> None:
        self.problem: str | None = None
        self.full = False
        self.since: float | None = None
        self.files_bytes: int | None = None
        """Bytes in the jobs' directories at the last look; None before the first."""

    def failed(self, error: Exception) -> None:
        """A commit failed; nothing of it counts."""
        self.problem, self.full = str(error), isinstance(error, StoreFull)
        self.since = self.since or time.time()

    def works(self) -> None:
        """A commit succeeded."""
        self.problem, self.full, self.since = None, False, None

    def check(self) -> None:
        """Refuses while there is a problem: nothing could be kept, so nothing is begun."""
        if self.problem is not None:
            raise refused(self.problem, self.full)


def refused(problem: str, full: bool) -> Refused:
    """The coded error for a write that cannot be done."""
    if full:
        return Refused(
            "pressure",
            problem,
            hint="jobs go on by themselves once there is space",
            data={"retry_after": 1.0},
        )
    return Refused(
        "unavailable",
        f"the state cannot be written: {problem}",
        hint="the conductor tries again by itself; `marianne conductor-status` says how it stands",
    )
