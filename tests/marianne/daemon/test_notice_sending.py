"""Notices: who is told what, in which turn, how often, and what a failure comes to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_stage import Desk
from notice_stage import Errands, event, job, later, notice_desk, notifier, receiver

from actors import ActorDied
from actors.reasons import KILLED
from marianne.daemon.config import DaemonConfig
from marianne.daemon.services import notifications
from marianne.daemon.shared.failures import DEGRADED_AFTER
from marianne.notify import line, way
from marianne.state.changes import AddEvent, UpdateJob
from marianne.state.models import Event


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with notice_desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def errands(desk: Desk) -> Errands:
    errands = desk.context.executor = Errands(desk.system)
    return errands


def test_who_asked_for_an_event_is_told_it_and_nobody_else(desk: Desk, errands: Errands) -> None:
    job(desk, receiver("command", "job_failed"), receiver("command", "job_start", command="other"))
    notifier(desk).happened([event(1), event(2, "daemon.started", None)])
    (errand,) = errands.started
    assert errand.argv == ["bash", "-c", "tell"]
    assert errand.stdin is not None
    body = json.loads(errand.stdin)
    assert (body["event"], body["job_id"], body["error"]) == ("job_failed", "a", "it broke")
    assert body["data"] == {"exit_code": 3}


def test_who_is_told_of_jobs_whose_end_is_no_notice_is_not_kept_for_ever(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a job that is cancelled nobody is told, and so it is not heard of here."""
    monkeypatch.setattr(notifications.line, "LIMIT", 10)
    actor = notifier(desk)
    for number in range(30):
        actor.happened([event(number + 1, "job.started", f"j{number}")])
    assert len(actor._receivers) <= 11


def test_a_job_that_goes_on_with_another_score_tells_who_is_named_there(
    desk: Desk, errands: Errands
) -> None:
    job(desk)
    told = notifier(desk)
    told.happened([event(1, "job.started")])
    options = {"after": {"notifications": [receiver("command", "job_failed")]}}
    desk.write(UpdateJob("a", {"options": options}))
    told.happened([event(2, "job.started"), event(3)])
    assert [errand.argv for errand in errands.started] == [["bash", "-c", "tell"]]


def of_machine(seq: int, event: str = "machine.trouble", **data: Any) -> Event:
    return Event(seq, 0, time.time(), None, None, event, data)


def test_what_happens_to_the_machine_is_told_to_who_is_told_of_all_jobs(
    desk: Desk, errands: Errands
) -> None:
    ours = [
        receiver("command", word, command=word) for word in ("machine", "needs_me", "job_failed")
    ]
    desk.context.config = DaemonConfig(notifications=ours)
    job(desk, receiver("command", "machine", command="of a score"))
    told = notifier(desk)
    for happened in (
        of_machine(1, kind="node", what="n1", why="silent", since=1.0),
        of_machine(2, "machine.over", kind="storage", what="", why="x", since=1.0),
        of_machine(3, "actor.gave_up", name="services", error="again and again"),
        of_machine(4, "actor.gave_up", name="job:a", error="its job fails"),
    ):
        told.happened([happened])
        while errands.under_way:
            errands.end()
    said = [(command.argv[-1], json.loads(command.stdin or b"")) for command in errands.started]
    assert [(who, body["event"], body["error"]) for who, body in said] == [
        ("machine", "machine_trouble", "silent"),
        ("machine", "machine_over", None),
        ("needs_me", "machine_over", None),
        ("machine", "machine_trouble", "again and again"),
        ("needs_me", "machine_trouble", "again and again"),
    ]
    assert {body["job_id"] for _, body in said} == {None}
    assert {command.job_id for command in errands.started} == {""}


def test_what_is_on_no_disk_is_told_at_once(desk: Desk, errands: Errands) -> None:
    desk.context.config = DaemonConfig(notifications=[receiver("command", "needs_me")])
    told = notifier(desk)
    told.unwritten(of_machine(-5, kind="storage", what="", why="the disk is full", since=1.0))
    assert json.loads(errands.started[0].stdin or b"")["id"] == "-5"
    errands.end()
    told.happened([of_machine(1, kind="storage", what="", why="full", since=2.0)])
    assert len(errands.started) == 2


def test_an_event_that_was_seen_is_not_told_again(desk: Desk, errands: Errands) -> None:
    job(desk, receiver())
    actor = notifier(desk)
    actor.happened([event(1)])
    actor.happened([event(1)])
    assert len(errands.started) == 1


def test_what_happened_while_nobody_looked_is_told_at_the_next_start(
    desk: Desk, errands: Errands
) -> None:
    job(desk, receiver())
    notifier(desk)
    desk.write(AddEvent("a", None, "job.failed", {}, time.time()))
    notifier(desk)
    assert len(errands.started) == 1
    notifier(desk)  # it was not delivered before the crash
    assert len(errands.started) == 2


