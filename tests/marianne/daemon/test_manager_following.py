"""Which hooks follow which end of a job: success, failure, any, and a cancel."""

from __future__ import annotations

from typing import Any

import pytest
from followed import FIRST, NEXT, SECOND, Followed, ends, hooks_told, running
from manager_parts import Stage, code

from marianne.daemon.jobs.following import next_hook
from marianne.model.result import AttemptResult
from marianne.score.models import Hook
from marianne.state.changes import AddAttempt, AddEvent
from marianne.state.models import JobRow, JobStatus

THIRD = {"type": "run_command", "command": "echo three"}


@pytest.fixture
def parts(stage: Stage) -> Followed:
    return Followed(stage)


def comes_to(
    stage: Stage, parts: Followed, status: JobStatus, *, work: bool = True, **lists: Any
) -> None:
    """Job ``a`` with these lists of hooks comes to that end."""
    after = {name: [Hook(**hook).model_dump() for hook in hooks] for name, hooks in lists.items()}
    stage.insert("a", status, options={"after": after}, error=_error(status), finished_at=7.0)
    if work:
        stage.write(AddAttempt("a", AttemptResult(1, 1, "completed", 1.0, 2.0, exit_code=0)))
    stage.found("a")
    parts.over("a")
    stage.turns.run()


def _error(status: JobStatus) -> str | None:
    return "sheet 1 (one) failed" if status is JobStatus.FAILED else None


ALL = {"on_success": [FIRST], "on_failure": [SECOND], "on_exit": [THIRD]}


def test_a_failed_job_is_followed_by_what_its_author_wants_then(
    stage: Stage, parts: Followed
) -> None:
    comes_to(stage, parts, JobStatus.FAILED, work=False, **ALL)
    assert running(stage) == ["echo two"]
    ends(stage)
    assert running(stage) == ["echo three"]
    assert stage.over == []
    ends(stage)
    assert stage.over == ["a"]
    assert stage.job("a").error == "sheet 1 (one) failed"
    told = [c.data["on"] for batch in stage.disk.batches for c in batch if _is_hook(c)]
    assert told == ["on_failure", "on_exit"]


def _is_hook(change: Any) -> bool:
    return isinstance(change, AddEvent) and change.event == "job.hook"


def test_a_completed_job_is_followed_by_success_then_by_any_end(
    stage: Stage, parts: Followed
) -> None:
    comes_to(stage, parts, JobStatus.COMPLETED, **ALL)
    assert running(stage) == ["echo one"]
    ends(stage)
    assert running(stage) == ["echo three"]
    ends(stage)
    assert stage.over == ["a"]


def test_a_cancelled_job_is_followed_by_what_says_so(stage: Stage, parts: Followed) -> None:
    late = {**SECOND, "after_cancel": True}
    comes_to(stage, parts, JobStatus.CANCELLED, on_success=[FIRST], on_exit=[FIRST, late, THIRD])
    assert running(stage) == ["echo two"]
    ends(stage, exit_code=1)
    assert (running(stage), stage.over) == ([], ["a"])
    row = stage.job("a")
    assert row.status is JobStatus.CANCELLED
    assert row.error == "on_exit hook 2 (run_command) failed: exit code 1"


def test_the_end_of_a_job_that_did_nothing_new_is_followed_all_the_same(
    stage: Stage, parts: Followed
) -> None:
    comes_to(stage, parts, JobStatus.COMPLETED, work=False, **ALL)
    assert running(stage) == ["echo three"]


@pytest.mark.parametrize("done", [0, 1])
def test_a_restart_goes_on_with_the_hook_that_had_not_ended(
    stage: Stage, parts: Followed, done: int
) -> None:
    comes_to(stage, parts, JobStatus.FAILED, **ALL)
    if done:
        ends(stage)
    stage.live.clear()
    stage.executor.running.clear()
    Followed(stage).take_up()
    assert running(stage) == [["echo two", "echo three"][done]]


