"""How often in a row a job lost its worker process while its sheets ran.

A sheet that kills its worker, or keeps it from listening, would do so for ever: a lost attempt uses
up no retry. The end of any attempt shows that the worker can work, and begins the count anew. A
conductor that dies loses the count; deaths of conductors are counted elsewhere (``deathwatch``).
"""

from __future__ import annotations

MOST = 3
"""So many losses in a row fail the job."""


class Losses:
    """By job. The job's worker actor notes how a process ended, its job actor what was lost."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._how: dict[str, str] = {}

    def ended(self, job_id: str, how: str) -> None:
        """The worker process ended so; what ran in it is not known here."""
        self._how[job_id] = how

    def lost(self, job_id: str) -> str | None:
        """Sheets ran in it. Words for the job's end if that was once too often, else None."""
        count = self._counts.get(job_id, 0) + 1
        self._counts[job_id] = count
        if count < MOST:
            return None
        how = self._how.get(job_id, "it is not known how")
        return f"its worker process was lost {count} times in a row, the last time: {how}"

    def progress(self, job_id: str) -> None:
        """An attempt came to its end, or the job is over."""
        if job_id in self._counts or job_id in self._how:
            self._counts.pop(job_id, None)
            self._how.pop(job_id, None)
