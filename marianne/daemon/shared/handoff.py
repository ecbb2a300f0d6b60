"""What is known of a job at the moment it is let in, for its first actors.

The manager has the row, the plan and the environment in its hands when it commits a job that may
run at once, and the executor has put into the row what a restart needs to find the job's runner. So
the job's actors need neither read all that again nor commit once more before its first sheet.

Only first incarnations find it; those after them go by the database.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.state.models import JobRow


@dataclass(slots=True)
class Entry:
    """See the head of this file. The job actor takes it away; its runner started before it.

    ``blank`` is the runner's to set: it is there, and like the job it is new, so that it can have
    nothing to tell. Then nobody has to wait for its hello.
    """

    row: JobRow
    plan: bytes
    environment: bytes = field(repr=False)
    blank: bool = False