def test_a_failing_hook_is_added_to_the_error_of_a_failed_job(
    stage: Stage, parts: Followed
) -> None:
    comes_to(stage, parts, JobStatus.FAILED, on_failure=[{**FIRST, "on_failure": "abort"}, SECOND])
    ends(stage, exit_code=3)
    row = stage.job("a")
    assert row.error == (
        "sheet 1 (one) failed; on_failure hook 1 (run_command) failed: exit code 3"
    )
    assert (row.status, running(stage), stage.over) == (JobStatus.FAILED, [], ["a"])
    assert ("a", "job.failed") not in stage.disk.events, "it had failed before"


def test_a_job_that_its_hook_fails_is_followed_as_a_failed_one(
    stage: Stage, parts: Followed
) -> None:
    aborts = {**FIRST, "on_failure": "abort"}
    lists = {"on_success": [aborts, FIRST], "on_failure": [SECOND], "on_exit": [THIRD]}
    comes_to(stage, parts, JobStatus.COMPLETED, **lists)
    ends(stage, exit_code=3)
    assert stage.status("a") is JobStatus.FAILED
    assert running(stage) == ["echo two"]
    ends(stage)
    assert running(stage) == ["echo three"]


def test_what_a_last_hook_fails_is_followed_by_nothing_more(stage: Stage, parts: Followed) -> None:
    lists = {"on_failure": [SECOND], "on_exit": [{**FIRST, "on_failure": "abort"}, THIRD]}
    comes_to(stage, parts, JobStatus.COMPLETED, **lists)
    ends(stage, exit_code=3)
    assert stage.status("a") is JobStatus.FAILED
    assert (running(stage), stage.over) == ([], ["a"])


def test_a_hook_is_told_how_the_job_ended(stage: Stage, parts: Followed) -> None:
    hook = {"type": "run_command", "command": "echo {job_id} {status}"}
    comes_to(stage, parts, JobStatus.FAILED, on_exit=[hook])
    assert running(stage) == ["echo a failed"]


def test_a_job_that_is_started_after_a_failure_is_started_once_for_that_end(
    stage: Stage, parts: Followed
) -> None:
    hooks = {"on_failure": [NEXT]}
    comes_to(stage, parts, JobStatus.FAILED, **hooks)
    stage.turns.ring()
    ((_, request_id),) = parts.submitted
    assert request_id == "chain/a/on_failure/0/7.0"


def test_nothing_is_changed_of_a_job_while_what_follows_it_runs(
    stage: Stage, parts: Followed
) -> None:
    comes_to(stage, parts, JobStatus.FAILED, **ALL)
    commands = parts._commands
    for asked in (commands.resume, lambda answer, job: commands.retry(answer, job, None)):
        promise = stage.ask(asked, "a")
        assert code(promise) == "conflict"


def test_a_job_that_runs_again_comes_to_another_end() -> None:
    after = {
        "on_success": [Hook(**FIRST).model_dump()],
        "on_failure": [Hook(**SECOND).model_dump()],
    }
    followed = {"followed": {"on_failure": 1}, "hooks_done": 1}
    row = JobRow("a", "a", JobStatus.FAILED, "/w", 0.0, 1, options={"after": after, **followed})
    assert next_hook(row, lambda: True) is None
    from marianne.daemon.jobs.following import ANEW

    row.options = {**row.options, **ANEW}
    place = next_hook(row, lambda: True)
    assert place is not None
    assert (place.list, place.index) == ("on_failure", 0)
    row.status = JobStatus.COMPLETED
    assert next_hook(row, lambda: True) is None, "what followed its success is done once"


def test_hooks_are_told_by_their_number(stage: Stage, parts: Followed) -> None:
    comes_to(stage, parts, JobStatus.FAILED, on_failure=[FIRST, SECOND])
    ends(stage)
    ends(stage)
    assert [number for number, *_ in hooks_told(stage)] == [1, 2]
