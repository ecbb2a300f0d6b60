"""Schedules: each slot is decided once and has one job or none, whatever ends in between."""

from __future__ import annotations

import pytest
from manager_parts import Stage
from schedule_stage import HOUR, NOON, Schedules

from actors import ActorDied, ExitReason
from marianne.daemon.schedules.taking import LOOK_AGAIN
from marianne.daemon.shared.refusal import Refused
from marianne.state.errors import StoreFull
from marianne.state.models import JobStatus


@pytest.fixture
def stage(schedules: Schedules) -> Stage:
    return schedules.stage


def events(stage: Stage) -> list[str]:
    return [event for _job, event in stage.disk.events]


# -- a slot comes -------------------------------------------------------------------------------


def test_a_slot_gets_a_job_when_it_has_come_and_not_before(schedules: Schedules) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR - 1)
    assert schedules.wanted() == []
    schedules.look(NOON + HOUR)
    assert (schedules.owed, schedules.wanted()) == ([1], [1])
    schedules.makes("a")
    schedules.look(NOON + HOUR + 30)
    assert (schedules.owed, schedules.wanted(), schedules.row.last_job) == ([], [1], "a")
    assert schedules.shown["last_job"] == {"job_id": "a", "status": "running"}
    assert schedules.shown["next_slot"].endswith("T14:00:00.000000Z")


def test_what_the_job_gets_is_what_was_given_at_the_add(schedules: Schedules, stage: Stage) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    (asked,) = [one for one in stage.others.asked if one[1] == "submit_job"]
    request = asked[2]
    assert (str(request.config_path), request.environment) == ("/w/s.yaml", {"TOKEN": "x"})


