"""What follows a completed job: each hook once, one after the other, over any restart."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest
from followed import FIRST, SECOND, Followed, completes, ends, hooks_told, is_lost, running
from manager_parts import Stage, one_batch

from actors import ActorDied, Outcome
from actors.reasons import KILLED, crash
from marianne.daemon.jobs.hooks import PAGE
from marianne.score.models import Hook
from marianne.state.changes import AddEvent, UpdateJob
from marianne.state.errors import DatabaseCorrupt, StoreFull
from marianne.state.models import JobStatus


@pytest.fixture
def parts(stage: Stage) -> Followed:
    return Followed(stage)


# -- one after the other -------------------------------------------------------------------------


def test_a_job_without_hooks_is_over_at_once(stage: Stage, parts: Followed) -> None:
    completes(stage, parts)
    assert stage.over == ["a"]


def test_hooks_run_in_order_and_the_job_is_over_after_the_last(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, SECOND)
    assert running(stage) == ["echo one"]
    ends(stage)
    assert running(stage) == ["echo two"]
    assert stage.over == []
    ends(stage, said="done")
    assert stage.over == ["a"]
    assert hooks_told(stage) == [(1, True, "exit code 0"), (2, True, "exit code 0")]
    assert stage.job("a").options["hooks_done"] == 2


def test_the_next_hook_begins_when_the_end_of_this_one_is_on_disk(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, SECOND)
    stage.disk.held = True
    ends(stage)
    assert running(stage) == []
    stage.commit()
    assert running(stage) == ["echo two"]
    assert one_batch(stage, AddEvent, UpdateJob)


def test_what_the_store_refuses_ends_the_manager_which_begins_by_what_is_on_disk(
    stage: Stage, parts: Followed
) -> None:
    with pytest.raises(StoreFull):
        parts.hook_noted(Outcome(None, StoreFull("x")), "a")


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.CANCELLED])
def test_only_what_completed_is_followed(stage: Stage, parts: Followed, status: JobStatus) -> None:
    stage.lives("a", status, options={"after": {"on_success": [Hook(**FIRST).model_dump()]}})
    parts.over("a")
    assert (running(stage), stage.over) == ([], ["a"])


def test_a_job_that_did_nothing_new_is_not_followed(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, FIRST, work=False)
    assert (running(stage), stage.over) == ([], ["a"])


def test_a_conductor_that_ends_begins_no_hook(stage: Stage, parts: Followed) -> None:
    stage.context.stop.mode = "drain"
    completes(stage, parts, FIRST)
    assert (running(stage), stage.over) == ([], ["a"])


# -- restarts ------------------------------------------------------------------------------------


def test_a_restart_runs_the_hook_that_had_not_ended_and_those_after_it(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, SECOND)
    ends(stage)
    stage.live.clear()
    stage.executor.running.clear()
    anew = Followed(stage)
    anew.take_up()
    assert running(stage) == ["echo two"]
    ends(stage)
    anew.take_up()
    assert running(stage) == []
    assert stage.over == ["a"]


@pytest.mark.slow
def test_a_restart_takes_up_a_hook_however_many_jobs_have_ended_since(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST)
    for num in range(PAGE * 2 + 1):
        stage.insert(f"b{num}", JobStatus.COMPLETED, submitted_at=2.0 + num)
    stage.live.clear()
    stage.executor.running.clear()
    Followed(stage).take_up()
    stage.turns.run()
    assert running(stage) == ["echo one"]


def test_a_start_that_is_to_stop_begins_no_hook(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, FIRST)
    stage.live.clear()
    stage.executor.running.clear()
    stage.context.stop.mode = "cancel"
    Followed(stage).take_up()
    assert (running(stage), dict(stage.live)) == ([], {})


def test_a_restart_leaves_a_job_alone_that_is_not_over(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, FIRST)
    parts.take_up()
    assert running(stage) == ["echo one"]


# -- failures ------------------------------------------------------------------------------------


def test_a_failing_hook_is_the_jobs_error_and_the_next_one_runs(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, {**FIRST, "description": "the first"}, SECOND)
    ends(stage, exit_code=3)
    row = stage.job("a")
    assert row.error == "hook 1 (run_command: the first) failed: exit code 3"
    assert row.status is JobStatus.COMPLETED
    assert running(stage) == ["echo two"]


@pytest.mark.parametrize(
    ("more", "concert"),
    [({"on_failure": "abort"}, None), ({}, {"abort_concert_on_hook_failure": True})],
)
def test_a_failing_hook_ends_the_others_and_fails_the_job_where_its_author_says_so(
    stage: Stage, parts: Followed, more: dict[str, Any], concert: dict[str, Any] | None
) -> None:
    completes(stage, parts, {**FIRST, **more}, SECOND, concert=concert)
    ends(stage, exit_code=3)
    assert (stage.status("a"), running(stage), stage.over) == (JobStatus.FAILED, [], ["a"])
    assert ("a", "job.failed") in stage.disk.events
    assert stage.job("a").options["hooks_done"] == 2  # a retry does not run them either


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "too many open files"),
        EOFError(),
        ActorDied("beside", KILLED),
        DatabaseCorrupt("a read error"),
    ],
    ids=repr,
)
def test_a_hook_that_the_machine_cannot_begin_just_now_is_begun_later(
    stage: Stage, parts: Followed, error: Exception
) -> None:
    stage.executor.refusal = error
    completes(stage, parts, FIRST)
    assert stage.context.start_delays.of("a") is not None
    stage.executor.refusal = None
    stage.turns.ring()
    assert running(stage) == ["echo one"]
    ends(stage)
    assert stage.context.start_delays.of("a") is None
    assert hooks_told(stage) == [(1, True, "exit code 0")]


def test_a_hook_that_cannot_begin_in_a_stop_is_the_next_conductors(
    stage: Stage, parts: Followed
) -> None:
    stage.executor.refusal = EOFError("the forkserver")
    completes(stage, parts, FIRST)
    stage.context.stop.mode = "stop"
    stage.turns.ring()
    assert stage.turns.timers == []
    assert (stage.over, hooks_told(stage)) == ([], [])


@pytest.mark.parametrize(
    "command",
    ["it's.sh", "  ", "x" * 4000, "\\"],
    ids=["an odd quote", "nothing", "a long name", "half a character"],
)
def test_a_script_that_cannot_be_called_fails_its_hook_and_ends_nobody(
    stage: Stage, parts: Followed, command: str, tmp_path: Path
) -> None:
    hook = {"type": "run_script", "command": command}
    completes(stage, parts, hook, SECOND, config_path=str(tmp_path / "score.yaml"))
    ((_hook, ok, detail),) = hooks_told(stage)
    assert not ok
    assert detail.startswith("cannot be started: ")
    assert running(stage) == ["echo two"]


def test_a_hook_whose_process_was_lost_runs_again_and_fails_at_the_third_loss(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST)
    for losses in (1, 2, 3):
        assert stage.executor.begun == losses
        is_lost(stage)
        stage.turns.ring()
    ((_hook, ok, detail),) = hooks_told(stage)
    assert not ok
    assert "lost" in detail


def test_a_hook_whose_process_we_could_not_run_runs_again_however_often(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST)
    for _ in range(5):
        is_lost(stage, by_us=True)
        stage.turns.ring()
    assert (hooks_told(stage), stage.over) == ([], [])
    ends(stage)
    assert hooks_told(stage) == [(1, True, "exit code 0")]


def test_a_hook_over_which_our_actor_dies_runs_again_and_fails_if_it_ends_it_each_time(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST)
    for serving, again in ((True, True), (False, True), (True, True), (True, False)):
        ((_, future),) = stage.executor.running
        stage.executor.running.clear()
        future.refuse(ActorDied("beside", crash(LookupError("x")), serving))
        stage.turns.run()
        assert (hooks_told(stage) == []) is again
        stage.turns.ring()
    ((_hook, ok, _detail),) = hooks_told(stage)
    assert not ok


def test_a_hook_that_a_stop_ends_is_the_next_conductors(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, FIRST)
    for mode in (None, None, "stop"):
        stage.context.stop.mode = mode
        is_lost(stage)
        stage.turns.ring()
    assert (hooks_told(stage), stage.over) == ([], ["a"]), "this one has done with it"
    assert stage.executor.begun == 3


# -- a script ------------------------------------------------------------------------------------


def test_a_script_beside_the_score_is_called_by_its_place(
    stage: Stage, parts: Followed, tmp_path: Path
) -> None:
    (tmp_path / "then.sh").touch()
    hook = {"type": "run_script", "command": "then.sh {job_id}", "working_directory": "sub"}
    completes(stage, parts, hook, config_path=str(tmp_path / "score.yaml"))
    ((command, _),) = stage.executor.running
    assert command.argv == [str(tmp_path / "then.sh"), "a"]
    assert command.cwd == "/w/a/sub"
    assert command.extra == {"MARIANNE_WORKSPACE": "/w/a"}
