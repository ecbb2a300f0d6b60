"""Processes beside the jobs' workers: commands of a job, checks made again, workers without actors.

Each is confined like a worker. Whoever asked is answered when its process has ended and nothing of
it is left; so nobody else waits for a start, or for a sweep.

What a restart finds: nothing runs. What ran was ended with the actor that started it; who had asked
hears that this one died, and asks again.
"""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from actors import Actor, ExitReason, Promise
from actors.process import Process, ProcessExit
from ipc import codec
from ipc.errors import CodecError
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.daemon.worker import of_no_job
from marianne.daemon.worker.ending import in_words
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.job_files import lay_out
from marianne.daemon.worker.orphans import kill_worker, sweep_job
from marianne.executors.beside import Again, CommandEnd, LostError, SideCommand
from marianne.records import dataclass
from marianne.state.models import JobRow
from marianne.state.reader import Reader

log = get_logger(__name__)

LONGEST = 3_600.0
"""Seconds until checks that do not end are ended."""

READ_AGAIN = 2.0
"""Seconds until what a process left is read again that could not be read."""

RECHECK = "recheck"

END_SECONDS = 2.0
"""Seconds for a killed process to go, when this actor ends."""


@dataclass(slots=True)
class _Child:
    """``answer`` is the file that it leaves, if any; ``judge`` makes of that (None: there is none)
    what is answered, or raises what is refused."""

    job_id: str
    kind: str
    promise: Promise[Any]
    judge: Callable[[Any, ProcessExit], Any]
    answer: Path | None = None


