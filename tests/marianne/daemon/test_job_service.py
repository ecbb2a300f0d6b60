"""One job's rules in force, carried by a program of one's own: hands that run sheets in memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from job_play import plan_of

from ipc import codec
from marianne.daemon.at_once import at_once
from marianne.daemon.job.execution import Execution
from marianne.daemon.job.machine import JobMachine
from marianne.daemon.job_service import JobService
from marianne.daemon.output import NullOutput
from marianne.daemon.shared.effects import Register
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.status_cache import StatusCache
from marianne.executors.protocol import Run
from marianne.model.result import AttemptResult
from marianne.schedule.entries import SheetInfo
from marianne.schedule.queue import SheetQueue
from marianne.state.changes import AddEvent
from marianne.state.models import JobRow, JobStatus

WORKSPACE = Path("/w")


class Hands:
    """Every attempt succeeds as soon as it is looked at."""

    def __init__(self) -> None:
        self._queue = SheetQueue(4)
        self.todo: deque[Run] = deque()
        self.finished: JobStatus | None = None
        self.pools: Mapping[str, int | None] = {}

    def grants(self) -> list[int]:
        granted = []
        while (entry := self._queue.grant(time.time())) is not None:
            granted.append(entry.info.sheet_num)
        return granted

    def run(self, run: Run) -> None:
        self.todo.append(run)

    def withdraw(self) -> None:
        pass

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        raise AssertionError("nothing is cancelled here")

    def acknowledge(self, serial: int) -> None:
        pass

    def register(
        self, work: Register, max_concurrent: int | None, pools: Mapping[str, int | None]
    ) -> None:
        self.pools = pools
        self._queue.register(
            "job",
            work.sheets,
            work.dependencies,
            now=time.time(),
            running=work.running,
            waiting=work.waiting,
            max_concurrent=max_concurrent,
            pools=pools,
            agents=work.agents,
        )

    def deregister(self) -> None:
        self._queue.deregister("job")

    def release(self, num: int) -> None:
        self._queue.release("job", num)

    def complete(self, num: int, success: bool) -> None:
        self._queue.complete("job", num, success, time.time())

    def requeue(self, info: SheetInfo) -> None:
        self._queue.requeue("job", info.sheet_num, now=time.time(), info=info)

    def wake_at(self, num: int, due_at: float) -> None:
        raise AssertionError("nothing waits here")

    def finish(self, status: JobStatus) -> None:
        self.finished = status


class Here:
    """The door to a job that runs in the same thread."""

    def __init__(self, job: Execution) -> None:
        self._job = job
        self.workspace = job.workspace

    async def pause(self) -> None:
        self._job.pause()

    async def status(self) -> dict[str, Any]:
        return _status(self._job)


def _status(job: Execution) -> dict[str, Any]:
    status: dict[str, Any] = codec.unpack(job.status())
    return status


def _play(job: Execution, hands: Hands) -> None:
    """Until nothing can happen any more."""
    job.add(AddEvent("job", None, "job.started", {}, time.time()))
    job.worker_up({"unacked": ()})
    while True:
        job.granted(hands.grants())
        step = job.decided()
        job.committed(step)
        if step:
            continue
        if not hands.todo:
            return
        run = hands.todo.popleft()
        now = time.time()
        job.results([AttemptResult(run.num, run.attempt, "completed", now, now).to_map()])


def test_an_instrument_that_has_no_limit_any_more_is_registered_without_one() -> None:
    """Else the limit of an earlier job would hold until the conductor's end."""
    hands = Hands()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 1)
    machine = JobMachine(plan_of({1: ()}), row, {}, lambda: 0.5)
    _play(Execution(machine, hands, JobService()), hands)
    assert hands.pools == {"shell": None}


def test_a_program_that_runs_a_job_itself_hears_of_it_and_may_pause_it() -> None:
    events: list[tuple[int | None, str]] = []
    states: list[str] = []

    def happened(job_id: str, num: int | None, event: str, _data: Mapping[str, Any]) -> None:
        events.append((num, event))
        if event == "sheet.started":
            assert at_once(service.pause_job(job_id, WORKSPACE))

    hands = Hands()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 2)
    service = JobService(
        output=NullOutput(),
        event_callback=happened,
        state_publish_callback=lambda state: states.append(state["status"]),
    )
    machine = JobMachine(plan_of({1: (), 2: (1,)}), row, {}, lambda: 0.5)
    job = Execution(machine, hands, service)
    service.open("job", Here(job))
    _play(job, hands)
    assert events == [
        *((None, "job.started"), (1, "sheet.started"), (1, "sheet.completed")),
        (None, "job.paused"),
    ]
    assert states == ["pausing", "paused"]
    assert hands.finished is JobStatus.PAUSED
    status = at_once(service.get_status("job", WORKSPACE))
    assert status is not None
    assert status["status"] == "paused"
    assert at_once(service.get_status("job", Path("/elsewhere"))) is None
    assert at_once(service.get_status("other", WORKSPACE)) is None
    with pytest.raises(ValueError, match="there is only 'sqlite'"):
        at_once(service.get_status("job", WORKSPACE, "json"))
    with pytest.raises(JobSubmissionError, match="job job is paused already"):
        at_once(service.pause_job("job", WORKSPACE))
    with pytest.raises(JobSubmissionError, match="job other does not run here"):
        at_once(service.pause_job("other", WORKSPACE))
    assert not service.notifications_degraded
    service.delivery.undelivered = 3
    assert service.notifications_degraded


