"""Which of the files that a node has kept of jobs nobody wants any more."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from marianne.daemon.shared.log import get_logger
from marianne.home import Home
from marianne.state.errors import StateError
from marianne.state.models import JobStatus
from marianne.state.reader import Reader

log = get_logger(__name__)


def unwanted(home: Home, kept: Sequence[str], living: Collection[str]) -> list[str]:
    """Those of jobs that are over, are paused, or were forgotten: all that counts of them is at the
    conductor. One that cannot be looked up now is named again by the next hello."""
    names = [name for name in kept if name not in living]
    if not names:
        return []
    try:
        with Reader(home.db) as reader:
            jobs = {name: reader.job(name) for name in names}
    except (OSError, StateError) as error:
        log.warning("leftovers_not_known", error=repr(error))
        return []
    return [
        name
        for name, job in jobs.items()
        if job is None or job.status.terminal or job.status is JobStatus.PAUSED
    ]
