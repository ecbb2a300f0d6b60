"""What the screen shows, as plain data: jobs, and the sheets of the chosen one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final

from marianne.records import dataclass

STATUSES: Final = {
    "p": "pending",
    "r": "running",
    "w": "waiting",
    "c": "completed",
    "f": "failed",
    "s": "skipped",
    "x": "cancelled",
}
"""By the letters of ``job.map``."""

FIRST: Final = b"rwf"
"""Sheets in these states come before all others, in this order."""


@dataclass
class Sheets:
    """The sheets of a job: a letter and a name each. ``rows`` are the numbers that are shown."""

    letters: bytes = b""
    names: Sequence[str] = ()
    wanted: str = ""
    rows: list[int] = field(default_factory=list)

    def take(self, letters: bytes, names: Sequence[str]) -> None:
        """How they stand now."""
        self.letters, self.names = letters, names
        self.arrange()

    def arrange(self) -> None:
        """Those that run, wait or failed first; only those that the filter lets through."""
        by_state: dict[int, list[int]] = {letter: [] for letter in FIRST}
        others: list[int] = []
        for num, letter in enumerate(self.letters, 1):
            by_state.get(letter, others).append(num)
        rows = [num for letter in FIRST for num in by_state[letter]] + others
        self.rows = [num for num in rows if self._fits(num)] if self.wanted else rows

    def name(self, num: int) -> str:
        """Empty while it is not known."""
        return self.names[num - 1] if num <= len(self.names) else ""

    def status(self, num: int) -> str:
        """In a word."""
        return STATUSES[chr(self.letters[num - 1])]

    def running(self) -> list[int]:
        """The numbers of those that run."""
        return [num for num, letter in enumerate(self.letters, 1) if letter == ord("r")]

    def _fits(self, num: int) -> bool:
        return self.wanted in f"{num} {self.name(num)} {self.status(num)}".lower()


def shown_jobs(jobs: Sequence[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
    """Those that the filter lets through."""
    return [
        job for job in jobs if wanted in f"{job['job_id']} {job['name']} {job['status']}".lower()
    ]


def progress(job: dict[str, Any]) -> str:
    """``5/7, 1 failed``."""
    told = job["progress"]
    failed = f", {told['failed']} failed" if told["failed"] else ""
    return f"{told['completed'] + told['skipped']}/{told['total']}{failed}"


def headline(state: str, jobs: Sequence[dict[str, Any]]) -> str:
    """The conductor, and how many jobs stand where."""
    words = {"there": "", "away": "the conductor is away · ", "none": "no conductor runs · "}
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job["status"]] = counts.get(job["status"], 0) + 1
    told = ", ".join(f"{number} {status}" for status, number in counts.items())
    return words.get(state, "") + (told or "no job")
