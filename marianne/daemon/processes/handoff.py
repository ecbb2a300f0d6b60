"""What is known of a job at the moment it is let in, for its first actors.

The manager has the row, the plan and the environment in its hands when it commits a job that may
run at once, and it has chosen the process that will be its worker: the record of that process
(proof of life for a restart) is in the same transaction. So the job's actors need neither read all
that again nor commit once more before its first sheet.

Only first incarnations find it; those after them go by the database.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from marianne.run.procfs import boot_id

if TYPE_CHECKING:
    from marianne.daemon.processes.standby import SpareWorker
    from marianne.state.models import JobRow

PIPE_ROOM = 32 * 1024
"""Bytes of plan and environment that go to a spare worker directly: a pipe takes twice as much at
once, so that nobody waits for a process that may hang."""


@dataclass(slots=True)
class Entry:
    """See the head of this file. The worker actor takes the ``spare`` out, the job actor the rest.

    ``blank`` says that this worker is connected and can have nothing to tell: like the job, it is
    new. Then nobody has to wait for its hello.
    """

    row: JobRow
    plan: bytes
    environment: bytes = field(repr=False)
    spare: SpareWorker | None
    blank: bool = False

    @property
    def small(self) -> bool:
        """Whether plan and environment fit into a pipe."""
        return len(self.plan) + len(self.environment) <= PIPE_ROOM

    def dismiss(self) -> None:
        """The job does not begin: the process that waits for it ends."""
        if self.spare is not None:
            self.spare.dismiss()


def enter(row: JobRow, plan: bytes, environment: bytes, spare: SpareWorker | None) -> Entry:
    """Notes the process in the row, which is to be committed before the entry is used."""
    if spare is not None:
        row.worker_pid, row.worker_start_time = spare.process.pid, spare.process.start_time
        row.worker_boot_id, row.worker_link = boot_id(), spare.proof
    return Entry(copy(row), plan, environment, spare)
