"""What is scheduled: a sheet, its place in the queue, and the figures of the whole."""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST_CPUS, MOST_CPUS = 0.01, 1024.0
"""What a sheet takes at least and at most: of less, more would run at once than a machine bears."""

Scarce = tuple[int, int]
"""What a sheet takes beside slots: graphics processors, and MB of memory."""

NOTHING_SCARCE: Scarce = (0, 0)

HERE = ""
"""Where a sheet runs that has a slot of the conductor's own machine."""

JOB_PRIORITY_WEIGHT = 10.0
DEPTH_WEIGHT = 1.0
RETRY_BONUS = 5.0
MAX_RETRY_BONUS = 50.0
COST_WEIGHT = 0.1


@dataclass(slots=True)
class SheetInfo:
    """A sheet that is to run.

    ``backend_type`` is its instrument; with ``model`` it names the pool whose limits apply.
    ``job_priority`` is 1 (first) to 10. ``dag_depth`` is the longest chain of sheets before it.
    ``cpus`` is how many slots it takes, if it is no agent's; ``memory_mb`` and ``gpus`` it takes of
    the machine's, whoever plays it. ``where`` is the executor whose slots those are: of another
    than :data:`HERE` it takes nothing of the machine's. ``batch``: it has a batch job of its own
    where the executor makes such.
    """

    job_id: str
    sheet_num: int
    backend_type: str = "claude_cli"
    model: str | None = None
    estimated_cost: float = 0.0
    dag_depth: int = 0
    job_priority: int = 5
    retries_so_far: int = 0
    cpus: float = 1.0
    memory_mb: int = 0
    gpus: int = 0
    where: str = HERE
    batch: bool = False

    @property
    def pool(self) -> str:
        """The name of the pool: instrument and model."""
        return f"{self.backend_type}/{self.model}" if self.model else self.backend_type

    @property
    def scarce(self) -> Scarce:
        """What it takes beside slots."""
        if self.where or not (self.gpus or self.memory_mb):
            return NOTHING_SCARCE  # nearly always: no tuple is made
        return (self.gpus, self.memory_mb)

    @property
    def rank(self) -> Scarce:
        """Those of one rank wait in one line: what lacks something passes nobody of its own rank.
        Of memory it is the order of magnitude, so that there are few."""
        if self.where or not (self.gpus or self.memory_mb):
            return NOTHING_SCARCE
        return (self.gpus, self.memory_mb.bit_length())


@dataclass(order=True, slots=True)
class SheetEntry:
    """A sheet in the queue. Smaller goes first: by ``priority``, then by ``submitted_at``.

    ``submitted_at`` is when it became ready, in the scheduler's time. ``rate_limit_skip_count``
    is how many rate limits of its instrument it waited for; it is never dropped for it.
    """

    priority: float
    submitted_at: float
    info: SheetInfo = field(compare=False)
    rate_limit_skip_count: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class SchedulerStats:
    """The scheduler at one moment: sheets ready and waiting, and sheets that hold a slot;
    ``max_concurrent`` is the limit of those that are no agent's."""

    queued: int
    active: int
    max_concurrent: int
    per_job_running: dict[str, int]
    per_job_queued: dict[str, int]


def base_priority(info: SheetInfo) -> float:
    """The documented priority without the fair-share penalty; smaller goes first."""
    return (
        info.job_priority * JOB_PRIORITY_WEIGHT
        + info.dag_depth * DEPTH_WEIGHT
        - min(info.retries_so_far * RETRY_BONUS, MAX_RETRY_BONUS)
        + info.estimated_cost * COST_WEIGHT
    )
