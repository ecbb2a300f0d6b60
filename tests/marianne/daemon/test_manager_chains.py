"""Jobs that follow a job: a chain goes as deep as it may, waits for people, keeps its log."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from followed import FIRST, NEXT, SECOND, Followed, completes, ends, hooks_told, is_lost, running
from manager_parts import Stage, code, plan_of

from actors import Future
from marianne.daemon.jobs import hooks as following
from marianne.daemon.jobs.cancel import Cancel
from marianne.daemon.jobs.next_job import next_job
from marianne.daemon.jobs.supervision import Supervision
from marianne.daemon.shared.refusal import Refused
from marianne.executors.beside import CommandEnd, SideCommand
from marianne.score.models import Hook
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus


@pytest.fixture
def parts(stage: Stage) -> Followed:
    return Followed(stage)


# -- chains --------------------------------------------------------------------------------------


def test_the_next_job_is_submitted_under_an_id_of_its_own_and_a_step_deeper(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, NEXT, config_path="/s/score.yaml", options={"chain_depth": 1})
    ends(stage)
    assert stage.turns.ring() == [0.0]
    ((request, request_id),) = parts.submitted
    assert str(request.config_path) == "/s/next.yaml"
    assert (request.chain_depth, request_id) == (2, "chain/a/1")  # asked again, it acts once
    parts.taken("b")
    assert hooks_told(stage)[-1] == (2, True, "started b")
    assert stage.over == ["a"]


def test_what_keeps_a_job_from_being_over_says_which_hook_it_is(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, SECOND)
    ends(stage)
    why = parts.why(stage.live["a"])
    assert why is not None
    assert (why["code"], why["data"]) == ("hooks", {"on": "on_success", "hook": 2})
    assert why["text"] == "it is completed, but for its hook 2 (run_command)"


def test_a_chain_waits_between_its_jobs(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, NEXT, concert={"enabled": True, "cooldown_between_jobs_seconds": 7})
    assert parts.submitted == []
    assert stage.turns.ring() == [7.0]
    assert len(parts.submitted) == 1


@pytest.mark.parametrize(
    ("depth", "concert"),
    [(following.MAX_CHAIN_DEPTH, None), (2, {"enabled": True, "max_chain_depth": 2})],
)
def test_a_chain_stops_at_its_depth(
    stage: Stage, parts: Followed, depth: int, concert: dict[str, Any] | None
) -> None:
    completes(stage, parts, NEXT, concert=concert, options={"chain_depth": depth})
    stage.turns.ring()
    assert parts.submitted == []
    assert "max_chain_depth" in hooks_told(stage)[0][2]
    assert stage.over == ["a"]


def test_a_chain_goes_as_deep_as_it_may(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, NEXT, options={"chain_depth": following.MAX_CHAIN_DEPTH - 1})
    stage.turns.ring()
    assert len(parts.submitted) == 1


def test_a_concert_that_is_not_enabled_starts_no_job(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, NEXT, concert={"enabled": False})
    stage.turns.ring()
    assert parts.submitted == []
    assert "concert.enabled" in hooks_told(stage)[0][2]


@pytest.mark.parametrize(
    ("hook", "concert", "workspace"),
    [
        ({}, None, None),
        ({}, {"enabled": True, "inherit_workspace": True}, "/w/a"),
        ({}, {"enabled": True, "inherit_workspace": False}, None),
        ({"job_workspace": "other-{job_id}"}, {"enabled": True}, "/s/other-a"),
    ],
)
def test_the_next_job_works_where_the_score_says(
    stage: Stage, parts: Followed, hook: Any, concert: Any, workspace: str | None
) -> None:
    completes(stage, parts, {**NEXT, **hook}, concert=concert, config_path="/s/score.yaml")
    stage.turns.ring()
    found = parts.submitted[0][0].workspace
    assert (found and str(found)) == workspace


@pytest.mark.parametrize("left", [False, True], ids=["gone", "kept"])
def test_a_worktree_that_is_gone_is_left_to_no_next_job_and_that_is_said(
    stage: Stage, parts: Followed, tmp_path: Path, left: bool
) -> None:
    """It worked in an empty directory in the place of the worktree."""
    whole = plan_of("one", "worktree", "worktree-end")
    steps = (*whole.sheets[:2], replace(whole.sheets[2], workspace_step="end"))
    tree = tmp_path / "tree"
    if left:
        tree.mkdir()
    plan = replace(whole, workspace=str(tree), sheets=steps)
    concert = {"enabled": True, "inherit_workspace": True}
    completes(stage, parts, NEXT, concert=concert, plan=plan, workspace=str(tree))
    stage.turns.ring()
    assert parts.submitted[0][0].workspace == (tree if left else None)
    parts.taken("b")
    said = "started b" if left else "started b, in its own workspace: the worktree of a is gone"
    assert hooks_told(stage)[-1] == (1, True, said)
    own = {**Hook(**NEXT).model_dump(), "job_workspace": "/w/own"}
    for hook in (own, {**own, "job_workspace": None}):
        request, words = next_job(stage.job("a"), hook, {}, 2, {}, lambda: plan)
        assert bool(words) is (hook is not own and not left)
        assert request.chain_depth == 2


@pytest.mark.parametrize("error_code", ["unavailable", "pressure", "shutting_down"])
def test_a_next_job_that_cannot_be_taken_just_now_is_submitted_later(
    stage: Stage, parts: Followed, error_code: str
) -> None:
    completes(stage, parts, NEXT)
    stage.turns.ring()
    parts.refused(Refused(error_code, "not now"))
    assert hooks_told(stage) == []
    stage.turns.ring()  # the next try of the hook,
    stage.turns.ring()  # and its pause
    parts.taken("b")
    assert [one[1] for one in parts.submitted] == ["chain/a/0"] * 2
    assert hooks_told(stage) == [(1, True, "started b")]


def test_a_next_job_that_is_not_taken_in_a_stop_is_the_next_conductors(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, NEXT)
    stage.turns.ring()
    stage.context.stop.mode = "stop"
    parts.refused(Refused("shutting_down", "the conductor is shutting down"))
    assert (stage.turns.timers, hooks_told(stage), stage.over) == ([], [], ["a"])


def test_a_next_job_that_is_refused_fails_its_hook(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, NEXT)
    stage.turns.ring()
    parts.refused(Refused("invalid_score", "no sheets"))
    assert hooks_told(stage) == [(1, False, "no sheets")]


@pytest.mark.parametrize("path", ["x\0y", "x" * 9000], ids=["a NUL", "a long one"])
def test_a_next_job_that_nobody_can_ask_for_fails_its_hook_and_ends_nobody(
    stage: Stage, parts: Followed, path: str
) -> None:
    completes(stage, parts, {**NEXT, "job_path": path}, SECOND)
    stage.turns.ring()
    if parts.submitted:
        parts.refused(Refused("invalid_score", "no such file"))
    assert [ok for _hook, ok, _detail in hooks_told(stage)] == [False]
    assert running(stage) == ["echo two"]


# -- a chain that waits for a person -------------------------------------------------------------

HELD = {**NEXT, "pause_before_chain": True}


def test_a_chain_that_waits_for_a_person_is_a_paused_job(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, HELD)
    row = stage.job("a")
    assert (row.status, row.reason) == (JobStatus.PAUSED, following.REASON)
    assert (parts.submitted, stage.turns.timers) == ([], [])
    assert stage.disk.events == [("a", "job.paused")]
    assert stage.over == []


def test_who_resumes_it_agrees_once(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, HELD, FIRST)
    assert code(stage.ask(parts.resume, "a")) == "ok"
    assert stage.status("a") is JobStatus.COMPLETED
    assert stage.disk.events[-2:] == [("a", "job.resumed"), ("a", "job.completed")]
    stage.turns.ring()
    parts.taken("b")
    assert len(parts.submitted) == 1
    assert running(stage) == ["echo one"]


def test_that_somebody_agreed_outlives_the_conductor(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, HELD)
    stage.ask(parts.resume, "a")
    stage.live.clear()
    stage.turns.timers.clear()
    anew = Followed(stage)
    anew.take_up()
    stage.turns.ring()
    assert len(anew.submitted) == 1


def test_who_agrees_while_the_disk_fails_has_not_agreed(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, HELD)
    stage.disk.error = StoreFull("the disk is full")
    assert stage.ask(parts.resume, "a").outcome().error is stage.disk.error
    assert (stage.status("a"), stage.turns.timers) == (JobStatus.PAUSED, [])
    assert stage.live["a"].row.options.get("chain_agreed") is None


def test_a_chain_that_a_person_does_not_want_is_cancelled(stage: Stage, parts: Followed) -> None:
    completes(stage, parts, HELD, FIRST)
    cancel = Cancel(stage.desk, Supervision(stage.desk, parts.over), parts.over, stage.admit)
    stage.ask(cancel.cancel, "a")
    assert (stage.status("a"), stage.over) == (JobStatus.CANCELLED, ["a"])
    assert (parts.submitted, stage.turns.timers, running(stage)) == ([], [], [])


# -- the log of a concert ------------------------------------------------------------------------

LOGGED = {"enabled": True, "concert_log_path": "{workspace}/log"}


def test_each_hook_is_a_line_of_the_concerts_log_before_the_next_one_runs(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, SECOND, concert=LOGGED)
    ends(stage)
    ((writing, _),) = stage.executor.running
    assert writing.argv[-1] == "/w/a/log"
    line = json.loads(writing.stdin or b"")
    assert (line["job_id"], line["hook"], line["ok"], line["chain_depth"]) == ("a", 1, True, 0)
    ends(stage)
    assert running(stage) == ["echo two"]


@pytest.mark.parametrize("how", ["it fails", "it cannot be started"])
def test_a_log_that_cannot_be_written_holds_up_no_hook(
    stage: Stage, parts: Followed, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    completes(stage, parts, FIRST, SECOND, concert=LOGGED)
    if how == "it fails":
        ends(stage)
        ends(stage, exit_code=1)
    else:
        run = stage.executor.command

        def no_log(command: SideCommand) -> Future[CommandEnd]:
            if command.stdin is not None:
                stage.executor.refusal = OSError(errno.ENOMEM, "no memory")
            asked = run(command)
            stage.executor.refusal = None
            return asked

        monkeypatch.setattr(stage.executor, "command", no_log)
        ends(stage)
    assert running(stage) == ["echo two"]
    assert [ok for _hook, ok, _detail in hooks_told(stage)] == [True]


def test_a_line_that_was_not_written_when_the_conductor_died_is_written_by_the_next_once(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, concert=LOGGED)
    ends(stage)
    ((before, _),) = stage.executor.running
    assert parts.pending(stage.job("a"))
    stage.live.clear()
    stage.executor.running.clear()
    anew = Followed(stage)
    anew.take_up()
    ((again, _),) = stage.executor.running
    assert again.stdin == before.stdin
    ends(stage)
    assert (running(stage), stage.over) == ([], ["a"])
    Followed(stage).take_up()
    assert (running(stage), hooks_told(stage)) == ([], [(1, True, "exit code 0")])


def test_a_line_whose_process_was_lost_is_written_a_little_later(
    stage: Stage, parts: Followed
) -> None:
    completes(stage, parts, FIRST, concert=LOGGED)
    ends(stage)
    is_lost(stage, by_us=True)
    assert (running(stage), stage.over) == ([], [])
    stage.turns.ring()
    assert running(stage) == ["/w/a/log"]
