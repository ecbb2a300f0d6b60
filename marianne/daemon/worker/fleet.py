"""The processes of the local executor: who lives, how each is reached, who does not answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

from marianne.daemon.processes.control_groups import NONE, ControlGroups
from marianne.daemon.worker import identity
from marianne.daemon.worker.identity import Peers
from marianne.daemon.worker.standby import Spare, SpareWorker
from marianne.daemon.worker.starts import Starts

if TYPE_CHECKING:
    from actors import System
    from actors.process import Process
    from marianne.daemon.pgroup import ProcessGroupManager
    from marianne.executors.protocol import RunnerTroubles

Post = Callable[[bytes, dict[str, Any]], None]


class _Living(Collection[int]):
    def __init__(self, workers: dict[int, Process]) -> None:
        self._workers = workers

    def __contains__(self, pid: object) -> bool:
        return pid in self._workers

    def __iter__(self) -> Iterator[int]:
        return iter(tuple(self._workers))  # at once: other threads go on

    def __len__(self) -> int:
        return len(self._workers)


class Fleet:
    """Shared by the executor and its actors.

    ``workers`` are the living processes by pid, which no sweep may touch. ``swept`` are, by job,
    workers (pid and start time) that ended badly and left nothing any more. ``peers`` knows their
    names on the link, ``reached`` are the names of those that have been connected, ``silent``, by
    job, the pids of those that do not answer. ``spare`` is the process that waits for a job,
    ``chosen`` are, by job, those whose job has just been let in; each is taken out once. ``groups``
    are the jobs' control groups.

    ``post`` sends a message to the worker process of that name; to one that is gone, or while the
    link is being restarted, it is lost, which the worker's actor notices.
    """

    def __init__(
        self, system: System, group: ProcessGroupManager, groups: ControlGroups = NONE
    ) -> None:
        self.workers: dict[int, Process] = {}
        self.swept: dict[str, tuple[int, int]] = {}
        self.reached: set[bytes] = set()
        self.silent: dict[str, int] = {}
        self.chosen: dict[str, SpareWorker] = {}
        self.peers = Peers()
        self.spare = Spare()
        self.starts = Starts(system)
        self.post: Post = lambda name, message: None
        self.groups = groups
        self._group = group

    @property
    def living(self) -> Collection[int]:
        """The pids of ``workers``, of whatever moment it is when somebody looks."""
        return _Living(self.workers)

    def took_on(self, process: Process) -> None:
        """A process of ours lives: no sweep may touch it."""
        self.workers[process.pid] = process
        self._group.track_backend_pid(process.pid)

    def let_go(self, process: Process) -> None:
        """It has ended."""
        self.workers.pop(process.pid, None)
        self._group.untrack_backend_pid(process.pid)

    def job_of(self, pid: int) -> str | None:
        """The job whose worker it is."""
        process = self.workers.get(pid)
        return None if process is None else identity.job_of(process)

    def kill_all(self) -> None:
        """SIGKILL to each."""
        for process in list(self.workers.values()):
            process.kill()

    def troubles(self) -> RunnerTroubles:
        """Who does not answer, and how many messages were refused."""
        return {
            "workers": self._silent() or "ok",
            "refused_worker_messages": self.peers.refused,
        }

    def _silent(self) -> str | None:
        silent = sorted(self.silent.items())
        if not silent:
            return None
        names = ", ".join(f"{job_id} (process {pid})" for job_id, pid in silent[:5])
        more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
        return f"the worker processes of these jobs do not answer: {names}{more}"
