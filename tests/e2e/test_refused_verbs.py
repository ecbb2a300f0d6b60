"""What hints take for refused in a state is refused in it, by a conductor that runs."""

from __future__ import annotations

import pytest
from e2e_marianne import Marianne, until

from marianne.daemon.shared.next_steps import WORKS
from marianne.state.models import JobStatus

ASKED = {
    "resume": ["resume"],
    "pause": ["pause"],
    "cancel": ["cancel", "--yes"],
    "retry": ["retry"],
    "recover": ["recover"],
}
HOLDS = "touch up; until test -e go; do sleep 0.1; done"


def _in(marianne: Marianne, status: JobStatus) -> str:
    """A job of this status, which it keeps."""
    name = f"job-{status}"
    if status in (JobStatus.COMPLETED, JobStatus.FAILED):
        code = int(status is JobStatus.FAILED)
        return marianne.play(name, f"sheets:\n  - {{name: a, run: exit {code}}}\n", code=code)
    job = marianne.submit(
        name, f"sheets:\n  - {{name: a, run: '{HOLDS}'}}\n  - {{name: b, needs: [a], run: echo}}\n"
    )
    until((marianne.place / name / "up").exists)
    if status in (JobStatus.PAUSING, JobStatus.PAUSED):
        marianne("pause", job)
    if status is JobStatus.PAUSED:
        (marianne.place / name / "go").touch()
        until(lambda: marianne.status(job)["status"] == "paused")
    if status is JobStatus.CANCELLED:
        marianne("cancel", job, "--yes")
    return job


STATES = (
    JobStatus.RUNNING,
    JobStatus.PAUSING,
    JobStatus.PAUSED,
    JobStatus.COMPLETED,
    JobStatus.FAILED,
    JobStatus.CANCELLED,
)


@pytest.mark.parametrize("status", STATES)
def test_a_verb_that_hints_leave_out_is_refused_or_changes_nothing(
    shared: Marianne, status: JobStatus
) -> None:
    job = _in(shared, status)
    assert shared.status(job)["status"] == status
    refused = [verb for verb in ASKED if status not in WORKS[verb]]
    for verb in refused:
        said = shared(*ASKED[verb], job, code=None)
        assert said.code in (0, 5), (verb, said)
        assert shared.status(job)["status"] == status, verb
    (shared.place / f"job-{status}" / "go").touch()
