"""No hint names a verb that the job's state refuses: every state, every hint."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from marianne.daemon.jobs import submission
from marianne.daemon.jobs.roster import Live, Roster
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.parsed import Parsed
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.types import JobRequest
from marianne.daemon.views.diagnosis import PAUSES, likely_cause, paused
from marianne.model.plan import Instrument, Plan, Prompt, SheetPlan
from marianne.state.models import TERMINAL_JOB, JobRow, JobStatus, SheetRow, SheetStatus

CATEGORIES = (
    None, "exit", "signal", "timeout", "idle", "resource_limit", "output_limit", "validation",
    "not_found", "template", "preflight", "rate_limit", "auth", "workspace", "cancelled",
    "stopped", "worker_lost", "internal", "disk_full", "machine",
)  # fmt: skip


def _verbs(text: str | None) -> set[str]:
    return set(re.findall(r"`marianne ([a-z-]+)", text or ""))


def _refused(text: str | None, status: JobStatus) -> set[str]:
    return {verb for verb in _verbs(text) if not next_steps.works(verb, status)}


def _plan() -> Plan:
    sheet = SheetPlan(1, "a", 1, Instrument("shell"), Prompt("true"))
    return Plan("p", "/w", (sheet,), 1)


def _row(status: JobStatus, **fields: object) -> JobRow:
    return JobRow("job", "job", status, "/w", 1.0, 1, **fields)  # type: ignore[arg-type]


def _causes(status: JobStatus) -> Iterator[str | None]:
    """What ``diagnose`` and ``explain`` advise about a job of this status, whatever is wrong."""
    for reason in (None, *PAUSES, "after", "at", "timeout"):
        if reason == "timeout" and status is not JobStatus.FAILED:
            continue  # nothing else ends so
        yield likely_cause(_row(status, reason=reason), _plan(), {}, []).next
        if status is JobStatus.PAUSED:
            yield paused("job", reason).next
    yield likely_cause(_row(status, error="supervisor gave up: x"), _plan(), {}, []).next
    for category in CATEGORIES:
        failed = SheetRow(1, SheetStatus.FAILED, attempt=1, category=category)
        yield likely_cause(_row(status), _plan(), {1: failed}, []).next


@pytest.mark.parametrize("status", JobStatus)
def test_no_advice_about_a_job_names_a_verb_that_its_state_refuses(status: JobStatus) -> None:
    wrong = {advice: _refused(advice, status) for advice in _causes(status)}
    assert not {advice: verbs for advice, verbs in wrong.items() if verbs}


def test_a_failed_job_of_which_no_sheet_failed_is_not_said_to_be_fine() -> None:
    cause = likely_cause(
        _row(JobStatus.FAILED, error="not completed: sheet 1 (a)"), _plan(), {}, []
    )
    assert cause.cause == "not completed: sheet 1 (a)"


@pytest.mark.parametrize("status", JobStatus)
@pytest.mark.parametrize(
    "hint",
    [
        lambda status: next_steps.again("job", status, 1),
        lambda status: next_steps.go_on("job", status, 1),
        lambda status: next_steps.look_again("job", status),
        lambda status: next_steps.mend("job", status),
        lambda status: next_steps.some("job", status, *next_steps.WORKS),
        lambda status: next_steps.until_over("job", status),
    ],
)
def test_no_hint_names_a_verb_that_the_state_refuses(status: JobStatus, hint) -> None:
    assert not _refused(hint(status), status)


@pytest.mark.parametrize("status", set(JobStatus) - TERMINAL_JOB)
def test_a_job_in_the_way_can_always_be_waited_for_let_go_on_or_ended(status: JobStatus) -> None:
    assert _verbs(next_steps.until_over("job", status)) & {"wait", "resume"}


@pytest.mark.parametrize("status", set(JobStatus) - TERMINAL_JOB)
def test_a_workspace_in_use_names_what_can_be_done_about_its_job(status: JobStatus) -> None:
    live = Roster()
    live["job"] = Live(_row(status, options={"archives": True}))
    asked = JobRequest.model_validate({"score": "x", "client_cwd": "/client"})
    score = Parsed(
        name="n", workspace="/w", sheet_count=1, config_hash="h", score="x", plan=b"plan"
    )
    with pytest.raises(Refused) as refused:
        submission.check_workspace(asked, score, live)
    assert _verbs(refused.value.hint)
    assert not _refused(refused.value.hint, status)


def test_a_verb_that_no_state_refuses_always_works() -> None:
    assert all(next_steps.works("output", status) for status in JobStatus)
