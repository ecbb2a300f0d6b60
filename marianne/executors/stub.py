"""An executor that runs sheets in memory: for tests of all that stands above the seam.

``play`` says how each attempt ends. What a runner was told and has finished is kept by the
executor, as a worker process would keep it, so the actors above may crash and start anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from actors import Actor, ChildSpec, Future, Handle, Promise, System
from marianne.executors.beside import Again, CommandEnd, SideCommand
from marianne.executors.protocol import Hearer, Hello, Run, RunnerTroubles
from marianne.model.result import AttemptResult
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.model.plan import Growth
    from marianne.replies import executors as told
    from marianne.state.models import JobRow

T = TypeVar("T")
Play = Callable[[str, Run], AttemptResult | None]
"""How an attempt of a job ends, at once; None: it runs until it is ended."""


def succeed(job_id: str, run: Run) -> AttemptResult:
    """A program that does nothing, well."""
    now = time.time()
    return AttemptResult(run.num, run.attempt, "completed", now, now, exit_code=0)


@dataclass
class Work:
    """What one job's sheets have come to."""

    running: dict[int, Run] = field(default_factory=dict)
    ahead: list[Run] = field(default_factory=list)
    unacked: dict[int, dict[str, Any]] = field(default_factory=dict)
    begun: set[tuple[int, int]] = field(default_factory=set)
    serial: int = 0
    held: bool = False


class StubExecutor:
    """As :class:`marianne.executors.protocol.Executor` says. ``work`` is open to look at, and
    ``commands`` are what was run beside the jobs: each ends well at once."""

    def __init__(self, system: System, play: Play = succeed) -> None:
        self.work: dict[str, Work] = {}
        self.commands: list[SideCommand] = []
        self._system = system
        self._play = play

    def services(self) -> Sequence[ChildSpec]:
        """None."""
        return ()

    def look(self) -> None:
        """It has no files."""

    def troubles(self) -> RunnerTroubles:
        """None."""
        return {"workers": "ok", "refused_worker_messages": 0}

    def rooms(self) -> Mapping[str, int]:
        """There is no other executor."""
        return {}

    def batch_jobs(self) -> Mapping[str, int]:
        """It makes none."""
        return {}

    def shortage(self, executor: str) -> str:
        """There is none."""
        return ""

    def describe(self, *, check: bool) -> Future[list[told.Executor]]:
        """It has no nodes."""
        return self._done([])

    def cannot_hold(self, executors: Sequence[str]) -> str | None:
        """It can."""
        return None

    def waits(self, job_id: str) -> Mapping[int, str]:
        """None: what is granted begins."""
        return {}

    def summary(self) -> str | None:
        """There are no nodes."""
        return None

    def drain(self, node: str, *, on: bool) -> bool:
        """It has no nodes."""
        return False

    def job_of(self, pid: int) -> str | None:
        """No process is a job's."""
        return None

    def close(self) -> None:
        """Nothing is held ready."""

    def cut_short(self) -> None:
        """Nothing has a grace."""

    def runners(self, job_id: str, executors: Sequence[str]) -> Sequence[ChildSpec]:
        """A runner on what the job's sheets have come to."""
        work = self.work.setdefault(job_id, Work())
        args = (Handle[Any](self._system, f"job:{job_id}/job"), job_id, work, self._play)
        return [ChildSpec(id=f"job:{job_id}/worker", cls=StubRunner, args=args)]

    def prepare(self, row: JobRow, plan: bytes, environment: bytes) -> None:
        """Nothing: the job's actors read what they need."""

    def unprepare(self, job_id: str) -> None:
        """Nothing was prepared."""

    def end(self, row: JobRow) -> Future[None]:
        """What runs is over at once, and its results are kept."""
        if row.job_id in self.work:
            self.work[row.job_id].running.clear()
            self.work[row.job_id].ahead.clear()
        return self._done(None)

    def finished(self, job_id: str, executor: str | None = None) -> Iterable[dict[str, Any]]:
        """What was not acknowledged."""
        work = self.work.get(job_id)
        return list(work.unacked.values()) if work is not None else []

    def remove(self, job_ids: Iterable[str]) -> None:
        """It is forgotten."""
        for job_id in job_ids:
            self.work.pop(job_id, None)

    def command(self, command: SideCommand) -> Future[CommandEnd]:
        """It is noted."""
        self.commands.append(command)
        return self._done(CommandEnd(True, "exit code 0"))

    def recheck(self, job_id: str, sheets: Sequence[Again]) -> Future[list[dict[str, Any]]]:
        """Every check passes."""
        runs = [Run(sheet.num, sheet.attempt, sheet.fallback) for sheet in sheets]
        return self._done([succeed(job_id, run).to_map() for run in runs])

    def _done(self, value: T) -> Future[T]:
        future: Future[T] = Future(self._system, "stub", None, None)
        future.answer(value)
        return future


