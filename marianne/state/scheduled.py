"""Reading the schedules."""

from __future__ import annotations

from marianne.state import rows
from marianne.state.connection import Rows
from marianne.state.errors import NoSuchSchedule
from marianne.state.models import ScheduleRow


class Scheduled:
    """All schedules: of a Reader's connection."""

    def __init__(self, found_in: Rows) -> None:
        self._rows = found_in

    def all(self) -> list[ScheduleRow]:
        """Every schedule, by name."""
        found = self._rows.all(f"SELECT {rows.SCHEDULE_COLUMNS} FROM schedules ORDER BY name")
        return [rows.read_schedule(row) for row in found]

    def one(self, name: str) -> ScheduleRow | None:
        """The schedule of this name; None when there is none."""
        found = self._rows.one(
            f"SELECT {rows.SCHEDULE_COLUMNS} FROM schedules WHERE name = ?", name
        )
        return rows.read_schedule(found) if found else None

    def environment(self, name: str) -> bytes:
        """The packed environment of its jobs: secrets, not to be shown. Raises NoSuchSchedule."""
        found = self._rows.one("SELECT environment FROM schedules WHERE name = ?", name)
        if found is None:
            raise NoSuchSchedule(f"no schedule {name!r}")
        return bytes(found[0])
