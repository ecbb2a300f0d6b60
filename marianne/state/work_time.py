"""How long a job was at work: the time in which at least one of its sheets ran. Pure."""

from __future__ import annotations

from marianne.records import dataclass
from marianne.state.models import SheetRow, SheetStatus


@dataclass(slots=True)
class WorkTime:
    """``seconds`` of what is over; ``since`` when what runs now began (None: nothing runs, or what
    runs stands still), after ``until``, the last end that is known, or since when it stands still.
    Times are seconds since the epoch."""

    running: int = 0
    seconds: float = 0.0
    since: float | None = None
    until: float = 0.0

    def saved(self, before: SheetStatus, row: SheetRow) -> bool:
        """A sheet that stood so is written anew; whether that changes anything."""
        runs = row.status is SheetStatus.RUNNING
        if (before is SheetStatus.RUNNING) is runs:
            return False
        if runs:
            self.running += 1
            if self.running == 1:
                # Of one that is known late, what others ran meanwhile is counted already.
                self.since = max(self.until, row.started_at or 0.0)
            return True
        self.running -= 1
        if self.running > 0 and self.since is None:
            return True  # since when the others stand still is told by ``until``
        # Of an attempt that was lost nobody knows when it ended.
        self.until = max(self.until, row.finished_at or row.started_at or 0.0)
        if self.running <= 0 and self.since is not None:
            self.seconds += max(0.0, self.until - self.since)
            self.since = None
        return True

    def hold(self, on: bool, now: float) -> bool:
        """What runs stands still from now on, or goes on; whether that changes anything."""
        if self.running <= 0 or on is self.is_held:
            return False
        if self.since is None:
            self.since = max(self.until, now)
        else:
            self.until = max(self.until, now)
            self.seconds += max(0.0, self.until - self.since)
            self.since = None
        return True

    def still(self, began: float, ended: float) -> float:
        """For how many seconds a sheet stood still that ran from ``began`` on and ends before all
        goes on; those of an earlier standing still are not among them."""
        return max(0.0, ended - max(self.until, began)) if self.is_held else 0.0

    @property
    def is_held(self) -> bool:
        """Whether what runs stands still."""
        return self.running > 0 and self.since is None

    def up_to(self, now: float) -> float:
        """The seconds until now."""
        return self.seconds + (0.0 if self.since is None else max(0.0, now - self.since))
