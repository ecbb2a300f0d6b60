"""The jobs that are not over: a map by id that knows without looking through them all who is
admitted, who is next, and who works where. For one thread."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from actors import Promise
from marianne.daemon.memory_room import Size
from marianne.daemon.requests import Answer
from marianne.state.models import JobRow, JobStatus

WAITS = frozenset({JobStatus.QUEUED, JobStatus.PENDING})


# (priority, submitted_at, job_id)
Place = tuple[int, float, str]


@dataclass(slots=True)
class Live:
    """A job that is not over. ``row`` is exact only while no actor has the job."""

    row: JobRow
    actor: bool = False
    restarts: int = 0
    waiters: list[Promise[dict[str, Any]]] = field(default_factory=list)
    cancels: list[Answer] = field(default_factory=list)
    size: Size = field(default_factory=Size)

    @property
    def waits(self) -> bool:
        """Whether it is in line for admission."""
        return not self.actor and self.row.status in WAITS


class Roster(dict[str, Live]):
    """See the head of this file. ``Live.actor`` is set by ``seat`` and ``unseat`` alone."""

    def __init__(self) -> None:
        super().__init__()
        self._seated: set[str] = set()
        self._line: list[Place] = []
        self._places: dict[str, dict[str, None]] = {}
        self._place_of: dict[str, str] = {}
        self._archiving: dict[str, None] = {}

    def __setitem__(self, job_id: str, live: Live) -> None:
        self.pop(job_id, None)
        super().__setitem__(job_id, live)
        self._place_of[job_id] = live.row.workspace
        self._places.setdefault(live.row.workspace, {})[job_id] = None
        if live.row.options.get("archives"):
            self._archiving[job_id] = None
        if live.actor:
            self._seated.add(job_id)
        else:
            self._stand_in_line(live)

    def __delitem__(self, job_id: str) -> None:
        self.pop(job_id)

    def pop(self, job_id: str, *default: Any) -> Any:
        """Takes a job out."""
        live = super().pop(job_id, None)
        if live is None:
            if default:
                return default[0]
            raise KeyError(job_id)
        self._seated.discard(job_id)
        self._archiving.pop(job_id, None)
        place = self._place_of.pop(job_id)
        there = self._places[place]
        del there[job_id]
        if not there:
            del self._places[place]
        return live

    # -- admission ------------------------------------------------------------------------------

    @property
    def seated(self) -> int:
        """How many have actors."""
        return len(self._seated)

    def running(self) -> Iterator[Live]:
        """Those that have actors."""
        for job_id in self._seated:
            yield self[job_id]

    def seat(self, live: Live) -> None:
        """The job gets actors."""
        live.actor = True
        self._seated.add(live.row.job_id)

    def unseat(self, live: Live, row: JobRow) -> None:
        """The job has no actors any more; ``row`` is how they left it."""
        live.row, live.actor = row, False
        self._seated.discard(row.job_id)
        self._stand_in_line(live)

    def line_up(self) -> None:
        """Has to be called when the status of a row was set in place."""
        self._line.clear()
        for live in self.values():
            self._stand_in_line(live)

    def in_line(self) -> Iterator[JobRow]:
        """The rows of the jobs that wait, by priority, then by submission."""
        while self._line and not self._stands(self._line[0]):
            self._line.pop(0)
        for place in tuple(self._line):
            if self._stands(place):
                yield self[place[2]].row

    def _stands(self, place: Place) -> bool:
        live = self.get(place[2])
        return live is not None and live.waits

    def _stand_in_line(self, live: Live) -> None:
        if live.waits:
            row = live.row
            insort(self._line, (row.priority, row.submitted_at, row.job_id))

    # -- workspaces -----------------------------------------------------------------------------

    def working_in(self, workspace: str) -> Iterator[JobRow]:
        """The jobs whose workspace it is."""
        for job_id in self._places.get(workspace, ()):
            yield self[job_id].row

    def archiving(self) -> Iterator[JobRow]:
        """The jobs that move away what they find in their workspace."""
        for job_id in self._archiving:
            yield self[job_id].row