class Said(NullOutput):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[Any, ...]] = []

    def progress(
        self, job_id: str, completed: int, total: int, eta_seconds: float | None = None
    ) -> None:
        self.lines.append((job_id, completed, total))

    def sheet_event(
        self, job_id: str, sheet_num: int, event: str, data: dict[str, Any] | None = None
    ) -> None:
        self.lines.append((job_id, sheet_num, event))

    def job_event(self, job_id: str, event: str, data: dict[str, Any] | None = None) -> None:
        self.lines.append((job_id, event))


def test_a_programs_output_is_told_of_the_job_its_sheets_and_its_progress() -> None:
    said = Said()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 1)
    machine = JobMachine(plan_of({1: ()}), row, {}, lambda: 0.5)
    hands = Hands()
    _play(Execution(machine, hands, JobService(output=said)), hands)
    assert said.lines == [
        ("job", "started"),
        *(("job", 1, "started"), ("job", 1, "completed")),
        *(("job", "completed"), ("job", 1, 1)),
    ]


def test_what_a_programs_callback_raises_stops_nothing() -> None:
    def fail(*_: object) -> None:
        raise ValueError("the program's own fault")

    hands = Hands()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 1)
    service = JobService(event_callback=fail, state_publish_callback=fail, rate_limit_callback=fail)
    _play(Execution(JobMachine(plan_of({1: ()}), row, {}, lambda: 0.5), hands, service), hands)
    assert hands.finished is JobStatus.COMPLETED


def test_an_end_is_told_when_it_is_on_disk_and_not_before() -> None:
    hands = Hands()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 1)
    machine = JobMachine(plan_of({1: ()}), row, {}, lambda: 0.5)
    job = Execution(machine, hands, JobService())
    job.worker_up({"unacked": ()})
    job.granted(hands.grants())
    job.committed(job.decided())
    job.results([AttemptResult(1, 1, "completed", 1.0, 2.0).to_map()])
    decided = job.decided()
    told = _status(job)
    assert (told["status"], told["finished_at"]) == ("running", None)
    assert job.status() == job.status()
    job.committed(decided)
    assert _status(job)["status"] == "completed", "what was kept before was told"


def test_what_is_told_of_a_sheet_is_on_disk() -> None:
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 2)
    hands = Hands()
    job = Execution(
        JobMachine(plan_of({1: (), 2: (1,)}), row, {}, lambda: 0.5), hands, JobService()
    )

    def told() -> list[str]:
        return [sheet["status"] for sheet in _status(job)["sheets"]]

    job.worker_up({"unacked": ()})
    job.granted(hands.grants())
    assert told() == ["ready", "pending"]
    job.committed(job.decided())
    assert told() == ["running", "pending"]
    job.results([AttemptResult(1, 1, "completed", 1.0, 2.0).to_map()])
    ended = job.decided()
    assert (told(), _status(job)["progress"]["completed"]) == (["running", "pending"], 0)
    job.committed(ended)
    assert (told(), _status(job)["progress"]["completed"]) == (["completed", "ready"], 1)


def test_what_was_told_before_a_commit_is_not_told_again_after_it() -> None:
    """It may be asked for between the store's commit, which drops what is kept, and our hearing."""
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 1)
    hands, kept = Hands(), StatusCache()
    machine = JobMachine(plan_of({1: ()}), row, {}, lambda: 0.5)
    job = Execution(machine, hands, JobService(), kept)
    job.worker_up({"unacked": ()})
    job.committed(job.decided())
    job.granted(hands.grants())
    decided = job.decided()
    job.status(1, 9)
    assert kept.find("job", 1, 9) is None, "who has heard of the commit may ask before we do"
    job.committed(decided)
    told = job.status(1, 9)
    assert kept.find("job", 1, 9) == told
