"""The owner of one job's worker process.

It starts the process, or takes over the one that an earlier incarnation (or an earlier conductor)
recorded; proves that it lives by pid and start time; carries messages between it and the job
actor; and ends it when the job ends or the conductor stops. A group restart leaves the process
alone (*detach*): its sheets go on and the next incarnation finds it by its record.

What a restart finds: started, not recorded: the process gets no ``welcome``, its conductor's link
knows no such worker, and it ends itself after its grace; recorded, no hello yet: adopted, and
killed by its record if no hello comes by the deadline; alive: adopted with its sheets; dead:
swept, and a new process says from the spool what was not acknowledged.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors import Actor, ExitReason, Outcome, Promise
from actors.process import Process, ProcessExit
from marianne.crashpoints import crash_point
from marianne.daemon.context import Context
from marianne.daemon.effects import Run
from marianne.daemon.entry import Entry
from marianne.daemon.layout import lay_out
from marianne.daemon.log import get_logger
from marianne.daemon.peers import PROCESS_NAME, peer_of
from marianne.daemon.spare import SpareKeeper
from marianne.daemon.store import FORGET_DEADLINE, WRITE_DEADLINE, Store
from marianne.daemon.untaken import Untaken
from marianne.run.confine import sweep_orphans
from marianne.run.procfs import boot_id
from marianne.run.setup import EXIT_CLEAN
from marianne.state.changes import UpdateJob
from marianne.state.models import JobRow
from marianne.state.reader import Reader

log = get_logger(__name__)

HELLO_DEADLINE = 10.0
"""Seconds until a worker that said no hello is killed by its recorded identity."""

ADOPTED_HELLO = 1.5
"""One that was taken over has as long as it would go on alone (``orphan_grace_seconds``), for a
healthy one has ended itself by then; but at least this long."""

ASK_AGAIN = 0.5
"""Seconds until a worker that was taken over and asked for its hello is asked again."""

END_MARGIN = 2.0
"""Seconds beyond the grace until a worker that does not end is killed itself."""


SPACE_PAUSE = 1.0
"""Seconds between tries to start a process while the disk is full."""


class WorkerLost(Exception):  # noqa: N818 - it says what happened
    """The worker process ended by itself or was killed; its job goes on from the checkpoint."""


class Worker(Actor):
    """One per admitted job; ``job:<id>/worker``."""

    def __init__(self, context: Context, job_id: str) -> None:
        super().__init__()
        self._context = context
        self._job_id = job_id
        self._process: Process | None = None
        self._identity = b""
        self._recorded = False
        self._taken_over = False
        self._asked = False
        self._heard = False
        self._ran = False
        self._round = 0
        self._untaken = Untaken()
        self._hello: dict[str, Any] | None = None
        self._ending: list[Promise[None]] = []

    # -- life -----------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Takes the process that waits for the job, adopts the recorded one if it lives, or starts
        one."""
        entry = self._context.entries.get(self._job_id)
        if entry is None or entry.spare is None:
            self._context.store.within(FORGET_DEADLINE).ask(Store.forget, self.name)
        self.begin()

    def begin(self) -> None:
        """As on_start says; with the disk full it waits for space, and the job with it."""
        try:
            process = self._employ(self._context.entries.get(self._job_id)) or self._by_record()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            log.warning("worker_waits_for_space", job_id=self._job_id, error=str(error))
            self.send_after(SPACE_PAUSE, self.begin)
            return
        self._process = self._context.workers[process.pid] = process
        self._identity = peer_of(process)
        self.watch(process)
        patience = HELLO_DEADLINE
        if self._taken_over:
            alone = max(self._context.config.orphan_grace_seconds, ADOPTED_HELLO)
            patience = min(alone, HELLO_DEADLINE)
            self.ask_hello()
        self.send_after(patience, self.hello_missing)

    def on_stop(self, reason: ExitReason) -> None:
        """Ends the process if the conductor ends it all; else leaves it to the next incarnation."""
        process = self._living
        if self._context.stop.keeps_workers or process is None:
            return
        grace = 0.0 if self._context.stop.mode == "force" else self._grace
        self._end(process, grace, "stopped")
        if not process.wait(grace + END_MARGIN):
            process.signal(signal.SIGKILL)
            process.wait(END_MARGIN)
        self._context.workers.pop(process.pid, None)
        self._sweep()

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """The process is gone: what it left is ended, whoever waits is told, else we crash."""
        self._context.workers.pop(process.pid, None)
        self._context.reached.discard(peer_of(process))
        if self._taken_over and self._context.heart_pid == os.getppid():
            # It hung below the heart, and so does what it left.
            os.kill(os.getppid(), signal.SIGUSR1)
        if self._ending and ending.exit_code == EXIT_CLEAN:
            left = []  # its own last look, at children that nobody could have taken, found none
        else:
            left = self._sweep(everywhere=self._taken_over)
            self._context.swept[self._job_id] = process.pid, process.start_time
        if self._ending:
            for promise in self._ending:
                promise.set(None)
            return
        log.warning(
            "worker_lost",
            job_id=self._job_id,
            pid=process.pid,
            exit_code=ending.exit_code,
            signal=ending.signal,
            swept=left,
        )
        raise WorkerLost(f"worker process {process.pid} of job {self._job_id} ended: {ending}")

    # -- from the job actor ---------------------------------------------------------------------

    def report(self) -> None:
        """The job actor (re)started and wants to hear ``worker_up`` with what is running."""
        self._asked = True
        if self._heard or self._ran:
            # What was said at the time of the hello may be old by now.
            self._hello = None
            self._round += 1
            self._ask()
        self._tell_up()

    def _ask(self) -> None:
        self._send({"kind": "report", "round": self._round})

    def run(self, runs: Sequence[Run], slots: int | None = None) -> None:
        """Starts attempts at once, those that are ahead when others end: at most ``slots`` run."""
        self._ran = True
        message = {"kind": "run", "slots": slots, "sheets": [run.to_map() for run in runs]}
        self._untaken.run(message)
        self._send(message)

    def end_sheets(self, nums: Sequence[int], category: str) -> None:
        """Ends running attempts through the kill ladder; their results come as interrupted."""
        cancel = {"kind": "cancel", "sheets": list(nums), "category": category}
        message = {**cancel, "grace": self._grace}
        self._untaken.cancel(message)
        self._send(message)

    def withdraw(self) -> None:
        """Takes back what was granted ahead and has not begun; Job.withdrawn tells what that is."""
        self._untaken.withdraw()
        self._send({"kind": "withdraw"})

    def acknowledge(self, serials: Sequence[int]) -> None:
        """Those results are committed."""
        self._send({"kind": "ack", "serials": list(serials)})

    def finish(self) -> Promise[None]:
        """Ends the process; answers when a look finds neither it nor anything of its sheets."""
        promise: Promise[None] = self.promise()
        process = self._living
        if process is None:
            self._sweep()
            promise.set(None)
            return promise
        self._ending.append(promise)
        self._end(process, self._grace, "cancelled")
        self.send_after(self._grace + END_MARGIN, self.finish_overdue)
        return promise

    # -- from the process -----------------------------------------------------------------------

    def received(self, identity: bytes, kind: str, message: dict[str, Any]) -> None:
        """A message of a worker of this job; one of an earlier process is ignored."""
        if identity != self._identity:
            log.info("stale_worker_message", job_id=self._job_id, identity=repr(identity))
            return
        if kind == "hello":
            welcome = {"kind": "welcome", "pid": os.getpid()}
            self._send({**welcome, "start_time": self._context.start_time})
            self._heard = True
            asked = self._asked
            if message.get("round", self._round) == self._round:
                self._hello = message
                self._tell_up()
            elif asked:
                # It was said before we asked, or our question was lost.
                self._ask()
            if not asked:
                for lost in self._untaken.again(message):
                    self._send(lost)
        else:
            from marianne.daemon.job import Job

            job = self._context.job(self._job_id)
            if kind == "results":
                self._untaken.heard(message["results"], message["started"])
                job.tell(Job.results, message["results"], message["started"])
            elif kind == "withdrawn":
                self._untaken.withdrawn()
                job.tell(Job.withdrawn, message["sheets"])

    def recorded(self, outcome: Outcome[Any]) -> None:
        """The record of the process is on disk (or the store failed: then we start over)."""
        if outcome.error is not None:
            raise outcome.error
        self._recorded = True
        self._tell_up()

    # -- timers ---------------------------------------------------------------------------------

    def ask_hello(self) -> None:
        """One that was taken over within the same conductor is connected: it says no hello by
        itself. What does not reach it, because it is not connected yet, is asked again."""
        if not self._heard and self._living is not None:
            self._send({"kind": "report"})
            self.send_after(ASK_AGAIN, self.ask_hello)

    def hello_missing(self) -> None:
        """A stopped or stuck worker is killed by its recorded identity; we start over."""
        process = self._living
        if not self._heard and self._recorded and process is not None:
            log.error("worker_silent", job_id=self._job_id, pid=process.pid)
            process.signal(signal.SIGKILL)

    def finish_overdue(self) -> None:
        """The process did not end within its grace."""
        process = self._living
        if process is not None:
            log.error("worker_overdue", job_id=self._job_id, pid=process.pid)
            process.signal(signal.SIGKILL)

    # -- small parts ----------------------------------------------------------------------------

    @property
    def _grace(self) -> float:
        return self._context.config.sheet_grace_seconds

    @property
    def _living(self) -> Process | None:
        process = self._process
        return process if process is not None and process.alive() else None

    def _end(self, process: Process, grace: float, category: str) -> None:
        """Asks the process to end its sheets and itself; without a grace it is killed, and our
        sweep ends the sheets."""
        if grace <= 0:
            process.kill()
            return
        process.signal(signal.SIGCONT)  # a stopped one could not hear
        if self._heard:
            self._send({"kind": "stop", "grace": grace, "category": category})
        else:
            # It cannot be reached over the link yet. The signal means the same, with the grace
            # that it was started with.
            process.signal(signal.SIGTERM)

    def _adopt(self, job: JobRow) -> Process | None:
        if job.worker_pid is None or job.worker_start_time is None:
            return None
        recorded = job.worker_pid, job.worker_start_time
        known = self._context.swept.pop(self._job_id, None)
        if job.worker_boot_id != boot_id() or known == recorded:
            return None
        process = self._context.system.processes.adopt(
            job.worker_pid, job.worker_start_time, self._process_name
        )
        if process is None:
            self._sweep()
            return None
        self._recorded = self._taken_over = True
        return process

    def _employ(self, entry: Entry | None) -> Process | None:
        """The process that was recorded with the job's admission, as long as it waits."""
        if entry is None or entry.spare is None:
            return None
        # Whoever worked for the job before has left its directory, and perhaps results in there.
        new = not self._directory.exists()
        settings = self._settings(entry.row)
        if entry.small:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            settings["given"] = {"plan": entry.plan, "env": entry.environment}
        else:
            lay_out(self._directory, entry.plan, entry.environment)
        spare, entry.spare = entry.spare, None
        if not spare.employ(settings, self._process_name):
            return None
        self._recorded = True
        entry.blank = new and peer_of(spare.process) in self._context.reached
        return spare.process

    def _by_record(self) -> Process:
        with Reader(self._context.home.db) as reader:
            job = reader.job(self._job_id)
            if job is None:
                raise LookupError(f"no job {self._job_id} in the database")
            return self._adopt(job) or self._spawn(reader, job)

    @property
    def _directory(self) -> Path:
        return self._context.home.job_dir(self._job_id)

    @property
    def _process_name(self) -> str:
        return f"{PROCESS_NAME}{self._job_id}"

    def _settings(self, job: JobRow) -> dict[str, Any]:
        config = self._context.config
        return {
            "job_id": self._job_id,
            "job_dir": str(self._directory),
            "socket": str(self._context.home.workers_sock),
            "owner": self._context.owner,
            "conductor_pid": os.getpid(),
            "conductor_start_time": self._context.start_time,
            "orphan_grace_seconds": config.orphan_grace_seconds,
            "sheet_grace_seconds": config.sheet_grace_seconds,
            "output_limit_bytes": config.output_limit_mb * 2**20,
            "fresh": bool(job.options.get("archives")),
        }

    def _spawn(self, reader: Reader, job: JobRow) -> Process:
        lay_out(self._directory, reader.plan(self._job_id), reader.environment(self._job_id))
        settings = self._settings(job)
        spare = self._context.spare.take()
        if spare is not None:
            self._context.spare_keeper.tell(SpareKeeper.taken)
        if spare is not None and spare.employ(settings, self._process_name):
            process = spare.process
        else:
            process = self._context.system.processes.start(
                "marianne.run.worker:worker_main",
                (settings,),
                self._process_name,
                die_with_parent=False,
            )
        record = {
            "worker_pid": process.pid,
            "worker_start_time": process.start_time,
            "worker_boot_id": boot_id(),
        }
        crash_point("worker.before-record")
        store = self._context.store.within(WRITE_DEADLINE)
        written = store.call(Store.write, [UpdateJob(self._job_id, record)], self.name)
        self.pipe(written, self.recorded)
        return process

    def _tell_up(self) -> None:
        if self._asked and self._recorded and self._hello is not None:
            from marianne.daemon.job import Job

            self._asked = False
            self._untaken.clear()
            self._context.job(self._job_id).tell(Job.worker_up, self._hello)

    def _send(self, message: dict[str, Any]) -> None:
        self._context.post(self._identity, message)

    def _sweep(self, *, everywhere: bool = True) -> list[int]:
        spare = tuple(self._context.workers)
        return sweep_orphans(self._context.owner, self._job_id, spare=spare, everywhere=everywhere)
