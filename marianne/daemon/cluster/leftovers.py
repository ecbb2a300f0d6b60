"""Of which jobs nobody wants what a node has of them: a worker, or files that it kept."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from marianne.daemon.shared.log import get_logger
from marianne.home import Home
from marianne.state.errors import StateError
from marianne.state.models import JobStatus
from marianne.state.reader import Reader

log = get_logger(__name__)


def unwanted(home: Home, has: Sequence[str], living: Collection[str]) -> list[str]:
    """Those of jobs that are over, are paused, or were forgotten: all that counts of them is at the
    conductor. One that cannot be looked up now is named again by the next hello."""
    names = [name for name in has if name not in living]
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