def test_a_decision_is_on_disk_before_a_job_is_asked_for(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert()
    stage.disk.held = True
    schedules.look(NOON + HOUR)
    assert (schedules.owed, schedules.wanted()) == ([], [])
    schedules.look(NOON + HOUR + 1)  # decided once, though it is not on disk yet
    stage.commit()
    assert (schedules.owed, schedules.wanted()) == ([1], [1])


# -- it is ended at any step --------------------------------------------------------------------


def test_a_death_before_the_decision_is_on_disk_loses_no_slot(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert()
    stage.disk.held, stage.disk.error = True, StoreFull("full")
    schedules.look(NOON + HOUR)
    stage.disk._waiting.clear()  # as the store forgets what a dead actor had not got to disk
    stage.disk.held, stage.disk.error = False, None
    schedules.begin()
    schedules.look(NOON + HOUR + 2)
    assert (schedules.owed, schedules.wanted()) == ([1], [1])


def test_a_death_before_the_job_is_asked_for_makes_it_once(schedules: Schedules) -> None:
    schedules.insert()
    schedules.desk.context.stop.mode = "stop"  # decided, and nothing more
    schedules.look(NOON + HOUR)
    assert (schedules.owed, schedules.wanted()) == ([1], [])
    schedules.desk.context.stop.mode = None
    schedules.begin()
    schedules.look(NOON + 3 * HOUR - 1)  # however late
    assert schedules.wanted()[0] == 1


def test_a_death_while_the_job_is_being_made_makes_no_second(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    schedules.begin()
    schedules.look(NOON + HOUR + 2)
    assert schedules.wanted() == [1, 1]  # both are under way
    schedules.makes("a")
    schedules.makes("b")
    assert (schedules.row.last_job, stage.desk.reader.job("b")) == ("a", None)
    assert (schedules.owed, schedules.shown["last_error"]) == ([], None)


def test_a_death_after_the_job_is_on_disk_makes_no_second(schedules: Schedules) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    schedules.makes("a")
    schedules.begin()
    schedules.look(NOON + HOUR + 2)
    assert schedules.wanted() == [1]


# -- nobody was there ---------------------------------------------------------------------------


@pytest.mark.parametrize(("catch_up", "hours"), [("none", []), ("one", [3]), ("all", [1, 2, 3])])
def test_slots_that_nobody_saw_are_made_up_for_as_the_schedule_says(
    schedules: Schedules, stage: Stage, catch_up: str, hours: list[int]
) -> None:
    schedules.insert(catch_up=catch_up)
    schedules.look(NOON + 3.5 * HOUR)
    for number, _hour in enumerate(hours):
        schedules.makes(f"j{number}", JobStatus.COMPLETED)
    assert (schedules.wanted(), schedules.owed) == (hours, [])
    assert ("schedule.missed" in events(stage)) is (len(hours) < 3)


def test_what_is_beyond_the_hundred_newest_is_told(schedules: Schedules, stage: Stage) -> None:
    schedules.insert(catch_up="all")
    schedules.look(NOON + 101.5 * HOUR)
    assert (schedules.owed[0], len(schedules.owed)) == (2, 100)
    ((missed,),) = [
        [change.data for change in batch if getattr(change, "event", "") == "schedule.missed"]
        for batch in stage.disk.batches
    ]
    assert missed == {"schedule": "nightly", "slots": 0, "more": True, "first": None, "last": None}


def test_made_up_for_are_they_one_after_another(schedules: Schedules, stage: Stage) -> None:
    schedules.insert(catch_up="all", overlap="replace")
    schedules.look(NOON + 2.5 * HOUR)
    schedules.makes("a")
    assert (schedules.wanted(), schedules.owed) == ([1], [2])
    assert schedules.shown["waits_for"] == "its job a is not over"
    assert len(schedules.shown["waiting"]) == 1
    schedules.ends("a")
    stage.answer("wait_job", {})
    assert schedules.wanted() == [1, 2]


def test_a_clock_that_is_set_back_fires_nothing_again(schedules: Schedules) -> None:
    schedules.insert(catch_up="all")
    schedules.look(NOON + 2 * HOUR)
    schedules.makes("a", JobStatus.COMPLETED)
    schedules.makes("b", JobStatus.COMPLETED)
    schedules.begin()
    for hours in (0.5, 1.0, 1.5, 2.0):
        schedules.look(NOON + hours * HOUR)
    assert schedules.wanted() == [1, 2]
    schedules.look(NOON + 3 * HOUR)
    assert schedules.wanted() == [1, 2, 3]


# -- the last job is not over -------------------------------------------------------------------


@pytest.fixture
def busy(schedules: Schedules, request: pytest.FixtureRequest) -> Schedules:
    """At one o'clock it made a job, which runs on at two."""
    schedules.insert(overlap=request.param)
    schedules.look(NOON + HOUR)
    schedules.makes("a")
    schedules.look(NOON + 2 * HOUR)
    return schedules


@pytest.mark.parametrize("busy", ["skip"], indirect=True)
def test_the_slot_is_skipped(busy: Schedules, stage: Stage) -> None:
    assert (busy.wanted(), busy.owed) == ([1], [])
    assert "schedule.skipped" in events(stage)
    busy.ends("a")
    busy.look(NOON + 3 * HOUR)
    assert busy.wanted() == [1, 3]


@pytest.mark.parametrize("busy", ["queue"], indirect=True)
def test_the_slot_waits_for_it_however_long(busy: Schedules, stage: Stage) -> None:
    busy.look(NOON + 4 * HOUR)
    assert busy.owed == [2, 4]
    busy.begin()  # a restart waits on
    busy.look()
    busy.ends("a")
    stage.answer("wait_job", {})
    stage.answer("wait_job", {})
    assert busy.wanted() == [1, 2]
    busy.makes("b", JobStatus.COMPLETED)
    assert busy.wanted() == [1, 2, 4]


@pytest.mark.parametrize("busy", ["replace"], indirect=True)
def test_the_slot_replaces_it_when_it_is_gone(busy: Schedules, stage: Stage) -> None:
    assert [one[2] for one in stage.others.asked if one[1] == "cancel_job"] == ["a"]
    assert (busy.wanted(), busy.owed) == ([1], [2])
    busy.ends("a")
    stage.answer("cancel_job", {})
    assert busy.wanted() == [1, 2]


def test_a_slot_in_time_replaces_what_is_still_made_up_for(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert(overlap="replace", catch_up="all")
    schedules.look(NOON + 3.5 * HOUR)
    schedules.makes("a")
    schedules.look(NOON + 4 * HOUR)
    assert schedules.owed == [4]
    assert [one[2] for one in stage.others.asked if one[1] == "cancel_job"] == ["a"]
    schedules.ends("a")
    stage.answer("cancel_job", {})
    stage.answer("wait_job", {})  # that of the slots before it says nothing any more
    assert schedules.wanted() == [1, 4]


@pytest.mark.parametrize("busy", ["queue"], indirect=True)
def test_who_cannot_say_whether_it_is_over_is_asked_again(busy: Schedules, stage: Stage) -> None:
    stage.answer("wait_job", ActorDied("manager", ExitReason("killed")))
    assert len(stage.turns.ring()) == 1
    busy.ends("a")
    stage.answer("wait_job", {})
    assert busy.wanted() == [1, 2]


@pytest.mark.parametrize("busy", ["queue"], indirect=True)
def test_a_job_that_somebody_lets_go_on_is_waited_for_again_and_not_at_once(
    busy: Schedules, stage: Stage
) -> None:
    stage.answer("wait_job", {})  # it was over, and runs again
    assert [one[1] for one in stage.others.asked].count("wait_job") == 1
    stage.turns.ring()
    assert [one[1] for one in stage.others.asked].count("wait_job") == 2
    assert busy.shown["waits_for"] == "its job a is not over"


# -- something fails ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        Refused("pressure", "short of memory"),
        Refused("unavailable", "restarting"),
        Refused("shutting_down", "ends"),
        StoreFull("the disk is full"),
        OSError(24, "too many open files"),
    ],
)
def test_our_own_trouble_keeps_the_slot_and_tries_again(
    schedules: Schedules, stage: Stage, error: Exception
) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    pauses = []
    for _ in range(3):
        schedules.refuses(error)
        assert (schedules.owed, schedules.row.last_error) == ([1], None)
        assert str(getattr(error, "message", error)) in schedules.shown["waits_for"]
        schedules.look()  # not sooner
        pauses += stage.turns.ring()
    assert schedules.wanted() == [1] * 4
    assert pauses[-1] > pauses[0]
    schedules.makes("a")
    assert (schedules.owed, schedules.shown["waits_for"]) == ([], None)


def test_a_score_that_cannot_be_used_is_told_and_the_schedule_lives_on(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    schedules.refuses(Refused("invalid_score", "/w/s.yaml: no such file"))
    assert (schedules.owed, schedules.shown["last_error"]) == ([], "/w/s.yaml: no such file")
    assert "schedule.failed" in events(stage)
    schedules.look(NOON + 2 * HOUR)
    schedules.makes("a")
    assert (schedules.wanted(), schedules.shown["last_error"]) == ([1, 2], None)


def test_a_disk_that_is_full_loses_no_slot_that_has_come(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert()
    stage.disk.error = StoreFull("the disk is full")
    schedules.look(NOON + HOUR)
    schedules.look(NOON + 1.9 * HOUR)
    stage.disk.error = None
    stage.commit()
    assert (schedules.owed, schedules.wanted()) == ([1], [1])


def test_what_nobody_foresaw_keeps_the_slot_and_ends_no_actor(
    schedules: Schedules, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.insert()
    with monkeypatch.context() as patch:
        patch.setattr("marianne.schedule.due.decide", lambda *args: 1 / 0)
        schedules.look(NOON + HOUR)
        assert schedules.desk.book.next_slot() is None, "it would be looked at again at once"
    assert stage.turns.ring() == [LOOK_AGAIN]
    schedules.look()
    assert schedules.wanted() == [1]


def test_a_zone_that_is_no_more_is_shown_and_hurts_no_other(
    schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedules.insert()
    schedules.insert(name="other")
    monkeypatch.setattr("marianne.daemon.schedules.book.log", _Silent())
    schedules.row.zone = "Gone/Away"
    row = schedules.desk.book.find("nightly").row
    from marianne.state.changes import UpdateSchedule

    schedules.stage.write(UpdateSchedule(row.name, {"zone": "Gone/Away"}))
    schedules.begin()
    assert "no time zone 'Gone/Away'" in schedules.shown["waits_for"]
    schedules.look(NOON + HOUR)
    assert schedules.wanted() == [1]


class _Silent:
    def error(self, *_args: object, **_named: object) -> None: ...
