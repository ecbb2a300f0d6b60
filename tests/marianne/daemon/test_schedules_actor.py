"""The schedules' actor at its clock, between a store that writes and a manager that is asked."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admission_stage import until
from handler_stage import Desk, desk_in
from schedule_stage import a_row

from actors import Handle, Promise
from marianne.daemon.context import StopRequest
from marianne.daemon.schedules import actor as module
from marianne.daemon.schedules.actor import SchedulesActor
from marianne.daemon.schedules.desk import Desk as Parts
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.once import Once
from marianne.daemon.shared.refusal import Refused
from marianne.schedule import cron
from marianne.state.changes import FireSlot, InsertSchedule


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        desk.context.stop = StopRequest()
        one_writer = threading.Lock()

        def answer(first: Any, *rest: Any) -> Any:
            if isinstance(first, list):  # for the store
                with one_writer:
                    desk.write(*first)
            elif rest:  # for the manager
                desk.write(FireSlot(rest[-1].schedule, rest[-1].slot, f"job-{rest[-1].slot}"))
                return {"job_id": "job", "message": "", "status": "accepted", "warnings": []}
            return None

        desk.post.answer = answer
        yield desk


def begin(desk: Desk) -> Handle[SchedulesActor]:
    desk.system.spawn(SchedulesActor, desk.context, name="schedules")
    return desk.system.handle(SchedulesActor, "schedules")


def fired(desk: Desk) -> list[float]:
    return [asked[-1].slot for asked in desk.post.asked if asked[1] == "submit_job"]


def scheduled(desk: Desk, cron: str, **fields: Any) -> None:
    row = a_row(**fields)
    row.cron, row.created_at, row.decided_until = cron, time.time(), time.time()
    desk.write(InsertSchedule(row, b"\x80"))


@pytest.mark.slow
def test_each_slot_fires_once_when_the_clock_says_so(desk: Desk) -> None:
    scheduled(desk, "* * * * * *", catch_up="all")
    before = time.time()
    handle = begin(desk)
    until(lambda: len(fired(desk)) >= 2)
    (shown,) = handle.ask(SchedulesActor.schedules)["schedules"]
    found = fired(desk)
    assert found == sorted(set(found))
    assert before - 1 < found[0] <= time.time()
    assert shown["last_error"] is None


def test_a_schedule_whose_zone_can_be_read_again_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's zones were just being replaced, say."""

    def gone(name: str) -> Any:
        raise cron.CronProblem(f"there is no time zone {name!r}")

    scheduled(desk, "* * * * * *", catch_up="all")
    monkeypatch.setattr(module, "LONGEST_SLEEP", 0.05)
    with monkeypatch.context() as lost:
        lost.setattr(cron, "_zone", gone)
        handle = begin(desk)
        (shown,) = handle.ask(SchedulesActor.schedules)["schedules"]
        assert shown["waits_for"] == "there is no time zone 'UTC'"
    until(lambda: fired(desk), 10.0)


def test_without_a_schedule_no_timer_is_set(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(SchedulesActor, "look", lambda *args: looks.append(args))
    handle = begin(desk)
    assert handle.ask(SchedulesActor.schedules) == {"schedules": []}
    assert (len(desk.system.timers), looks) == (0, [])


def test_the_clock_is_looked_at_again_though_the_next_slot_is_far(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_SLEEP", 0.01)
    looks: list[float] = []
    book = Parts.stopping.fget

    def stopping(self: Parts) -> bool:
        looks.append(time.time())
        assert book is not None
        return bool(book(self))

    monkeypatch.setattr(Parts, "stopping", property(stopping))
    scheduled(desk, "0 0 1 1 *")
    begin(desk)
    until(lambda: len(looks) > 3)
    assert fired(desk) == []


def test_what_is_added_comes_with_its_first_slot_and_what_is_removed_no_more(desk: Desk) -> None:
    handle = begin(desk)
    row = a_row()
    row.cron = "* * * * * *"
    reply = handle.ask(SchedulesActor.add, row, b"\x80", "r")
    assert reply["name"] == "nightly"
    until(lambda: fired(desk))
    handle.ask(SchedulesActor.pause, "nightly")
    handle.ask(SchedulesActor.resume, "nightly")
    handle.ask(SchedulesActor.remove, "nightly")
    with pytest.raises(Refused, match="no schedule 'nightly'"):
        handle.ask(SchedulesActor.run_now, "nightly")


def test_what_an_act_raises_refuses_its_request_alone(desk: Desk) -> None:
    from manager_standins import Owed

    def act(answer: Answer[Any]) -> None:
        raise Refused("conflict", "no")

    promise: Promise[Any] = Owed(desk.system)
    Once(desk.reader, desk.context.storage, lambda: promise)("r", act)
    with pytest.raises(Refused, match="no"):
        promise.future.get(1.0)  # type: ignore[attr-defined]


def test_a_conductor_without_schedules_loads_nothing_for_them() -> None:
    code = (
        "import sys, marianne.daemon.boot.conductor, marianne.daemon.api.server;"
        "print('cronsim' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
