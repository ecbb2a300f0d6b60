"""A job's state machine with a worker, a scheduler and a disk made of dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

from kept_rows import keep

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.shared.effects import (
    Complete,
    Deregister,
    EndSheets,
    Finish,
    Grow,
    Register,
    Release,
    Requeue,
    Step,
    Unblock,
    WakeAt,
)
from marianne.executors.protocol import Run
from marianne.model.plan import Instrument, ListSource, Plan, Prompt, RetryPolicy, SheetPlan
from marianne.model.result import AttemptResult, lost
from marianne.score.pack import unpack_plan
from marianne.state.changes import AddAttempt, AddEvent, GrowPlan
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus

SHELL = Instrument("shell")


def with_list(plan: Plan, num: int) -> Plan:
    """The plan, of which that sheet makes a list."""
    sheet = replace(plan.sheet(num), needs=(num,), item="⟨item⟩")
    return replace(plan, lists={**plan.lists, num: ListSource("command", sheet, 100)})


def plan_of(needs: dict[int, tuple[int, ...]], retries: int = 0) -> Plan:
    """A plan of sheets 1 to n with these dependencies."""
    policy = RetryPolicy(max_retries=retries, base_delay=1.0, jitter=False)
    sheets = tuple(
        SheetPlan(n, f"s{n}", n, SHELL, Prompt("true"), needs=needs[n], retry=policy)
        for n in sorted(needs)
    )
    return Plan("job", "/w", sheets, total_stages=len(sheets))


class Play:
    """Carries steps out at once, and refuses what a world would not survive."""

    def __init__(
        self,
        plan: Plan,
        status: JobStatus = JobStatus.RUNNING,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.plan = plan
        self.disk_job = JobRow("job", "job", status, "/w", 0.0, len(plan.sheets))
        self.disk_job.options = options or {}
        self.disk: dict[int, SheetRow] = {}
        self.attempts: set[tuple[int, int]] = set()
        self.events: list[tuple[str, int | None]] = []
        self.told: list[tuple[str, Mapping[str, Any]]] = []
        self.runs: list[Run] = []
        self.running: dict[int, int] = {}
        self.begun: set[tuple[int, int]] = set()
        self.spool: list[AttemptResult] = []
        self.queue: set[int] = set()
        self.needs: dict[int, set[int]] = {}
        self.known: set[int] = set()
        self.slots: set[int] = set()
        self.timers: dict[int, float] = {}
        self.finished: JobStatus | None = None
        self.doomed: bool | None = None
        self.now = 100.0
        self.machine = self._machine()
        self.take(self.machine.recover((), self.now))

    def _machine(self) -> JobMachine:
        return JobMachine(self.plan, deepcopy(self.disk_job), deepcopy(self.disk), lambda: 0.5)

    def restart(self, *, worker: bool, pause: bool = False) -> None:
        """The job actor starts again from disk; with ``worker`` False its worker died too, and
        the next one knows from the spool what began. With ``pause`` somebody says so before the
        worker is heard."""
        if not worker:
            for num, attempt in self.running.items():
                self._spooled(lost(num, attempt, self.now, self.now))
            self.running.clear()
        self.machine = self._machine()
        self.machine.knows_what_runs = False
        self.timers.clear()
        if pause:
            self.take(self.machine.pause("person", self.now))
        for result in list(self.spool):
            self.take(self.machine.result(result, self.now))
        self.take(self.machine.recover(self.running.items(), self.now))

    def take(self, step: Step) -> None:
        if self.doomed is not None:
            # Dead before the commit: what is done at once was done, nothing of it is on disk.
            worker, self.doomed = self.doomed, None
            for effect in step.now:
                self._do(effect)
            self.restart(worker=worker)
            return
        for change in step.changes:
            self._commit(change)
        for effect in (*step.now, *step.after):
            self._do(effect)

    def _commit(self, change: object) -> None:
        keep(change, self.disk, self.disk_job)
        match change:
            case GrowPlan(_, plan, count):
                self.plan = unpack_plan(plan)
                self.disk_job.sheet_count = count
                assert count == len(self.plan.sheets)
            case AddAttempt(_, result):
                key = (result.num, result.attempt)
                assert key not in self.attempts, f"attempt {key} was recorded twice"
                self.attempts.add(key)
            case AddEvent(_, num, event, data):
                self.events.append((event, num))
                self.told.append((event, data))

    def _do(self, effect: object) -> None:
        match effect:
            case Run(num, attempt):
                assert num not in self.running, f"sheet {num} runs twice"
                sheet = self.plan.sheets[num - 1]
                met = self.satisfied if sheet.when == "succeeded" else self.over
                unmet = [n for n in sheet.needs if not met(n)]
                assert not unmet, f"sheet {num} runs before {unmet}"
                assert (num, attempt) not in self.begun, f"attempt {num}.{attempt} runs again"
                self.begun.add((num, attempt))
                self.running[num] = attempt
                self.runs.append(effect)
            case EndSheets(nums):
                for num in nums:
                    if num in self.running:
                        self.end(num, "interrupted", "cancelled")
            case Release(num):
                self.slots.discard(num)
            case Complete(num, success):
                self.known.discard(num)
                if success:
                    for over, needs in self.needs.items():
                        needs.discard(num)
                        if not needs and over in self.known and over not in self.slots:
                            self.queue.add(over)
            case Grow(growth):
                new = set(range(growth.first, growth.first + len(growth.items)))
                if self.known:
                    new -= self.known
                    self.known |= new
                    for sheet in self.plan.sheets:
                        more = {n for n in sheet.needs if sheet.num in new or n in new}
                        if sheet.num in self.known and more:
                            self.needs[sheet.num] = self.needs.get(sheet.num, set()) | more
            case Requeue(info):
                assert info.sheet_num not in self.running, "one that runs is queued"
                if info.sheet_num in self.known:
                    self.slots.discard(info.sheet_num)
                    self.queue.add(info.sheet_num)
            case Register(sheets, needs, running, waiting):
                self.known = {s.sheet_num for s in sheets}
                self.needs = {n: set(of) for n, of in needs.items()}
                self.slots = set(running)
                self.queue = {n for n in self.known - running - waiting if not self.needs.get(n)}
            case Deregister():
                self.queue, self.known = set(), set()
            case Unblock(num):
                self.take(self.machine.due(num, self.now))
            case WakeAt(num, due_at):
                self.timers[num] = due_at
            case Finish(status):
                assert self.finished is None, "finished twice"
                assert not self.running, "finished while sheets run"
                self.finished = status

    def satisfied(self, num: int) -> bool:
        row = self.disk.get(num)
        return row is not None and (
            row.status is SheetStatus.COMPLETED or row.category == "skip_condition"
        )

    def over(self, num: int) -> bool:
        return num in self.disk and self.disk[num].status.terminal

    def grant(self, num: int | None = None) -> int:
        num = min(self.queue) if num is None else num
        self.queue.discard(num)
        self.slots.add(num)
        self.take(self.machine.grant(num, self.now))
        return num

    def end(
        self,
        num: int,
        outcome: str = "completed",
        category: str | None = None,
        items: list[str] | None = None,
    ) -> None:
        """The attempt ends; its result is spooled, said, and may be said again."""
        attempt = self.running.pop(num)
        listed = {"items": items, "prefix": ""} if items is not None else None
        ended = AttemptResult(num, attempt, outcome, self.now, self.now + 0.5, category=category)
        result = self._spooled(replace(ended, listed=listed))
        self.now += 1.0
        self.take(self.machine.result(result, self.now))

    def _spooled(self, result: AttemptResult) -> AttemptResult:
        self.spool.append(replace(result, serial=len(self.spool) + 1))
        return self.spool[-1]

    def wake(self, num: int) -> None:
        self.now = max(self.now, self.timers.pop(num))
        self.take(self.machine.due(num, self.now))

    def run_out(self, how: Callable[[int], str] = lambda num: "completed") -> None:
        """Goes on until nothing can happen any more."""
        while self.queue or self.running or self.timers:
            if self.queue:
                self.grant()
            elif self.running:
                num = min(self.running)
                outcome = how(num)
                self.end(num, outcome, None if outcome == "completed" else "exit")
            else:
                self.wake(min(self.timers))