class Beside(Actor):
    """For the executor, which has the contract of each method."""

    def __init__(self, context: Context, fleet: Fleet) -> None:
        super().__init__()
        self._context = context
        self._fleet = fleet
        self._children: dict[Process, _Child] = {}
        self._numbers = itertools.count(1)

    def on_start(self) -> None:
        """What an earlier one left is nobody's."""
        of_no_job.clear(self._context)

    def on_stop(self, reason: ExitReason) -> None:
        """Ends what runs."""
        for process in self._children:
            process.kill()
        for process, child in self._children.items():
            process.wait(END_SECONDS)
            self._fleet.let_go(process)
            self._sweep(child.job_id)
        of_no_job.clear(self._context)

    # -- asked ----------------------------------------------------------------------------------

    def command(self, command: SideCommand) -> Promise[CommandEnd]:
        """Runs a command beside a job."""
        promise: Promise[CommandEnd] = self.promise()
        settings = {
            "argv": list(command.argv),
            "cwd": command.cwd,
            "stdin": command.stdin,
            "extra": command.extra,
            "timeout": command.timeout,
            "grace": self._context.config.sheet_grace_seconds,
        }
        if command.alone:
            self._end_earlier(command.job_id, command.kind)
        child = _Child(command.job_id, command.kind, promise, _command_end)
        self._start("marianne.run.errand:errand_main", settings, child)
        return promise

    def recheck(self, job_id: str, sheets: Sequence[Again]) -> Promise[list[dict[str, Any]]]:
        """Makes the checks of sheets again."""
        self._end_earlier(job_id, RECHECK)
        promise: Promise[list[dict[str, Any]]] = self.promise()
        config = self._context.config
        settings = {
            "sheet_grace_seconds": config.sheet_grace_seconds,
            "output_limit_bytes": config.output_limit_mb * 2**20,
            "sheets": [tuple(sheet) for sheet in sheets],
        }
        child = _Child(job_id, RECHECK, promise, _results)
        process = self._start("marianne.run.recheck:recheck_main", settings, child)
        if process is not None:
            self.send_after(LONGEST, self.overdue, process)
        return promise

    def end_worker(self, row: JobRow) -> Promise[None]:
        """Ends the recorded worker process of a job, and what it left."""
        promise: Promise[None] = self.promise()
        child = _Child(row.job_id, "worker", promise, lambda *_: None)
        try:
            process = kill_worker(self._context, row)
        except OSError as error:  # nobody knows now whether it lives
            promise.fail(error)
            return promise
        if process is None:
            self._sweep(row.job_id)
            promise.set(None)
        else:
            self._children[process] = child
            self.watch(process)
        return promise

    # -- processes ------------------------------------------------------------------------------

    def _end_earlier(self, job_id: str, kind: str) -> None:
        """Its asker died; what it came to is nobody's."""
        for process, child in self._children.items():
            if (child.job_id, child.kind) == (job_id, kind):
                process.kill()
                process.wait(END_SECONDS)
                self._sweep(job_id)

    def _start(self, target: str, settings: dict[str, Any], child: _Child) -> Process | None:
        """None if it cannot be: then whoever asked knows why."""
        job_id, kind, context = child.job_id, child.kind, self._context
        try:
            directory = self._laid_out(job_id, kind)
            child.answer = answer = directory / f"{kind}.{next(self._numbers)}"
            settings |= {"owner": context.owner, "job_id": job_id, "job_dir": str(directory)}
            answer.unlink(missing_ok=True)
            process = context.system.processes.start(
                target, (settings, str(answer)), f"marianne-{kind} {job_id}"
            )
        except Exception as error:  # noqa: BLE001 - one command is not worth the end of an actor
            child.promise.fail(error)
            return None
        self._fleet.took_on(process)
        self._children[process] = child
        self.watch(process)
        return process

    def _laid_out(self, job_id: str, kind: str) -> Path:
        """The directory of the job with what is read there; where there is none, another."""
        if not job_id:
            directory = of_no_job.directory(self._context)
            lay_out(directory, None, of_no_job.environment())
            return directory
        directory = self._context.home.job_dir(job_id)
        with Reader(self._context.home.db) as reader:
            plan = reader.plan(job_id) if kind == RECHECK else None  # a command needs none
            lay_out(directory, plan, reader.environment(job_id))
        return directory

    def overdue(self, process: Process) -> None:
        """It should have ended by now."""
        if process in self._children:
            process.signal(signal.SIGKILL)

    def on_process_exit(self, process: Process, ending: ProcessExit) -> None:
        """What it left is read, later if that cannot be just now, and whoever asked is answered."""
        self._fleet.let_go(process)
        child = self._children[process]
        try:
            found = None if child.answer is None else _taken(child.answer)
        except OSError as error:
            log.warning("answer_not_read", place=str(child.answer), error=repr(error))
            self.send_after(READ_AGAIN, self.on_process_exit, process, ending)
            return
        del self._children[process]
        if found is None:
            self._sweep(child.job_id)
        if not child.job_id and all(other.job_id for other in self._children.values()):
            of_no_job.clear(self._context)  # what it had of our environment is in memory no longer
        try:
            child.promise.set(child.judge(found, ending))
        except LostError as error:
            child.promise.fail(error)

    def _sweep(self, job_id: str) -> None:
        sweep_job(self._fleet, self._context.owner, job_id)


def _taken(path: Path) -> Any:
    """What a process has found; None if it came to no end."""
    try:
        found = codec.unpack(path.read_bytes())
    except FileNotFoundError:
        return None
    except CodecError as error:  # it is not what we write
        log.error("answer_makes_no_sense", place=str(path), error=str(error))
        found = None
    path.unlink()
    return found


def _results(found: Any, ending: ProcessExit) -> list[dict[str, Any]]:
    if found is None:
        raise LostError(f"the process that looked was lost: {in_words(ending)}")
    results: list[dict[str, Any]] = found
    return results


def _command_end(found: Any, ending: ProcessExit) -> CommandEnd:
    if found is None:
        words, by_us = f"its process was lost: {in_words(ending)}", ending.signal is None
        return CommandEnd(False, words, lost=True, by_us=by_us)
    if found["ok"]:
        words = "exit code 0"
    elif found["why"]:
        words = found["why"]
    elif found["signal"] is not None:
        words = f"killed by signal {found['signal']}"
    else:
        words = f"exit code {found['exit_code']}"
    return CommandEnd(found["ok"], words, found["output"])
