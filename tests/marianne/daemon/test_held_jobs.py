"""What a person has paused stays paused under another score, and the answer says so."""

from __future__ import annotations

import pytest
from manager_parts import Stage, told
from modified import OLD, Modified, parsed

from marianne.daemon.jobs.pending_plan import stays
from marianne.state.models import NOW, JobRow, JobStatus


@pytest.fixture
def parts(stage: Stage) -> Modified:
    return Modified(stage)


@pytest.mark.parametrize("reason", ["person", "now"])
def test_a_job_that_a_person_has_paused_stays_so_with_its_new_plan_until_one_resumes_it(
    stage: Stage, parts: Modified, reason: str
) -> None:
    """It went on: who mends a job at rest, to look at it before it runs, found it running."""
    stage.insert("a", JobStatus.PAUSED, OLD, reason=reason)
    stage.found("a")
    asked = stage.ask(parts.modify, "a", None, None, "new", False, "job.modified")
    stage.answer("load", parsed())
    assert told(asked)["status"] == "paused"
    assert "stays paused: `marianne resume a` lets it go on" in told(asked)["message"]
    row = stage.job("a")
    assert (row.status, row.reason, row.sheet_count) == (JobStatus.PAUSED, reason, 3)
    asked = stage.ask(parts.modify, "a", None, None, "new", False, "job.resumed")
    stage.answer("load", parsed())
    assert (told(asked)["status"], stage.status("a")) == ("queued", JobStatus.QUEUED)


def test_each_pause_of_a_person_says_what_ends_it(stage: Stage) -> None:
    stage.insert("a", JobStatus.PAUSED, OLD, reason=NOW)
    row: JobRow = stage.job("a")
    said = [stays(row, runs=False), stays(row, runs=True)]
    assert ["it stays paused" in said[0], "what runs stands still" in said[1]] == [True, True]
    row.reason = "person"
    assert stays(row, runs=True).startswith("in force when the running sheets have ended")
    assert all("`marianne resume a`" in words for words in said)
