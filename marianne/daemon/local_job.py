"""One job without a conductor: in this process, in the foreground.

The same rules (:mod:`marianne.daemon.job_service`), the same queue, the same worker
(:mod:`marianne.run.worker`) as in a conductor; only the hands differ: no database, no socket, one
loop. Ending this process ends the job. What needs a conductor is not there: hooks, notices, a
resume, other jobs.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ipc import codec
from marianne.daemon.config import DaemonConfig
from marianne.daemon.effects import Register, Run
from marianne.daemon.job_machine import JobMachine
from marianne.daemon.job_service import EventCallback, JobService, StatePublishCallback
from marianne.daemon.output import OutputProtocol
from marianne.run import procfs
from marianne.run.confine import become_subreaper
from marianne.run.loop import Loop
from marianne.run.tools import Tools
from marianne.run.worker import JobWorker
from marianne.schedule.entries import SheetInfo
from marianne.schedule.queue import SheetQueue
from marianne.score.pack import unpack_plan
from marianne.state.changes import AddEvent
from marianne.state.models import JobRow, JobStatus


class LocalJob:
    """A job that was just accepted, and what it needs to run here. Once only.

    ``environment`` is what the sheets get. ``config`` has the limits that a conductor would apply.
    ``service`` may be asked in a callback: it is all one thread.
    """

    def __init__(
        self,
        row: JobRow,
        plan: bytes,
        environment: Mapping[str | bytes, str | bytes],
        config: DaemonConfig,
        *,
        output: OutputProtocol | None = None,
        event_callback: EventCallback | None = None,
        state_publish_callback: StatePublishCallback | None = None,
    ) -> None:
        row.status, row.started_at = JobStatus.RUNNING, time.time()
        self._row = row
        self._plan = plan
        self._environment = dict(environment)
        self._config = config
        self._hands = LocalHands(row.job_id, config)
        self.service = JobService(
            JobMachine(unpack_plan(plan), row, {}, random.random),
            self._hands,
            output=output,
            rate_limit_callback=self._hands.limit,
            event_callback=event_callback,
            state_publish_callback=state_publish_callback,
        )

    def run(self) -> dict[str, Any]:
        """Runs the sheets and answers the job's status map, as ``job.status`` does.

        For the main thread of a process that has no other children. A job that was interrupted
        (SIGINT, SIGTERM) is answered as ``running``; one that pauses, as ``paused``.
        """
        row, config, pid = self._row, self._config, os.getpid()
        with tempfile.TemporaryDirectory(prefix="marianne-local-") as place:
            Path(place, "plan").write_bytes(self._plan)
            env = Path(place, "env")
            env.touch(mode=0o600)
            env.write_bytes(codec.pack(self._environment))
            become_subreaper()
            settings = {
                "job_id": row.job_id,
                "job_dir": place,
                "owner": os.urandom(16).hex(),
                "conductor_pid": pid,
                "conductor_start_time": procfs.start_time(pid) or 0,
                "orphan_grace_seconds": config.orphan_grace_seconds,
                "sheet_grace_seconds": config.sheet_grace_seconds,
                "output_limit_bytes": config.output_limit_mb * 2**20,
                "fresh": bool(row.options.get("archives")),
            }
            line = LocalLine(self.service, self._hands, config.job_timeout_seconds)
            worker = JobWorker(settings, line, Tools())
            self._hands.loop = worker.loop
            self.service.add(AddEvent(row.job_id, None, "job.started", {}, time.time()))
            worker.run()
            self._hands.close()
        status: dict[str, Any] | None = self.service.get_status(row.job_id, Path(row.workspace))
        assert status is not None
        return status


class LocalHands:
    """The hands of a job in this process: a queue of its own, the loop's timers, and the messages
    that the worker will find on its line."""

    loop: Loop

    def __init__(self, job_id: str, config: DaemonConfig) -> None:
        self._job_id = job_id
        self._grace = config.sheet_grace_seconds
        self._queue = SheetQueue(config.max_concurrent_sheets)
        self._queue.limit_calls(config.resource_limits.max_api_calls_per_minute)
        self._rings_at = 0.0
        self._due: list[int] = []
        self.messages: list[dict[str, Any]] = []
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def ring(self) -> None:
        """There is something to do: wakes the loop."""
        os.eventfd_write(self.wake, 1)

    def close(self) -> None:
        """Nothing will be done any more."""
        os.close(self.wake)

    def limit(self, pool: str, seconds: float, _job_id: str, _num: int) -> None:
        """An instrument refused work: all its sheets wait."""
        self._queue.block(pool, time.time() + seconds)

    def take_due(self) -> list[int]:
        """The waiting sheets whose time has come."""
        due, self._due = self._due, []
        return due

    def take_grants(self) -> list[int]:
        """The sheets that may start now."""
        granted = []
        while (entry := self._queue.grant(time.time())) is not None:
            granted.append(entry.info.sheet_num)
        now = time.time()
        until = self._queue.next_unblock(now)
        if until is not None and not now < self._rings_at <= until:
            self._rings_at = until
            self.loop.call_later(until - now + 0.01, self.ring)
        return granted

    def run(self, run: Run) -> None:
        """To the worker."""
        self.messages.append({"kind": "run", "slots": None, "sheets": [run.to_map()]})

    def withdraw(self) -> None:
        """Nothing is granted ahead here: the way from an end to a grant is short."""

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """By the worker."""
        ended = {"kind": "cancel", "sheets": list(nums), "category": category}
        self.messages.append({**ended, "grace": self._grace})

    def acknowledge(self, serial: int) -> None:
        """To the worker."""
        self.messages.append({"kind": "ack", "serials": [serial]})

    def register(
        self, work: Register, max_concurrent: int | None, pools: Mapping[str, int]
    ) -> None:
        """With the queue."""
        self._queue.register(
            self._job_id,
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
        """From the queue."""
        self._queue.deregister(self._job_id)

    def release(self, num: int) -> None:
        """To the queue."""
        self._queue.release(self._job_id, num)

    def complete(self, num: int, success: bool) -> None:
        """To the queue."""
        self._queue.complete(self._job_id, num, success, time.time())

    def requeue(self, info: SheetInfo) -> None:
        """With the queue."""
        self._queue.requeue(self._job_id, info.sheet_num, now=time.time(), info=info)

    def wake_at(self, num: int, due_at: float) -> None:
        """By the loop."""

        def come_due() -> None:
            self._due.append(num)
            self.ring()

        self.loop.call_later(max(0.0, due_at - time.time()), come_due)

    def finish(self, status: JobStatus) -> None:
        """The worker ends, and with it the loop."""
        self.messages.append({"kind": "stop", "grace": self._grace, "category": "cancelled"})


class LocalLine:
    """The worker's line to a conductor that is this process. Everything happens in ``drain``, so
    that nothing of the worker is entered twice."""

    waiting = 0

    def __init__(self, service: JobService, hands: LocalHands, timeout: float) -> None:
        self._service = service
        self._hands = hands
        self._timeout = timeout
        self._said: list[dict[str, Any]] = []

    def fileno(self) -> int:
        """Readable when there is something to do."""
        return self._hands.wake

    def send(self, message: dict[str, Any]) -> None:
        """What the worker says; thought about at the next turn of the loop."""
        self._said.append(message)
        self._hands.ring()

    def drain(self) -> list[dict[str, Any]]:
        """Thinks about what was said and what is due, and answers what the worker is to do."""
        service, hands = self._service, self._hands
        try:
            os.eventfd_read(hands.wake)
        except BlockingIOError:
            pass
        said, self._said = self._said, []
        for message in said:
            self._hear(message)
        for num in hands.take_due():
            service.due(num)
        while True:
            service.granted(hands.take_grants())
            step = service.decided()
            if not step:
                break
            service.committed(step)
        answers, hands.messages = hands.messages, []
        return answers

    def _hear(self, message: dict[str, Any]) -> None:
        if message["kind"] == "hello":
            pid = os.getpid()
            welcome = {"kind": "welcome", "pid": pid, "start_time": procfs.start_time(pid)}
            self._hands.messages.append(welcome)
            self._service.worker_up(message)
            self._look_at_clock()
        elif message["kind"] == "results":
            self._service.results(message["results"])
            self._service.started(message["started"])

    def _look_at_clock(self) -> None:
        again = self._service.look_at_clock(self._timeout)
        if again is not None:
            self._hands.loop.call_later(again, self._look_at_clock)
        self._hands.ring()
