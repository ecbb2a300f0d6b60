"""Reading what happened: the events that are kept."""

from __future__ import annotations

from collections.abc import Collection

from marianne.state import rows
from marianne.state.connection import Rows
from marianne.state.errors import NoSuchJob
from marianne.state.models import Event

_EVENTS = "events LEFT JOIN ids ON ids.key = events.job"
_OVERHEAD_BYTES = 60
"""What a row costs beside its data: numbers, the event's name, its place in two trees."""

_TOGETHER = 20_000
"""Events whose sizes are summed up together."""

_LOOKED_THROUGH = 200_000  # events of the daemon have no index of their own


class EventLog:
    """The events of a database, by their numbers: those of a Reader's connection."""

    def __init__(self, found_in: Rows) -> None:
        self._rows = found_in

    def since(self, seq: int, job_id: str | None = None, limit: int = 1000) -> list[Event]:
        """Events after number ``seq``, of all or of one job, in order.

        Those of a job that is no longer there are found too. Raises NoSuchJob for an id that was
        never used.
        """
        if job_id is None:
            where, values = "seq > ?", [seq]
        else:
            key = self._rows.one("SELECT key FROM ids WHERE job_id = ?", job_id)
            if key is None:
                raise NoSuchJob(f"no job {job_id!r}")
            where, values = "job = ? AND seq > ?", [key[0], seq]
        found = self._rows.all(
            f"SELECT {rows.EVENT_COLUMNS} FROM {_EVENTS} WHERE {where} ORDER BY seq LIMIT ?",
            *values,
            limit,
        )
        return [rows.read_event(row) for row in found]

    def of_job(self, job_id: str, names: Collection[str]) -> list[Event]:
        """What is kept of a job under these names, in order. Raises NoSuchJob."""
        key = self._rows.one("SELECT key FROM ids WHERE job_id = ?", job_id)
        if key is None:
            raise NoSuchJob(f"no job {job_id!r}")
        marks = ", ".join("?" for _ in names)
        found = self._rows.all(
            f"SELECT {rows.EVENT_COLUMNS} FROM {_EVENTS} "
            f"WHERE job = ? AND event IN ({marks}) ORDER BY seq",
            key[0],
            *names,
        )
        return [rows.read_event(row) for row in found]

    def numbers(self, after: int, until: int) -> dict[str, int]:
        """How many events of each name have a number above ``after``, up to ``until``."""
        found = self._rows.all(
            "SELECT event, count(*) FROM events WHERE seq > ? AND seq <= ? GROUP BY event",
            after,
            until,
        )
        return {row[0]: row[1] for row in found}

    def of_supervision(
        self, since: float, until: float | None = None, limit: int = 200
    ) -> list[Event]:
        """Crashes, restarts and give-ups of actors in a time, oldest first; the last ``limit``."""
        found = self._rows.all(
            f"SELECT {rows.EVENT_COLUMNS} FROM {_EVENTS} WHERE job IS NULL "
            "AND event IN ('actor.crashed', 'actor.restarted', 'actor.gave_up') "
            "AND ts >= ? AND ts <= ? AND seq > (SELECT coalesce(max(seq), 0) FROM events) - ? "
            "ORDER BY seq DESC LIMIT ?",
            since,
            2**62 if until is None else until + 1.0,
            _LOOKED_THROUGH,
            limit,
        )
        return [rows.read_event(row) for row in reversed(found)]

    def last_seq(self) -> int:
        """The number of the newest event that is kept; 0 when there is none."""
        found = self._rows.one("SELECT max(seq) FROM events")
        return (found and found[0]) or 0

    def first_since(self, ts: float) -> int:
        """The number of the oldest event from that time on; past the last one if there is none."""
        found = self._rows.one("SELECT seq FROM events WHERE ts >= ? ORDER BY seq LIMIT 1", ts)
        return int(found[0]) if found else self.last_seq() + 1

    def oldest_within(self, limit: int) -> int:
        """From which number on the newest events fit into so many bytes; 0 if all do. Looks at all
        of them, part by part."""
        size = f"{_OVERHEAD_BYTES} + coalesce(length(data), 0)"
        ends = self._rows.one("SELECT min(seq), max(seq) FROM events")
        first, upper = ends if ends and ends[0] is not None else (1, 0)
        while upper >= first:
            part = "FROM events WHERE seq > ? AND seq <= ?"
            lower = upper - _TOGETHER
            found = self._rows.one(f"SELECT sum({size}) {part}", lower, upper)
            used = int((found and found[0]) or 0)
            if used > limit:
                running = f"SELECT seq, sum({size}) OVER (ORDER BY seq DESC) AS used {part}"
                over = self._rows.one(
                    f"SELECT max(seq) FROM ({running}) WHERE used > ?", lower, upper, limit
                )
                return int(over[0]) + 1 if over else 0
            limit, upper = limit - used, lower
        return 0
