"""The jobs' directories of a node that shares none with the conductor: in the warden's own one.

What a job has here counts until its results are kept at the conductor; it goes when the job is
over, or when the lease is and nobody comes back. A warden that died leaves it to the next one, who
names in its hello what it has found.
"""

from __future__ import annotations

import os
from collections.abc import Collection

from marianne.executors.staging.names import StagingError, checked
from marianne.run.complain import complain
from marianne.run.outputs import work_dir

JOBS = "jobs"
GONE = ".gone-"
MOST_TOLD = 10_000
"""Jobs that a hello names: the next one names the others."""


class Estate:
    """Below the present directory."""

    def __init__(self) -> None:
        self._root = os.path.abspath(JOBS)
        self._remove(*(name for name in self._names() if name.startswith(GONE)))

    def job_dir(self, job_id: str) -> str:
        """Where a job is. Raises StagingError for what is no name of one."""
        if "/" in checked(job_id) or job_id.startswith(GONE):
            raise StagingError(f"{job_id!r:.200} is no job")
        return os.path.join(self._root, job_id)

    def places(self, job_id: str) -> dict[str, str]:
        """Of a worker's settings what says where it works."""
        directory = self.job_dir(job_id)
        return {"job_dir": directory, "spool": os.path.join(directory, "spool")}

    def kept(self, living: Collection[str]) -> list[str]:
        """The jobs that are here and have no worker."""
        found = [name for name in self._names() if name not in living]
        return [name for name in found if not name.startswith(GONE)][:MOST_TOLD]

    def forget(self, job_id: str, num: int, attempt: int) -> None:
        """An attempt's files are where they belong, and not needed here."""
        work = os.path.relpath(work_dir(self.job_dir(job_id), int(num), int(attempt)), self._root)
        files = f"{job_id}/sheets/{int(num)}.{int(attempt)}."
        self._remove(work, *(files + name for name in ("out", "err", "prompt")))

    def remove(self, job_id: str) -> None:
        """Nothing of the job is wanted any more; one of that name may begin at once."""
        aside = f"{GONE}{os.urandom(8).hex()}"
        try:
            os.rename(self.job_dir(job_id), os.path.join(self._root, aside))
        except FileNotFoundError:
            return
        except OSError as error:
            complain(f"job {job_id} is not removed: {error}")
        self._remove(aside)

    def remove_all(self) -> None:
        """Of no job."""
        self._remove(*self._names())

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._root))
        except OSError:
            return []

    def _remove(self, *names: str) -> None:
        """In a process of its own, which the warden reaps: there may be much of it."""
        paths = [os.path.join(self._root, name) for name in names]
        there = [path for path in paths if os.path.lexists(path)]
        if not there:
            return
        try:
            os.posix_spawn("/bin/rm", ["rm", "-rf", "--", *there], {"PATH": os.defpath})
        except OSError as error:
            complain(f"{there[0]} is not removed: {error}")
