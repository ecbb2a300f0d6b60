"""Each state of a job has its reason, in words and as data."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.daemon.boot import crash_loop
from marianne.daemon.job import endings
from marianne.daemon.jobs import admission, hooks
from marianne.daemon.jobs.explain import job_reason, sheet_reason
from marianne.daemon.views.diagnosis import PAUSES
from marianne.state.models import JobRow, JobStatus


def row(job_id: str, status: JobStatus = JobStatus.QUEUED, *, priority: int = 5) -> JobRow:
    return JobRow(job_id, job_id, status, "/w", 1.0, 3, priority=priority)


def job(status: str, reason: str | None = None) -> dict[str, Any]:
    return {
        "job_id": "mine",
        "status": status,
        "reason": reason,
        "error": None,
        "progress": {"running": 2, "pending": 1},
    }


def sheet(status: str, node: str | None = None, **error: str) -> dict[str, Any]:
    top = {"num": 1, "name": "a", "status": status, "instrument": "busy", "due_at": "soon"}
    top |= {"node": node}
    keys = ("category", "code", "message")
    return {**top, "error": {key: error.get(key) for key in keys} if error else None}


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_a_job_that_is_over_says_how_it_ended(status: str) -> None:
    assert job_reason(job(status), None, [], [])["text"] == f"it is over: {status}"
    why = {**job(status), "error": "it was to follow first, which has failed"}
    told = job_reason(why, None, [], [])["text"]
    assert told == f"it is over: {status} (it was to follow first, which has failed)"


@pytest.mark.parametrize("reason", PAUSES)
def test_a_paused_job_says_who_paused_it_and_what_lets_it_go_on(reason: str) -> None:
    told = job_reason(job("paused", reason), None, [], [])
    assert told["data"] == {"reason": reason}
    assert PAUSES[reason] in told["text"]
    assert "itself" in told["text"] or "`marianne resume mine`" in told["text"]


def test_a_job_whose_new_score_could_not_be_put_in_force_says_so() -> None:
    why = "the new score is not in force: sheet 1 is completed"
    told = job_reason({**job("paused", "person"), "error": why}, None, [], [])
    assert why in told["text"]


def test_every_reason_that_the_conductor_pauses_a_job_for_has_words() -> None:
    reasons = {hooks.REASON, crash_loop.REASON, endings.MODIFY, admission.PRESSURE}
    assert reasons <= PAUSES.keys()


def test_a_sheet_on_a_cluster_says_on_which_node() -> None:
    whole = {"code": "running", "text": "", "data": {}}
    told = sheet_reason(sheet("running", "n1"), "running", whole, None)
    assert (told["text"], told["data"]) == ("it runs on node n1", {"node": "n1"})
    told = sheet_reason(sheet("failed", "n1", message="exit code 1"), "running", whole, None)
    assert told["text"] == "it is over: failed on node n1 (exit code 1)"


def test_a_sheet_of_a_job_that_cannot_be_started_says_so() -> None:
    whole = {"code": "start_delayed", "text": "no thread", "data": {}}
    told = sheet_reason(sheet("ready"), "running", whole, {"code": "next", "text": "", "data": {}})
    assert "no thread" in told["text"]


def test_a_queued_job_counts_those_before_it() -> None:
    mine = row("mine")
    told = job_reason(job("queued"), mine, [row("r")], [row("first", priority=1), mine])
    assert (told["code"], told["data"]) == ("job_limit", {"running": 1, "before": 1})


def test_a_queued_job_names_the_pressure_that_holds_it() -> None:
    told = job_reason(job("queued"), row("mine"), [], [], "9 of 8 MB of memory")
    assert told["code"] == "pressure"
    assert "9 of 8 MB" in told["text"]


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (sheet("running"), "running"),
        (sheet("completed"), "ended"),
        (sheet("failed", message="exit code 1"), "ended"),
        (sheet("waiting", category="rate_limit"), "rate_limited"),
        (sheet("waiting", category="exit"), "retry_delay"),
        (sheet("ready"), "starting"),
    ],
)
def test_a_sheet_of_a_running_job(shown: dict[str, Any], code: str) -> None:
    whole = {"code": "running", "text": "", "data": {}}
    assert sheet_reason(shown, "running", whole, None)["code"] == code


def test_a_sheet_of_a_job_that_does_not_run_has_the_reason_of_its_job() -> None:
    told = sheet_reason(sheet("pending"), "paused", {"text": "it is paused"}, None)
    assert told["code"] == "job_paused"
    assert "it is paused" in told["text"]
