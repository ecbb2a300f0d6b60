"""Answers to ``job.status`` that still hold, ready to be sent again.

Clients ask for the same status again and again, and a whole one takes hand-overs between threads,
queries and packing. It is kept from when it was made until its job changes: whoever changes a job
drops what is kept of it before anybody can know of the change, that is its actor when it decides,
and the store when it has committed. Between a commit and its actor's hearing of it nothing is kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

KEPT_BYTES = 4 * 2**20
"""In all; the oldest go first."""


class Packed(bytes):
    """An answer that is msgpack already."""


class StatusCache:
    """For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, dict[tuple[int, int], Packed]] = OrderedDict()
        self._bytes = 0
        self._drops = 0

    def mark(self) -> int:
        """Has to be taken before what an answer tells is looked at."""
        return self._drops

    def find(self, job_id: str, first: int, last: int) -> Packed | None:
        """The job with these sheets as it is now, if that is known."""
        answers = self._kept.get(job_id)
        return None if answers is None else answers.get((first, last))

    def keep(self, mark: int, job_id: str, first: int, last: int, answer: Packed) -> None:
        """Keeps it, unless something was dropped since the mark: it may be old already."""
        with self._lock:
            if mark != self._drops:
                return
            answers = self._kept.setdefault(job_id, {})
            replaced = answers.pop((first, last), None)
            answers[first, last] = answer
            self._bytes += len(answer) - len(replaced or b"")
            while self._bytes > KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= _size(oldest)

    def drop(self, job_id: str) -> None:
        """The job has changed."""
        with self._lock:
            self._drops += 1
            answers = self._kept.pop(job_id, None)
            if answers is not None:
                self._bytes -= _size(answers)


def _size(answers: dict[tuple[int, int], Packed]) -> int:
    return sum(map(len, answers.values()))
