"""Notices: by which way each receiver is told, and what is not yet."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from handler_stage import Desk
from notice_stage import Errands, event, job, later, notice_desk, notifier, receiver

from actors import Future
from marianne.daemon.config import DaemonConfig
from marianne.daemon.services import notifications
from marianne.notify import way
from marianne.state.changes import AddEvent
from marianne.state.errors import StoreError


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with notice_desk(tmp_path) as desk:
        yield desk


@pytest.fixture
def errands(desk: Desk) -> Errands:
    errands = desk.context.executor = Errands(desk.system)
    return errands


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