class StubRunner(Actor):
    """As :class:`marianne.executors.protocol.Runner` says."""

    def __init__(self, job: Handle[Any], job_id: str, work: Work, play: Play) -> None:
        super().__init__()
        self._job = job
        self._job_id = job_id
        self._work = work
        self._play = play

    def report(self, asker: int) -> None:
        """Tells what runs."""
        work = self._work
        hello: Hello = {
            "running": [[run.num, run.attempt] for run in work.running.values()],
            "queued": [[run.num, run.attempt] for run in work.ahead],
            "ended": [],
            "held": work.held,
            "unacked": list(work.unacked.values()),
        }
        self._job.tell(Hearer.worker_up, dict(hello), asker)

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """Attempts that are begun already are not begun twice."""
        work = self._work
        work.ahead += [run for run in runs if run.ahead and self._is_new(run)]
        for run in runs:
            if not run.ahead and self._is_new(run):
                self._begin(run)

    def grow(self, growths: Sequence[Growth]) -> None:
        """It knows no plan."""

    def withdraw(self) -> None:
        """What was lent goes back."""
        back, self._work.ahead = self._work.ahead, []
        self._job.tell(Hearer.withdrawn, [[run.num, run.attempt] for run in back])

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """Their results come as interrupted."""
        now = time.time()
        for num in nums:
            run = self._work.running.get(num)
            if run is not None:
                ended = AttemptResult(run.num, run.attempt, "interrupted", now, now)
                self._end(run, replace(ended, category=category))

    def hold(self, on: bool) -> None:
        """It is noted."""
        self._work.held = on

    def acknowledge(self, serials: Sequence[int]) -> None:
        """Those are not told again."""
        for serial in serials:
            self._work.unacked.pop(serial, None)

    def ended(self, result: AttemptResult) -> None:
        """A test says: an attempt that runs ends like this."""
        run = self._work.running.get(result.num)
        if run is not None and run.attempt == result.attempt:
            self._end(run, result)

    def finish(self) -> Promise[None]:
        """Nothing of the job runs any more."""
        promise: Promise[None] = self.promise()
        self._work.running.clear()
        self._work.ahead.clear()
        promise.set(None)
        return promise

    def _is_new(self, run: Run) -> bool:
        return (run.num, run.attempt) not in self._work.begun

    def _begin(self, run: Run) -> None:
        self._work.begun.add((run.num, run.attempt))
        self._work.running[run.num] = run
        result = self._play(self._job_id, run)
        if result is not None:
            self._end(run, result)
        else:
            self._job.tell(Hearer.results, (), [[run.num, run.attempt, time.time(), []]])

    def _end(self, run: Run, result: AttemptResult) -> None:
        work = self._work
        del work.running[run.num]
        work.serial += 1
        told = replace(result, serial=work.serial).to_map()
        work.unacked[work.serial] = told
        self._job.tell(Hearer.results, [told])
        if work.ahead:
            self._begin(work.ahead.pop(0))
