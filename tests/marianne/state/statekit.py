"""Short ways to make changes; shared by the tests of the state."""

from marianne.state.changes import AddEvent, InsertJob
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader
from marianne.state.rows import SheetCounts

NOW = 1_700_000_000.0


def job(job_id: str, sheet_count: int = 3, **fields: object) -> InsertJob:
    row = JobRow(job_id, job_id, JobStatus.QUEUED, "/ws", NOW, sheet_count)
    for name, value in fields.items():
        setattr(row, name, value)
    return InsertJob(row, b"plan", "name: x\n", b"env")


def event(
    job_id: str | None, name: str = "job.submitted", ts: float = NOW, **data: object
) -> AddEvent:
    return AddEvent(job_id, None, name, data, ts)


def counts_of(reader: Reader, job_id: str) -> SheetCounts:
    """The counts of a job's sheets."""
    view = reader.view(job_id)
    assert view is not None
    return view.counts
