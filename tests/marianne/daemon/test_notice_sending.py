"""Notices: who is told what, in which turn, how often, and what a failure comes to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handler_stage import Desk, desk_in
from notice_stage import Errands

from actors import ActorDied, Future
from actors.reasons import KILLED
from marianne.daemon.config import DaemonConfig
from marianne.daemon.services import notifications
from marianne.daemon.services.notifications import Notifications
from marianne.daemon.shared.failures import DEGRADED_AFTER, Delivery
from marianne.notify import line, way
from marianne.state.changes import AddEvent, Change, InsertJob, UpdateJob
from marianne.state.errors import StoreError
from marianne.state.models import Event, JobRow, JobStatus


class Told(Notifications):
    """The actor without its thread: what it would wait for is in ``later``."""

    later: list[float]

    def pipe(self, future: Any, method: Any, *args: Any) -> None:
        future.on_done(lambda done: method(done.outcome(), *args))

    def send_after(self, seconds: float, method: Any, *args: Any) -> Any:
        self.later.append(seconds)
        return SimpleNamespace(cancel=lambda: None)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        desk.context.delivery = Delivery()
        desk.context.config = DaemonConfig()

        def written(method: Any, changes: list[Change], **named: Any) -> Future[None]:
            desk.write(*changes)
            future: Future[None] = Future(desk.system, "store", None, None)
            future.answer(None)
            return future

        desk.context.store.call = written
        desk.context.actors = []
        yield desk
        for actor in desk.context.actors:
            actor.on_stop(None)


@pytest.fixture
def errands(desk: Desk) -> Errands:
    errands = desk.context.executor = Errands(desk.system)
    return errands


def notifier(desk: Desk) -> Told:
    actor = Told(desk.context)
    actor.later = []
    actor.on_start()
    desk.context.actors.append(actor)
    return actor


def job(desk: Desk, *receivers: dict[str, Any], job_id: str = "a") -> None:
    options = {"after": {"notifications": list(receivers)}}
    row = JobRow(job_id, job_id, JobStatus.FAILED, "/w", 1.0, 1, error="it broke", options=options)
    desk.write(InsertJob(row, b"", "", b""))


def receiver(kind: str = "command", *events: str, **config: Any) -> dict[str, Any]:
    if kind == "command":
        config = {"command": "tell", **config}
    return {"type": kind, "on_events": list(events or ("job_failed",)), "config": config}


def event(seq: int, name: str = "job.failed", job_id: str | None = "a") -> Event:
    return Event(seq, 0, time.time(), job_id, None, name, {"exit_code": 3})


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


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Both clocks go on."""
    now, wall = notifications.steady(), time.time()
    monkeypatch.setattr(notifications, "steady", lambda: now + seconds)
    monkeypatch.setattr(notifications, "time", SimpleNamespace(time=lambda: wall + seconds))


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


@pytest.mark.parametrize(
    ("given", "url", "body"),
    [
        (receiver("webhook", url="http://x/"), "http://x/", "event"),
        (receiver("slack", webhook_url="http://y/"), "http://y/", "text"),
    ],
)
def test_an_address_is_told_by_a_program_that_reads_it_from_its_input(
    desk: Desk, errands: Errands, given: dict[str, Any], url: str, body: str
) -> None:
    job(desk, given)
    notifier(desk).happened([event(1)])
    (errand,) = errands.started
    assert errand.argv[1:] == ["-I", "-S", way.WEBHOOK]
    assert url not in " ".join(errand.argv), "it may be a secret, and anybody sees a command line"
    assert errand.stdin is not None
    wanted = json.loads(errand.stdin)
    assert wanted["url"] == url
    assert body in wanted["body"]


def test_of_many_to_one_address_two_are_under_way_and_others_are_not_held_up(
    desk: Desk, errands: Errands
) -> None:
    slow = receiver("webhook", url="http://slow/")
    job(desk, *[slow] * 12, receiver("webhook", url="http://good/"))
    actor = notifier(desk)
    actor.happened([event(1)])

    def told(url: str) -> int:
        return sum(url.encode() in (errand.stdin or b"") for errand in errands.started)

    assert (told("http://slow/"), told("http://good/")) == (2, 1)
    errands.end()
    assert told("http://slow/") == 3, "the next goes when one has ended"


@pytest.mark.parametrize("there", [True, False])
def test_the_desktop_is_told_by_notify_send_where_that_is_there(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if there:
        (programs / "notify-send").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    job(desk, receiver("desktop"))
    notifier(desk).happened([event(1)])
    argv = ["notify-send", "--app-name=marianne", "--", "a: job failed", "it broke"]
    assert [errand.argv for errand in errands.started] == ([argv] if there else [])


def test_who_is_told_of_all_jobs_is_told_beside_those_of_the_score(
    desk: Desk, errands: Errands
) -> None:
    desk.context.config = DaemonConfig(notifications=[receiver(command="all")])
    job(desk, receiver(command="its"))
    job(desk, job_id="b")
    notifier(desk).happened([event(1), event(2, job_id="b")])
    assert sorted(errand.argv[-1] for errand in errands.started) == ["all", "all", "its"]


def test_the_address_of_one_who_is_told_of_all_jobs_may_be_in_our_environment(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "http://ours/")
    hook = receiver("webhook", url_env="HOOK")
    desk.context.config = DaemonConfig(notifications=[hook])
    job(desk, hook)
    notifier(desk).happened([event(1)])
    assert [errand.extra for errand in errands.started] == [{}, {"HOOK": "http://ours/"}]


def test_what_waits_for_its_digest_is_told_by_the_next_conductor_once(
    desk: Desk, errands: Errands, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(desk, receiver("command", "sheet_complete", digest=60.0))
    actor = notifier(desk)
    for _ in range(3):
        desk.write(AddEvent("a", 1, "sheet.completed", {}, time.time()))
    actor.happened(desk.reader.events.since(0))
    assert actor.later
    assert not errands.started
    actor = notifier(desk)
    assert not errands.started
    later(monkeypatch, 61.0)
    actor.look()
    (errand,) = errands.started
    told = json.loads(errand.stdin or b"")
    assert (told["event"], told["count"], len(told["notices"])) == ("digest", 3, 3)
    errands.end()
    notifier(desk)
    assert len(errands.started) == 1


def test_what_could_not_be_noted_as_told_is_noted_later(desk: Desk, errands: Errands) -> None:
    job(desk, receiver())
    actor = notifier(desk)
    actor.happened([event(1)])
    works, broken = desk.context.store.call, Future(desk.system, "store", None, None)
    broken.refuse(StoreError("the disk is full"))
    desk.context.store.call = lambda *args, **named: broken
    errands.end()
    assert desk.context.delivery.waiting == 1, "a kill now would tell it again"
    desk.context.store.call = works
    actor.mark_again()
    assert desk.context.delivery.waiting == 0
    assert desk.reader.meta(notifications.CURSOR) == b"1"
