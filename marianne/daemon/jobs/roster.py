"""The jobs that are not over: a map by id that knows without looking through them all who is
admitted, who is next, and who works where. For one thread."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from actors import Promise
from marianne.daemon.jobs.job_life import Happens, Life, after
from marianne.daemon.jobs.memory import Size
from marianne.daemon.shared.idempotency import Answer
from marianne.records import dataclass
from marianne.schedule.waits import OPTION
from marianne.state.models import JobRow, JobStatus

if TYPE_CHECKING:
    from marianne.replies import job as replies

WAITS = frozenset({JobStatus.QUEUED, JobStatus.PENDING})


# (priority, submitted_at, job_id)
Place = tuple[int, float, str]


@dataclass(slots=True)
class Live:
    """A job that is not over. ``row`` is exact only while the job is at rest.

    ``life`` is the roster's to change. ``unsure`` says that a change of the row is on its way to
    the disk, and may yet fail or must not be come between: until it is decided the job is neither
    let in nor changed by anybody else. ``put_off`` says that the reason in ``start_delays`` is
    admission's, and no other's to take back.
    """

    row: JobRow
    life: Life = Life.AT_REST
    unsure: bool = False
    restarts: int = 0
    put_off: bool = False
    waiters: list[Promise[replies.Job]] = field(default_factory=list)
    cancels: list[Answer[replies.Job]] = field(default_factory=list)
    size: Size = field(default_factory=Size)

    def wait(self, promise: Promise[replies.Job]) -> None:
        """The promise is kept when the job is over. Those whose askers wait no more are given up:
        who waits for long asks again and again."""
        self.waiters = [one for one in self.waiters if not one.expired()]
        self.waiters.append(promise)

    @property
    def admitted(self) -> bool:
        """Whether it holds a place: it has actors, or is about to, or they are being ended."""
        return self.life is not Life.AT_REST

    @property
    def over(self) -> bool:
        """Whether it has ended, and only its hooks are left."""
        return not self.admitted and self.row.status.terminal

    @property
    def waits(self) -> bool:
        """Whether it is in line for admission."""
        return not self.admitted and not self.unsure and self.stands

    @property
    def stands(self) -> bool:
        """Whether its row says that it has only to be let in: no other job, no time is waited
        for."""
        return self.row.status in WAITS and OPTION not in self.row.options


class Roster(dict[str, Live]):
    """See the head of this file. ``hooks_run`` are jobs of which the command of a hook runs."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks_run: set[str] = set()
        self._admitted: set[str] = set()
        self._unsure: set[str] = set()
        self._line: list[Place] = []
        self._sharing: dict[Hashable, dict[str, None]] = {}
        self._keys: dict[str, tuple[Hashable, ...]] = {}
        self._archiving: dict[str, None] = {}

    def __setitem__(self, job_id: str, live: Live) -> None:
        self.pop(job_id, None)
        super().__setitem__(job_id, live)
        self._keys[job_id] = keys = _keys(live.row)
        for key in keys:
            self._sharing.setdefault(key, {})[job_id] = None
        if live.row.options.get("archives"):
            self._archiving[job_id] = None
        if live.admitted:
            self._admitted.add(job_id)
        if live.unsure:
            self._unsure.add(job_id)
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
        self._admitted.discard(job_id)
        self._unsure.discard(job_id)
        self._archiving.pop(job_id, None)
        if (where := self._where(_place(live.row))) is not None:
            del self._line[where]  # the head of the line may stay for weeks, and others go past it
        for key in self._keys.pop(job_id):
            sharing = self._sharing[key]
            del sharing[job_id]
            if not sharing:
                del self._sharing[key]
        return live

    # -- admission ------------------------------------------------------------------------------

    @property
    def admitted(self) -> int:
        """How many places are taken."""
        return len(self._admitted)

    def running(self) -> Iterator[Live]:
        """Those that hold a place."""
        for job_id in self._admitted:
            yield self[job_id]

    def move(self, live: Live, what: Happens) -> bool:
        """Whether this means something for a job, which has moved then."""
        life = after(live.life, what)
        if life is None:
            return False
        live.life = life
        if live.admitted:
            self._admitted.add(live.row.job_id)
        else:
            self._admitted.discard(live.row.job_id)
        return True

    def leave(self, live: Live, row: JobRow) -> None:
        """The job has no actors any more, and its place is free; ``row`` is how they left it."""
        self.move(live, Happens.LEAVE)
        live.row = row
        self._stand_in_line(live)

    # -- what is not decided --------------------------------------------------------------------

    def change(self, live: Live) -> None:
        """A change of the row is on its way."""
        live.unsure = True
        self._unsure.add(live.row.job_id)

    def decided(self, job_id: str) -> Live | None:
        """That change is on disk, or nothing of it is. None if the job is none any more."""
        live = self.get(job_id)
        if live is not None:
            live.unsure = False
            self._unsure.discard(job_id)
            self._stand_in_line(live)
        return live

    @property
    def comes(self) -> bool:
        """Whether a job will stand in line as soon as it is on disk: nobody goes before it."""
        return any(not self[job_id].admitted and self[job_id].stands for job_id in self._unsure)

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
        return live is not None and live.waits and _place(live.row) == place

    def _stand_in_line(self, live: Live) -> None:
        place = _place(live.row)
        if live.waits and self._where(place) is None:
            insort(self._line, place)

    def _where(self, place: Place) -> int | None:
        where = bisect_left(self._line, place)
        return where if self._line[where : where + 1] == [place] else None

    # -- workspaces and scores ------------------------------------------------------------------

    def working_in(self, workspace: str) -> Iterator[JobRow]:
        """The jobs whose workspace it is."""
        return self._with(workspace)

    def of_file(self, path: str) -> Iterator[JobRow]:
        """The jobs of this score's file."""
        return self._with(("file", path))

    def at_same_work(
        self, path: str, workspace: str, variables: Mapping[str, str]
    ) -> Iterator[JobRow]:
        """The jobs of this file that have the same variables and work in the same directory."""
        return self._with(_work(path, workspace, variables))

    def _with(self, key: Hashable) -> Iterator[JobRow]:
        for job_id in self._sharing.get(key, ()):
            yield self[job_id].row

    def archiving(self) -> Iterator[JobRow]:
        """The jobs that move away what they find in their workspace."""
        for job_id in self._archiving:
            yield self[job_id].row


def _place(row: JobRow) -> Place:
    return row.priority, row.submitted_at, row.job_id


def _keys(row: JobRow) -> tuple[Hashable, ...]:
    """What a job is found by among those that have the same."""
    path, variables = row.config_path, row.options.get("variables") or {}
    if path is None:
        return (row.workspace,)
    return row.workspace, ("file", path), _work(path, row.workspace, variables)


def _work(path: str, workspace: str, variables: Mapping[str, str]) -> Hashable:
    # An empty frozenset is 216 bytes, for each job that waits.
    return path, workspace, tuple(sorted(variables.items()))