def test_a_notice_counts_as_undelivered_at_its_third_failure_and_is_tried_on(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(desk, receiver())
    actor = notifier(desk)
    actor.happened([event(1)])
    for tries in range(1, 12):
        assert len(errands.started) == tries
        errands.end("exit code 1")
        assert len(errands.started) == tries, "not in place: after a pause"
        assert desk.context.delivery.undelivered == (1 if tries >= 3 else 0)
        later(monkeypatch, 700.0)
        actor.look()
    errands.end()
    assert desk.context.delivery.undelivered == 0
    notifier(desk)
    assert len(errands.started) == 12, "the next conductor has nothing to tell"


def test_one_that_is_delivered_ends_what_was_degraded(desk: Desk, errands: Errands) -> None:
    job(desk, receiver())
    desk.context.delivery.undelivered = DEGRADED_AFTER
    assert desk.context.delivery.degraded
    actor = notifier(desk)
    actor.happened([event(1)])
    errands.end()
    assert not desk.context.delivery.degraded
    notifier(desk).happened([event(1)])
    assert len(errands.started) == 1, "and is not told again after a restart"


def test_a_receiver_that_cannot_be_told_here_holds_nothing_open(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    job(desk, receiver("desktop"), receiver())
    actor = notifier(desk)
    actor.happened([event(1)])
    errands.end()
    assert desk.reader.meta(notifications.CURSOR) == b"1"


def test_what_was_delivered_is_not_told_again_for_the_sake_of_one_that_was_not(
    desk: Desk, errands: Errands
) -> None:
    job(desk, receiver(command="never answers"), receiver(command="quick"))
    notifier(desk)
    desk.write(AddEvent("a", None, "job.failed", {}, time.time()))
    notifier(desk)
    errands.under_way.pop(0)  # the first is still on its way when the conductor dies
    errands.end()
    told = len(errands.started)
    notifier(desk)
    assert [errand.argv[-1] for errand in errands.started[told:]] == ["never answers"]
    errands.end()
    notifier(desk)
    assert len(errands.started) == told + 1


def test_what_was_given_up_after_a_day_is_not_tried_again_by_the_next_conductor(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(desk, receiver())
    notifier(desk)
    desk.write(AddEvent("a", None, "job.failed", {}, time.time()))
    notifier(desk)
    later(monkeypatch, line.DAY + 1)
    errands.end("exit code 1")
    notifier(desk)
    assert len(errands.started) == 1


def test_who_is_told_is_what_the_score_says_by_which_the_job_goes_on(
    desk: Desk, errands: Errands
) -> None:
    job(desk, receiver(command="old"))
    actor = notifier(desk)
    actor.happened([event(1, "job.started")])
    options = {"after": {"notifications": [receiver(command="new")]}}
    desk.write(UpdateJob("a", {"options": options}))  # a modify, which lets it begin again
    actor.happened([event(2, "job.started"), event(3)])
    assert [errand.argv[-1] for errand in errands.started] == ["new"]


def test_what_happened_before_a_score_wanted_notices_is_not_told_after_a_kill(
    desk: Desk, errands: Errands
) -> None:
    job(desk)
    actor = notifier(desk)
    for name in ("job.started", "job.failed", "job.started"):
        if name == "job.started" and desk.reader.events.last_seq():
            wanted = receiver("command", "job_start", "job_failed")
            options = {"after": {"notifications": [wanted]}}
            desk.write(UpdateJob("a", {"options": options, "started_at": 1.0}))  # a modify
        desk.write(AddEvent("a", None, name, {}, time.time()))
        actor.happened([event(desk.reader.events.last_seq(), name)])
    notifier(desk)
    told = [json.loads(errand.stdin or b"")["event"] for errand in errands.started]
    assert told == ["job_start"] * 2, "which was on its way"


@pytest.mark.parametrize("error", [OSError("no process"), ActorDied("beside", KILLED)])
def test_the_trouble_of_this_machine_uses_up_no_try(
    desk: Desk, errands: Errands, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(desk, receiver())
    actor = notifier(desk)
    errands.trouble = error
    actor.happened([event(1)])
    errands.trouble = None
    later(monkeypatch, 5.0)
    actor.look()
    assert len(errands.started) == 1
    errands.end("exit code 1")
    assert [one.tries for one in actor._line.waiting] == [1]


@pytest.mark.parametrize(
    "seconds", ["soon", [1], {}, -1, float("nan"), float("inf"), 1e300, True, None]
)
def test_a_time_limit_that_is_none_is_the_usual_one(
    desk: Desk, errands: Errands, seconds: object
) -> None:
    """A score that was accepted by an earlier version must not end the actor."""
    job(desk, receiver("command", timeout_seconds=seconds))
    notifier(desk).happened([event(1)])
    assert [errand.timeout for errand in errands.started] == [way.SECONDS]


def test_a_time_limit_that_is_given_is_kept(desk: Desk, errands: Errands) -> None:
    job(desk, receiver("command", timeout_seconds=2.5))
    notifier(desk).happened([event(1)])
    assert [errand.timeout for errand in errands.started] == [2.5]
