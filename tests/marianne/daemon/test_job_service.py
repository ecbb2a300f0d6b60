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
from marianne.daemon.effects import Register, Run
from marianne.daemon.exceptions import JobSubmissionError
from marianne.daemon.job_machine import JobMachine
from marianne.daemon.job_service import JobService
from marianne.daemon.output import NullOutput
from marianne.run.result import AttemptResult
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
        self, work: Register, max_concurrent: int | None, pools: Mapping[str, int]
    ) -> None:
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


def _play(service: JobService, hands: Hands) -> None:
    """Until nothing can happen any more."""
    service.add(AddEvent("job", None, "job.started", {}, time.time()))
    service.worker_up({"unacked": ()})
    while True:
        service.granted(hands.grants())
        step = service.decided()
        service.committed(step)
        if step:
            continue
        if not hands.todo:
            return
        run = hands.todo.popleft()
        now = time.time()
        service.results([AttemptResult(run.num, run.attempt, "completed", now, now).to_map()])


def test_a_program_that_runs_a_job_itself_hears_of_it_and_may_pause_it() -> None:
    events: list[tuple[int | None, str]] = []
    states: list[str] = []

    def happened(job_id: str, num: int | None, event: str, _data: Mapping[str, Any]) -> None:
        events.append((num, event))
        if event == "sheet.started":
            assert service.pause_job(job_id, WORKSPACE)

    hands = Hands()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 2)
    service = JobService(
        JobMachine(plan_of({1: (), 2: (1,)}), row, {}, lambda: 0.5),
        hands,
        output=NullOutput(),
        event_callback=happened,
        state_publish_callback=lambda state: states.append(state["status"]),
    )
    _play(service, hands)
    assert events == [
        *((None, "job.started"), (1, "sheet.started"), (1, "sheet.completed")),
        (None, "job.paused"),
    ]
    assert states == ["pausing", "paused"]
    assert hands.finished is JobStatus.PAUSED
    assert service.get_status("job", WORKSPACE)["status"] == "paused"
    assert service.get_status("other", WORKSPACE) is None
    with pytest.raises(JobSubmissionError, match="job job is paused already"):
        service.pause_job("job", WORKSPACE)
    with pytest.raises(JobSubmissionError, match="job other does not run here"):
        service.pause_job("other", WORKSPACE)
    assert not service.notifications_degraded


def test_an_end_is_told_when_it_is_on_disk_and_not_before() -> None:
    hands = Hands()
    row = JobRow("job", "job", JobStatus.RUNNING, str(WORKSPACE), 0.0, 1)
    service = JobService(JobMachine(plan_of({1: ()}), row, {}, lambda: 0.5), hands)
    service.worker_up({"unacked": ()})
    service.granted(hands.grants())
    service.committed(service.decided())
    service.results([AttemptResult(1, 1, "completed", 1.0, 2.0).to_map()])
    decided = service.decided()
    told = service.get_status("job", WORKSPACE)
    assert (told["status"], told["finished_at"]) == ("running", None)
    assert service.get_status("job", WORKSPACE, packed=True) == service.get_status(
        "job", WORKSPACE, packed=True
    )
    service.committed(decided)
    assert service.get_status("job", WORKSPACE)["status"] == "completed"
    packed = service.get_status("job", WORKSPACE, packed=True)
    assert codec.unpack(packed)["status"] == "completed", "what was kept before was told"
