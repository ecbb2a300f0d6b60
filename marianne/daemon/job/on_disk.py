"""The jobs of a home as they are on disk, for those who know no more of it than where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.state.errors import NoSuchJob

if TYPE_CHECKING:
    from marianne.home import Home
    from marianne.replies.job import Status


class OnDisk:
    """A JobRegistry. For any thread."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def status(self, job_id: str) -> Status | None:
        """The job with its sheets; None if there is none."""
        from marianne.daemon.job.execution import LAST_SHEET
        from marianne.daemon.shared.refusal import Refused
        from marianne.daemon.views import queries
        from marianne.state.reader import Reader

        with Reader(self._home.db) as reader:
            try:
                return queries.status(reader, job_id, 1, LAST_SHEET)
            except (NoSuchJob, Refused):
                return None
