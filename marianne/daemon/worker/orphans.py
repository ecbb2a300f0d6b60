"""Ending what jobs leave: worker processes whose actors are gone, files whose rows are gone."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Collection, Iterable

from actors.process import Process
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.daemon.worker.fleet import Fleet
from marianne.daemon.worker.identity import PLAIN_BYTES, recorded_proof
from marianne.home import Home
from marianne.run.confine import sweep_orphans
from marianne.run.procfs import boot_id, pidfd_of, start_time
from marianne.run.removal import REMOVE, remove_trees
from marianne.state.database import Database
from marianne.state.models import JobRow
from marianne.state.reader import Reader

log = get_logger(__name__)


KILLED_WITHIN = 5.0
"""Seconds that a killed process has: one that hangs in its disk may take longer, or for ever."""


def kill_worker(context: Context, job: JobRow) -> Process | None:
    """Kills the recorded worker process of a job that no actor owns; None if there is none.

    What ran below it is to be swept when it has ended: see :func:`sweep_job`.
    """
    if not job.worker_pid or not job.worker_start_time or job.worker_boot_id != boot_id():
        return None
    process = context.system.processes.adopt(job.worker_pid, job.worker_start_time)
    if process is not None:
        process.signal(signal.SIGKILL)
    return process


def end_worker(job: JobRow, owner: str, spare: Collection[int]) -> bool:
    """Kills the recorded worker of a job and all that ran below it, and waits for that; False if
    it does not end. For a conductor that has not started anything yet; ``spare`` are the pids of
    workers whose sheets are to go on.
    """
    pid = job.worker_pid
    if not pid or job.worker_boot_id != boot_id():
        return True
    pidfd = pidfd_of(pid)
    if pidfd is None:
        return True
    try:
        # Only now: the pidfd is of whoever had the pid when it was opened.
        if start_time(pid) == job.worker_start_time:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(KILLED_WITHIN * 1000):
                return False
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
    sweep_orphans(owner, job.job_id, spare=[other for other in spare if other != pid])
    return True


def sweep_job(fleet: Fleet, owner: str, job_id: str, *, everywhere: bool = True) -> list[int]:
    """Ends what ran below a worker of this job that is no more; see :func:`sweep_orphans`.

    It looks more than once: what begins meanwhile (a notice of the job's end) is spared as well.
    """
    swept = sweep_orphans(owner, job_id, spare=fleet.living, everywhere=everywhere)
    return sorted({*fleet.groups.end_abandoned(job_id), *swept})


def recorded_workers(home: Home) -> set[int]:
    """The pids of living workers of jobs that are not over, as an earlier conductor recorded them.

    For a conductor that has not started anything yet: their sheets are to go on.
    """
    return {job.worker_pid for job in _with_workers(home) if job.worker_pid is not None}


def some_are_plain(home: Home) -> bool:
    """Whether one of the living workers that an earlier conductor recorded asks for no proof."""
    return any(len(recorded_proof(job)) == PLAIN_BYTES for job in _with_workers(home))


def _with_workers(home: Home) -> list[JobRow]:
    with Reader(home.db) as reader:
        return [
            job
            for job in reader.live_jobs(with_worker=True)
            if job.worker_boot_id == boot_id()
            and start_time(job.worker_pid or 0) == job.worker_start_time
        ]


def leave_to_original(home: Home) -> bool:
    """Makes a copied home one of its own; returns whether it was one. For the lock's holder.

    What carries the copied marker, and the workers that the copied database names, may live: they
    are the original's, not to be adopted, swept or killed. The marker goes last: a start that was
    interrupted here is begun again.
    """
    if not home.copied():
        return False
    with Database(home.db) as database:
        database.forget_workers()
    home.disown()
    return True


def remove_stray_files(home: Home) -> None:
    """Removes directories of jobs that have no row: a clear was interrupted.

    A job's directory is made after its row is on disk, so one without a row is nobody's.
    """
    with Reader(home.db) as reader:
        remove_trees([str(path) for path in home.jobs.iterdir() if reader.job(path.name) is None])


def remove_files(context: Context, job_ids: Iterable[str]) -> None:
    """Removes the directories of jobs, in a process of its own: a job may have 100,000 files.

    They are out of the way at once, under names that no job has: a job that is retried meanwhile
    gets a new directory.
    """
    paths = []
    for job_id in job_ids:
        gone = context.home.jobs / f".{job_id}.{os.urandom(4).hex()}"
        try:
            context.home.job_dir(job_id).rename(gone)
        except FileNotFoundError:
            continue
        except OSError as error:
            # They stay where they are until retention, or the next start, finds them.
            log.warning("files_not_removed", paths=[job_id], error=repr(error))
            continue
        paths.append(str(gone))
    if not paths:
        return
    try:
        context.system.processes.start(REMOVE, (paths,), name="marianne-clear")
    except (OSError, EOFError) as error:
        # They are out of the way; the next start of a conductor finds and removes them.
        log.warning("files_not_removed", paths=paths, error=repr(error))
