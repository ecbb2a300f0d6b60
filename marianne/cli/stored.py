"""The jobs as the last conductor left them, read where none runs. Starts none, changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from marianne.cli.errors import CliError
from marianne.cli.render.out import note
from marianne.cli.session import Session

if TYPE_CHECKING:
    from marianne.replies.job import JobPage, Status
    from marianne.state.reader import Reader


def jobs_page(session: Session, refusal: CliError, params: dict[str, Any]) -> JobPage:
    """What the conductor would answer to ``job.list``; ``refusal`` is raised where nothing was ever
    kept."""
    from marianne.daemon.views import queries
    from marianne.state.models import TERMINAL_JOB, JobStatus
    from marianne.state.reader import JobFilter

    wanted = {JobStatus(status) for status in params.get("statuses") or ()}
    if not wanted and not params.get("all"):
        wanted = set(JobStatus) - TERMINAL_JOB
    only = JobFilter(
        frozenset(wanted) or None,
        name=params.get("score"),
        config_path=params.get("config_path"),
    )
    with _read(session, refusal) as reader:
        return queries.page(reader, only, params["limit"], params["cursor"])


def sheets_page(session: Session, refusal: CliError, params: dict[str, Any]) -> Status:
    """What it would answer to ``job.status``."""
    from marianne.daemon.views import queries
    from marianne.state.errors import AmbiguousJob, NoSuchJob

    job, (first, last) = params["job_id"], params["sheets"]
    with _read(session, refusal) as reader:
        if params.get("newest"):
            job = reader.newest(job) or job
        try:
            return queries.status(reader, reader.resolve(job), first, last)
        except NoSuchJob:
            hint = "`marianne list --all` shows them all"
            raise CliError("not_found", f"no job {job!r}", hint) from None
        except AmbiguousJob as error:
            raise CliError("not_found", str(error), "give more of the id") from None


@contextmanager
def _read(session: Session, refusal: CliError) -> Iterator[Reader]:
    """The state, which is nobody's at the moment; says so. Raises CliError."""
    from marianne.daemon.shared.refusal import Refused
    from marianne.state.errors import StateError
    from marianne.state.migrations import is_older
    from marianne.state.reader import Reader

    place = session.home.db
    if not place.exists():
        raise refusal
    if is_older(place):
        text = f"no conductor is running, and {place} is of an earlier version"
        raise CliError("no_conductor", text, "marianne start brings it up to date")
    if not session.said_left:
        session.said_left = True
        note("note: no conductor is running: this is how the last one left it")
    try:
        with Reader(place, left=True) as reader:
            yield reader
    except Refused as refused:
        raise CliError(refused.code, refused.message, refused.hint) from None
    except StateError as error:
        raise CliError("no_conductor", f"no conductor is running, and {error}") from None
