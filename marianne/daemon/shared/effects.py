"""What a job's state machine asks the world to do, as data.

The machine (:mod:`marianne.daemon.job.machine`) decides and returns a :class:`Step`; the job actor
carries it out. ``changes`` become one transaction; ``now`` is done at once; ``after`` only once
that transaction is committed, so nothing is acknowledged, published or built upon before it is
on disk.
"""

from __future__ import annotations

from dataclasses import field

from marianne.executors.protocol import Run
from marianne.model.plan import Growth
from marianne.records import dataclass
from marianne.schedule.entries import SheetInfo
from marianne.state.changes import Change
from marianne.state.models import JobStatus


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take back from the worker what it was granted ahead and has not begun."""


@dataclass(frozen=True, slots=True)
class EndSheets:
    """End running attempts through the kill ladder; ``category`` names the reason."""

    nums: tuple[int, ...]
    category: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Tell the worker that a result is on disk and need not be sent again."""

    serial: int


@dataclass(frozen=True, slots=True)
class Release:
    """Give a sheet's slot back to the scheduler."""

    num: int


@dataclass(frozen=True, slots=True)
class Complete:
    """Tell the scheduler that a sheet is over, so that its dependents may run (on success)."""

    num: int
    success: bool


@dataclass(frozen=True, slots=True)
class Requeue:
    """Put a sheet back into the scheduler's queue, maybe with another instrument."""

    info: SheetInfo


@dataclass(frozen=True, slots=True)
class Unblock:
    """Queue a sheet whose needs have all ended (:meth:`JobMachine.due`)."""

    num: int


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Call :meth:`JobMachine.due` for a waiting sheet at a time (seconds since the epoch)."""

    num: int
    due_at: float


@dataclass(frozen=True, slots=True)
class Register:
    """Hand the job's unfinished sheets to the scheduler, replacing what it knew of the job.

    ``agents`` are the limit keys of its instruments that are asked, not merely run.
    """

    sheets: tuple[SheetInfo, ...]
    dependencies: dict[int, set[int]]
    running: frozenset[int]
    waiting: frozenset[int]
    agents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Deregister:
    """Take the job out of the scheduler; running sheets keep their slots until released."""


@dataclass(frozen=True, slots=True)
class Grow:
    """The plan has grown: who runs its sheets and who queues them are to know the new ones."""

    growth: Growth


@dataclass(frozen=True, slots=True)
class RateLimited:
    """An instrument refused a sheet's work for ``seconds``; ``pool`` is its limit key."""

    pool: str
    seconds: float
    num: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The job needs no actors any more: it is over, or paused."""

    status: JobStatus


Effect = (
    Run
    | Withdraw
    | EndSheets
    | Acknowledge
    | Release
    | Complete
    | Requeue
    | Unblock
    | WakeAt
    | Register
    | Deregister
    | Grow
    | RateLimited
    | Finish
)


@dataclass(slots=True)
class Step:
    """One decision of the machine; see the module's text for the order of its parts."""

    changes: list[Change] = field(default_factory=list)
    now: list[Effect] = field(default_factory=list)
    after: list[Effect] = field(default_factory=list)

    def extend(self, other: Step) -> None:
        """Appends another decision, to be committed in the same transaction."""
        self.changes += other.changes
        self.now += other.now
        self.after += other.after

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.changes or self.now or self.after)
