"""The ledger of one job: its plan, its row, a row for each sheet that was touched, their counts.

Every change of a row or of the job goes through here into a step, so that memory and disk cannot
come apart. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

from marianne.daemon.shared.effects import Step
from marianne.model.placement import LOCAL, executor_of
from marianne.model.plan import Growth, Instrument, Plan
from marianne.schedule.entries import HERE, SheetInfo
from marianne.schedule.graph import depths
from marianne.state.changes import AddAttempt, AddEvent, HoldWork, SaveSheet, UpdateJob
from marianne.state.models import (
    TERMINAL_SHEET,
    JobRow,
    JobStatus,
    SheetRow,
    SheetStatus,
)
from marianne.state.transitions import move
from marianne.state.work_time import WorkTime

if TYPE_CHECKING:
    from marianne.model.result import AttemptResult
    from marianne.replies.job import Progress


class Ledger:
    """What is true of a job and its sheets, and the only way to change it.

    A sheet without a row is pending and was never started. A method that takes a step notes the
    change there; ``now`` is in seconds since the epoch.
    """

    def __init__(self, plan: Plan, job: JobRow, rows: Mapping[int, SheetRow]) -> None:
        self.plan = plan
        self.job = job
        self.rows: dict[int, SheetRow] = dict(rows)
        self.counts: Counter[SheetStatus] = Counter(row.status for row in self.rows.values())
        self.counts[SheetStatus.PENDING] += len(plan.sheets) - len(self.rows)
        running = self.counts[SheetStatus.RUNNING]
        self.work = WorkTime(running, job.worked, job.work_since, job.work_until)
        """Of all that is saved, committed or not."""
        self._at_work = set(self.running())
        self.ended: list[int] | None = None
        """The sheets that came to their end since somebody looked, who makes this a list."""
        self.replanned = False
        """Whether another plan waits until nothing of this one runs."""
        self._read_graph()

    def _read_graph(self) -> None:
        self._dependents = self.plan.dependents()
        self._depths = depths({s.num: set(s.needs) for s in self.plan.sheets})

    # -- what is true ---------------------------------------------------------------------------

    def row(self, num: int) -> SheetRow:
        """The sheet's row, made where there is none."""
        row = self.rows.get(num)
        if row is None:
            row = self.rows[num] = SheetRow(num)
        return row

    def peek(self, num: int) -> SheetRow:
        """The sheet's row, or a blank one to look at that is not kept."""
        return self.rows.get(num) or SheetRow(num)

    def running(self) -> list[int]:
        """The sheets that run, in order."""
        return sorted(n for n, r in self.rows.items() if r.status is SheetStatus.RUNNING)

    def goes_on(self) -> bool:
        """Whether the job runs, or lets its running sheets finish before a pause."""
        return self.job.status in (JobStatus.RUNNING, JobStatus.PAUSING)

    def all_over(self) -> bool:
        """Whether every sheet came to its end."""
        counts = self.counts
        return sum(counts[status] for status in TERMINAL_SHEET) == len(self.plan.sheets)

    def progress(self) -> Progress:
        """Counts of sheets by outcome; ready and waiting count as pending."""
        counts = self.counts
        return {
            "completed": counts[SheetStatus.COMPLETED],
            "failed": counts[SheetStatus.FAILED],
            "skipped": counts[SheetStatus.SKIPPED],
            "cancelled": counts[SheetStatus.CANCELLED],
            "running": counts[SheetStatus.RUNNING],
            "pending": counts[SheetStatus.PENDING]
            + counts[SheetStatus.READY]
            + counts[SheetStatus.WAITING],
            "total": len(self.plan.sheets),
        }

    # -- the graph ------------------------------------------------------------------------------

    def is_satisfied(self, num: int) -> bool:
        """Whether dependents may count on the sheet (:attr:`SheetRow.satisfied`)."""
        row = self.rows.get(num)
        return row is not None and row.satisfied

    def unmet(self, nums: Iterable[int]) -> set[int]:
        """What these sheets need, directly or not, and nobody can count on; not they themselves.
        So is what has been taken away since, where one of them works with it."""
        named = set(nums)
        found = self._taken_away(named) - named
        todo = list(named)
        while todo:
            sheet = self.plan.sheets[todo.pop() - 1]
            if sheet.when != "succeeded":
                continue  # its needs have only to end
            for need in sheet.needs:
                if need not in found and need not in named and not self.is_satisfied(need):
                    found.add(need)
                    todo.append(need)
        return found

    def _taken_away(self, nums: set[int]) -> set[int]:
        """The sheets of which nothing is there any more and that one of these depends on; not for
        what runs whatever comes of its needs."""
        steps = {sheet.workspace_step: sheet.num for sheet in self.plan.sheets}
        begin, end = steps.get("begin"), steps.get("end")
        if begin is None or end is None or self.peek(end).status is not SheetStatus.COMPLETED:
            return set()
        nums = {num for num in nums if self.plan.sheets[num - 1].when == "succeeded"} - {end}
        return set() if self.below(begin).isdisjoint(nums) else {begin}

    def dependents(self, num: int) -> Sequence[int]:
        """The sheets that need this one directly."""
        return self._dependents.get(num, ())

    def below(self, *nums: int) -> set[int]:
        """The sheets that need one of these, directly or not."""
        found: set[int] = set()
        todo = list(nums)
        while todo:
            for dependent in self._dependents.get(todo.pop(), ()):
                if dependent not in found:
                    found.add(dependent)
                    todo.append(dependent)
        return found

    # -- who plays a sheet ----------------------------------------------------------------------

    def available(self, row: SheetRow, start: int) -> int:
        """The index of the sheet's first instrument from ``start`` on that is there; ``start`` if
        none is."""
        sheet = self.plan.sheets[row.num - 1]
        if start == 0 and sheet.instrument.unavailable is None:
            return 0  # nearly always
        found = sheet.next_available(start)
        return start if found is None else found

    def instrument(self, row: SheetRow) -> Instrument:
        """Who plays the sheet's current attempt, or would play its next."""
        sheet = self.plan.sheets[row.num - 1]
        return sheet.instrument_at(self.available(row, row.fallback)) or sheet.instrument

    def _executor(self, row: SheetRow) -> str:
        sheet = self.plan.sheets[row.num - 1]
        return executor_of(self.plan, sheet, self.available(row, row.fallback))

    def info(self, row: SheetRow) -> SheetInfo:
        """The sheet as the scheduler queues it."""
        instrument, sheet = self.instrument(row), self.plan.sheets[row.num - 1]
        executor = self._executor(row)
        return SheetInfo(
            self.job.job_id,
            row.num,
            backend_type=instrument.profile,
            model=instrument.model,
            dag_depth=self._depths[row.num],
            job_priority=self.job.priority,
            retries_so_far=row.failures,
            cpus=sheet.cpus,
            memory_mb=sheet.memory_mb,
            gpus=sheet.gpus,
            batch=sheet.batch_options(instrument) is not None,
            where=HERE if executor == LOCAL else executor,
        )

    def attempt(self, row: SheetRow, result: AttemptResult) -> AddAttempt:
        """The end of the sheet's current attempt, as a change; before the row goes on."""
        return AddAttempt(self.job.job_id, result, self.instrument(row).profile)

    # -- changes --------------------------------------------------------------------------------

    def move(self, row: SheetRow, status: SheetStatus, *, asked: bool = False) -> None:
        """Gives a row its next status and counts it; :meth:`save` it when the rest is said too.

        Raises IllegalTransition; ``asked`` says that a person wants it.
        """
        before = row.status
        move(row, status, asked=asked)
        self.counts[before] -= 1
        self.counts[status] += 1
        if self.ended is not None and status in TERMINAL_SHEET:
            self.ended.append(row.num)

    def save(self, step: Step, row: SheetRow, *, asked: bool = False) -> None:
        """Notes the row as it is now."""
        if (row.num in self._at_work) is not (row.status is SheetStatus.RUNNING):
            before = SheetStatus.RUNNING if row.num in self._at_work else SheetStatus.PENDING
            self.work.saved(before, row)
            self._at_work ^= {row.num}
        # A copy: the store reads it later, in its own thread, while this row goes on changing.
        step.changes.append(SaveSheet(self.job.job_id, copy(row), asked))

    def set_row(self, step: Step, row: SheetRow, status: SheetStatus, **fields: object) -> None:
        """Moves the row, sets these fields of it, and notes it."""
        self.move(row, status)
        for name, value in fields.items():
            setattr(row, name, value)
        self.save(step, row)

    def start(self, step: Step, row: SheetRow, now: float) -> None:
        """The sheet's next attempt begins; what was known of the one before is cleared."""
        self.move(row, SheetStatus.RUNNING)
        row.attempt += 1
        row.fallback = self.available(row, row.fallback)
        row.started_at, row.finished_at, row.due_at = now, None, None
        row.exit_code = row.signal = row.node = None
        row.validations, row.left_running, row.walls = [], [], ()
        self.save(step, row)
        if self._executor(row) == LOCAL:
            self._tell_start(step, row, now)

    def show_start(
        self,
        step: Step,
        row: SheetRow,
        started_at: float,
        walls: Sequence[str] = (),
        node: str | None = None,
    ) -> None:
        """An attempt's true start and its walls: shown from now on, on disk with the attempt's end.
        Of one on a cluster it is the start, which is told now, with its node: a grant may wait
        there for one."""
        row.started_at, row.walls = started_at, tuple(walls)
        if node is not None and row.node != node:
            row.node = node
            self.save(step, row)
            self._tell_start(step, row, started_at, node=node)

    def _tell_start(self, step: Step, row: SheetRow, now: float, **more: str) -> None:
        data = {"attempt": row.attempt, "instrument": self.instrument(row).profile, **more}
        self.event(step, "sheet.started", row.num, data, now=now)

    def hold(self, step: Step, on: bool, now: float) -> None:
        """What runs stands still from now on, or goes on: the time between is none of its work."""
        since = self.work.until
        if not self.work.hold(on, now):
            return
        step.changes.append(HoldWork(self.job.job_id, on, now))
        if on:
            self.event(step, "job.held", now=now)
            return
        for row in map(self.row, self.running()):
            row.worked -= max(0.0, now - max(since, row.started_at or now))
            self.save(step, row)

    def set_job(self, step: Step, status: JobStatus, **fields: object) -> None:
        """Moves the job and sets these fields of it. Raises IllegalTransition."""
        move(self.job, status)
        for name, value in fields.items():
            setattr(self.job, name, value)
        step.changes.append(UpdateJob(self.job.job_id, {"status": status, **fields}))

    def pass_through(self, status: JobStatus) -> None:
        """Moves the job to a status that only leads to the next one: it is never on disk."""
        move(self.job, status)

    def keep_option(self, step: Step, name: str, value: object) -> None:
        """Sets one of the job's options: what a part of the machine keeps over a restart."""
        self.job.options = {**self.job.options, name: value}
        step.changes.append(UpdateJob(self.job.job_id, {"options": self.job.options}))

    def grow(self, plan: Plan, growth: Growth) -> None:
        """The plan is this one, which has the sheets of the growth more."""
        self.plan = plan
        self.job.sheet_count = len(plan.sheets)
        self.counts[SheetStatus.PENDING] += len(growth.items)
        self._read_graph()

    def event(
        self,
        step: Step,
        event: str,
        num: int | None = None,
        data: Mapping[str, object] | None = None,
        *,
        now: float,
    ) -> None:
        """Notes an event of the job, or of its sheet ``num``."""
        step.changes.append(AddEvent(self.job.job_id, num, event, dict(data or {}), now))


def forget_crashes(job: JobRow, step: Step) -> None:
    """An attempt came to its end: the deaths before it were not this job's doing."""
    job.crashes = 0
    step.changes.append(UpdateJob(job.job_id, {"crashes": 0}))
