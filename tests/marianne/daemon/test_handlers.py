"""What each verb takes, whom it asks for what, and what it answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, asked, desk_in, refusal

from marianne.daemon.api import handlers
from marianne.daemon.api.handlers import (
    daemon_clear_rate_limits,
    daemon_config,
    daemon_fault,
    daemon_health,
    daemon_rate_limits,
    daemon_ready,
    daemon_shutdown,
    daemon_status,
    daemon_tree,
    events_since,
    hello,
    job_cancel,
    job_clear,
    job_diagnose,
    job_errors,
    job_explain,
    job_history,
    job_list,
    job_modify,
    job_output,
    job_pause,
    job_recover,
    job_resume,
    job_retry,
    job_status,
    job_submit,
    job_wait,
)
from marianne.daemon.config import DaemonConfig
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.types import JobRequest
from marianne.model.result import AttemptResult
from marianne.state.changes import AddAttempt, AddEvent, DeleteJob, SaveSheet
from marianne.state.models import JobStatus, SheetRow, SheetStatus
from marianne.version import version

LIVE = [status for status in JobStatus if not status.terminal]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk_in(tmp_path_factory.mktemp("desk")) as desk:
        desk.insert("first", "second", "build-1", "build-2")
        yield desk


@pytest.fixture
def shared(lasting: Desk) -> Desk:
    """For tests that write nothing: a desk with four jobs, of whom nobody was asked anything."""
    lasting.post.asked.clear()
    lasting.post.answer = lambda *args: {"told": True}
    return lasting


JOB = {"job_id": "first"}
# Whom a verb asks, with its defaults, and with everything that may be said.
MESSAGES: list[tuple[Any, dict[str, Any], tuple[Any, ...]]] = [
    (daemon_status, {}, ("get_daemon_status",)),
    (job_clear, {}, ("clear_jobs", None, None, None, "id")),
    (
        job_clear,
        {"ids": ["fir", "second"], "statuses": ["failed"], "older_than_seconds": 5},
        ("clear_jobs", [JobStatus.FAILED], 5.0, ["first", "second"], "id"),
    ),
    (job_explain, JOB, ("explain_job", "first", None)),
    (job_explain, {**JOB, "sheet": 3}, ("explain_job", "first", 3)),
    (
        job_modify,
        {**JOB, "config_path": "a.yaml", "client_cwd": "/c"},
        ("modify_job", "first", "/c/a.yaml", None, None, False, "id", None, False),
    ),
    (
        job_modify,
        {**JOB, "score": "x: 1", "workspace": "/w", "dry_run": True},
        ("modify_job", "first", None, "/w", "x: 1", True, "id", None, False),
    ),
    (job_recover, JOB, ("recover_job", "first", None, False, "id")),
    (job_recover, {**JOB, "sheet": 1, "dry_run": True}, ("recover_job", "first", 1, True, "id")),
    (job_retry, JOB, ("retry_job", "first", None, "id")),
    (job_retry, {**JOB, "sheets": [1, 2]}, ("retry_job", "first", [1, 2], "id")),
    (job_status, JOB, ("get_job_status", "first", 1, 5_000, ("packed", True))),
    (
        job_status,
        {**JOB, "sheets": [10, 99_999]},
        ("get_job_status", "first", 10, 5_009, ("packed", True)),
    ),
    (job_submit, {"config_path": "a"}, ("submit_job", JobRequest(config_path=Path("a")), "id")),
    (job_wait, JOB, ("wait_job", "first")),
    # Several jobs: each is a request of its own.
    (job_cancel, {"ids": ["first"]}, ("cancel_job", "first", "id/first")),
    (job_pause, {"ids": ["first"]}, ("pause_job", "first", "id/first", False)),
    (job_pause, {"ids": ["first"], "now": True}, ("pause_job", "first", "id/first", True)),
    (job_resume, {"ids": ["first"]}, ("resume_job", "first", None, None, False, "id/first")),
    (
        job_resume,
        {
            "ids": ["first"],
            "config_path": "b.yaml",
            "workspace": "w",
            "no_reload": True,
            "client_cwd": "/c",
        },
        ("resume_job", "first", "/c/w", "/c/b.yaml", True, "id/first"),
    ),
]


@pytest.mark.parametrize(("handler", "params", "message"), MESSAGES)
def test_a_verb_asks_the_manager_for_what_was_said_and_tells_its_answer(
    shared: Desk, handler: Any, params: dict[str, Any], message: tuple[Any, ...]
) -> None:
    answer = asked(handler, shared, **params)
    assert shared.post.asked == [("manager", *message)]
    if "id/first" in message:
        told = {"job_id": "first", "told": True, "ok": True, "error": None}
        assert answer == {"jobs": [told]}
    else:
        assert answer == {"told": True}


@pytest.mark.parametrize("instrument", [None, "a/b"])
def test_rate_limits_are_ended_by_who_keeps_them(shared: Desk, instrument: str | None) -> None:
    named = {} if instrument is None else {"instrument": instrument}
    assert asked(daemon_clear_rate_limits, shared, **named) == {"told": True}
    assert shared.post.asked == [("rates", "clear_limits", instrument, "id")]


ABOUT_A_JOB: list[tuple[Any, dict[str, Any]]] = [
    *((handler, {}) for handler in (job_diagnose, job_errors, job_explain, job_history)),
    *((handler, {}) for handler in (job_recover, job_retry, job_status, job_wait, job_output)),
    (job_modify, {"score": "x"}),
]


@pytest.mark.parametrize(("handler", "more"), ABOUT_A_JOB)
def test_a_job_may_be_named_by_the_beginning_of_its_id_if_that_is_clear(
    shared: Desk, handler: Any, more: dict[str, Any]
) -> None:
    assert refusal(handler, shared, job_id="other", **more).code == "not_found"
    both = refusal(handler, shared, job_id="build", **more)
    assert both.code == "not_found"
    assert "build-1" in both.message
    assert "build-2" in both.message
    assert shared.post.asked == []


CHANGING = {
    *(handlers.find(method) for method in ("group.add", "group.remove")),
    *(daemon_clear_rate_limits, job_cancel, job_clear, job_modify, job_pause),
    *(job_recover, job_resume, job_retry, job_submit),
    *(
        handlers.find(f"schedule.{verb}")
        for verb in ("add", "pause", "remove", "resume", "run_now")
    ),
}


@pytest.mark.parametrize("method", handlers.METHODS)
def test_what_changes_a_job_acts_once_under_one_id(method: str) -> None:
    handler = handlers.find(method)
    assert handler.MUTATING is (handler in CHANGING)


UNFIT: list[tuple[Any, dict[str, Any], str]] = [
    (daemon_fault, {}, "name"),
    (daemon_shutdown, {"mode": "softly"}, "mode"),
    (daemon_shutdown, {"drain_seconds": -1}, "drain_seconds"),
    (events_since, {"limit": 1_001}, "limit"),
    (events_since, {"seq": -1}, "seq"),
    (job_clear, {"statuses": ["done"]}, "statuses.0"),
    (job_errors, {"job_id": "a", "limit": 0}, "limit"),
    (job_list, {"limit": 0}, "limit"),
    (job_modify, {"job_id": "a"}, "config_path required"),
    (job_output, {"job_id": "a", "stream": "in"}, "stream"),
    (job_output, {"job_id": "a", "attempt": 0}, "attempt"),
    (job_resume, {"ids": "a"}, "ids"),
    (job_status, {"job_id": "a", "sheets": [1]}, "sheets"),
    (job_submit, {}, "give config_path or score"),
    (job_submit, {"score": "x", "priority": 11}, "priority"),
]


@pytest.mark.parametrize(("handler", "params", "named"), UNFIT)
def test_what_does_not_fit_is_refused_by_its_name_and_asked_of_nobody(
    shared: Desk, handler: Any, params: dict[str, Any], named: str
) -> None:
    error = refusal(handler, shared, **params)
    assert error.code == "invalid_params"
    assert named in error.message
    assert error.data is not None
    assert error.data["problems"]
    assert shared.post.asked == []


@pytest.mark.parametrize("more", [{"config_path": "b"}, {"workspace": "w"}])
@pytest.mark.parametrize("which", [{"ids": ["a", "b"]}, {"all": True}, {"statuses": ["paused"]}])
def test_another_score_or_workspace_is_for_one_job(
    shared: Desk, which: dict[str, Any], more: dict[str, Any]
) -> None:
    assert refusal(job_resume, shared, **which, **more).code == "invalid_params"
    assert shared.post.asked == []


def test_a_status_that_was_told_and_still_holds_is_told_again_without_asking(desk: Desk) -> None:
    cache, told = desk.context.status_cache, Packed(b"told")
    cache.keep(cache.mark(), "first", 1, job_status.PAGE, told)
    assert asked(job_status, desk, job_id="first") is told
    assert desk.post.asked == []


def test_events_after_a_number_come_with_the_first_and_the_last_that_are_kept(desk: Desk) -> None:
    assert asked(events_since, desk) == {"events": [], "first": 0, "last": 0}
    desk.insert("a", "b")
    desk.write(*(AddEvent(job, None, "job.started", {}, 1.0) for job in ("a", "b", "a")))
    answer = asked(events_since, desk, seq=1)
    assert ([e["seq"] for e in answer["events"]], answer["first"], answer["last"]) == ([2, 3], 1, 3)
    assert [e["seq"] for e in asked(events_since, desk, job_id="a")["events"]] == [1, 3]
    assert refusal(events_since, desk, job_id="nobody").code == "not_found"


def test_who_follows_a_job_that_was_cleared_meanwhile_hears_of_its_end(desk: Desk) -> None:
    """Else a tail whose connection was away asks for ever."""
    desk.insert("a", status=JobStatus.COMPLETED)
    desk.write(AddEvent("a", None, "job.completed", {}, 1.0), DeleteJob("a"))
    told = asked(events_since, desk, job_id="a")
    assert [e["event"] for e in told["events"]] == ["job.completed"]


def test_jobs_are_listed_by_what_is_on_disk_and_nobody_is_asked(desk: Desk) -> None:
    desk.insert("a", "b")
    desk.insert("c", status=JobStatus.FAILED)
    assert [job["job_id"] for job in asked(job_list, desk)["jobs"]] == ["b", "a"]
    every = asked(job_list, desk, all=True, limit=2)
    assert [job["job_id"] for job in every["jobs"]] == ["c", "b"]
    rest = asked(job_list, desk, all=True, limit=2, cursor=every["cursor"])
    assert ([job["job_id"] for job in rest["jobs"]], rest["cursor"]) == (["a"], None)
    assert asked(job_list, desk, statuses=["failed"])["total"] == 1
    assert desk.post.asked == []


def test_what_became_of_a_job_is_told_by_what_is_on_disk_and_nobody_is_asked(desk: Desk) -> None:
    desk.insert("a", status=JobStatus.FAILED)
    failed = AttemptResult(1, 1, "failed", 1.0, 2.0, exit_code=3)
    row = SheetRow(1, SheetStatus.FAILED, attempt=1, exit_code=3)
    desk.write(AddAttempt("a", failed), SaveSheet("a", row))
    for handler, what in ((job_errors, "errors"), (job_history, "records")):
        (one,) = asked(handler, desk, job_id="a")[what]
        assert (one["sheet"], one["attempt"], one["exit_code"]) == (1, 1, 3)
    assert asked(job_history, desk, job_id="a", sheet=1)["has_history"]
    assert refusal(job_history, desk, job_id="a", sheet=2).code == "not_found"
    assert "one" in asked(job_diagnose, desk, job_id="a")["cause"]
    assert desk.post.asked == []


def test_output_is_read_from_the_file_of_the_attempt(desk: Desk) -> None:
    desk.insert("a")
    desk.write(SaveSheet("a", SheetRow(1, SheetStatus.COMPLETED, attempt=2, started_at=1.0)))
    directory = desk.home.job_dir("a") / "sheets"
    directory.mkdir(parents=True)
    (directory / "1.2.err").write_bytes(b"0123456789")
    answer = asked(job_output, desk, job_id="a", stream="err", offset=2, limit=3)
    assert answer["data"] == b"234"
    assert (answer["sheet"], answer["attempt"], answer["next_offset"]) == (1, 2, 5)
    assert (answer["size"], answer["ended"]) == (10, True)


def test_hello_says_who_is_there_and_what_it_speaks(desk: Desk) -> None:
    assert asked(hello, desk) == {
        "protocol": 1,
        "version": version(),
        "pid": os.getpid(),
        "ready": True,
    }


def test_the_settings_in_force_come_with_their_origins(desk: Desk) -> None:
    desk.context.config = DaemonConfig(max_concurrent_jobs=3)
    desk.context.origins = {"max_concurrent_jobs": "conductor.yaml:1"}
    answer = asked(daemon_config, desk)
    assert answer["config"]["max_concurrent_jobs"] == 3
    assert answer["origin"] == {"max_concurrent_jobs": "conductor.yaml:1"}


def test_what_is_secret_in_the_settings_is_told_to_who_asks_for_it(desk: Desk) -> None:
    desk.context.origins = {}
    desk.context.config = DaemonConfig.model_validate({"traces": {"headers": {"key": "sesame"}}})
    shown = asked(daemon_config, desk)["config"]["traces"]["headers"]
    assert shown == {"key": "********"}
    told = asked(daemon_config, desk, reveal=True)["config"]["traces"]["headers"]
    assert told == {"key": "sesame"}


def test_limits_in_force_are_told_by_instrument_and_model_with_their_end(desk: Desk) -> None:
    active = {"claude/opus": 12.34, "claude": 5.0}
    desk.context.rate_limits = SimpleNamespace(active_limits=lambda: active)
    first, second = asked(daemon_rate_limits, desk)["limits"]
    assert (first["key"], first["instrument"], first["model"]) == ("claude", "claude", None)
    assert (second["instrument"], second["model"]) == ("claude", "opus")
    assert second["seconds"] == 12.3
    assert first["until"] < second["until"]


def test_ready_is_what_the_health_checker_says(desk: Desk) -> None:
    desk.post.answer = lambda: {"ready": True}
    assert asked(daemon_ready, desk) == {"ready": True}
    assert desk.post.asked == [("health", "readiness")]


def test_the_tree_is_that_of_the_actors(desk: Desk) -> None:
    assert asked(daemon_tree, desk) == desk.system.tree()


def test_health_is_answered_where_the_request_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "_found", {})
    assert handlers.quick("daemon.health") is None  # not known before it was asked for
    handlers.find("daemon.health")
    assert handlers.quick("daemon.health") is daemon_health
    handlers.find("job.list")
    assert handlers.quick("job.list") is None
