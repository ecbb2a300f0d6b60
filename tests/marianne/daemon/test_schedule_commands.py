"""What people do to schedules: each change once, on disk before it is answered."""

from __future__ import annotations

import pytest
from manager_parts import Stage, code, told
from schedule_stage import HOUR, NOON, Schedules, a_row

from marianne.daemon.shared.refusal import Refused
from marianne.state.errors import StoreFull


@pytest.fixture
def stage(schedules: Schedules) -> Stage:
    return schedules.stage


def test_a_resent_request_adds_one_schedule(schedules: Schedules) -> None:
    first = schedules.ask(schedules.commands.add, a_row(), b"\x80", request_id="r")
    again = schedules.ask(schedules.commands.add, a_row(), b"\x80", request_id="r")
    assert told(first) == told(again)
    assert told(first)["next_slot"].endswith("T13:00:00.000000Z")
    assert code(schedules.ask(schedules.commands.add, a_row(), b"\x80")) == "conflict"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "a b"}, "cannot be the name of a schedule"),
        ({"cron": "61 * * * *"}, "the minute is '61': expected is 0 to 59"),
        ({"zone": "Europe/Pariz"}, "no time zone 'Europe/Pariz'"),
    ],
)
def test_what_cannot_be_a_schedule_is_refused(
    schedules: Schedules, fields: dict[str, str], words: str
) -> None:
    row = a_row()
    for name, value in fields.items():
        setattr(row, name, value)
    with pytest.raises(Refused, match=words) as refused:
        told(schedules.ask(schedules.commands.add, row, b"\x80"))
    assert refused.value.code == "invalid_params"


def test_an_unknown_schedule_is_not_found(schedules: Schedules) -> None:
    commands = schedules.commands
    for act in (commands.remove, commands.pause, commands.resume, commands.run_now):
        assert code(schedules.ask(act, "nightly")) == "not_found"


def test_while_it_is_paused_its_slots_pass_and_those_that_wait(schedules: Schedules) -> None:
    schedules.insert(overlap="queue", catch_up="all")
    schedules.look(NOON + HOUR)
    schedules.makes("a")
    schedules.look(NOON + 2 * HOUR)
    assert schedules.owed == [2]
    assert told(schedules.ask(schedules.commands.pause, "nightly"))["paused"]
    assert code(schedules.ask(schedules.commands.pause, "nightly")) == "conflict"
    assert schedules.shown["next_slot"] is None
    schedules.ends("a")
    schedules.stage.answer("wait_job", {})
    schedules.look(NOON + 4.5 * HOUR)
    reply = told(schedules.ask(schedules.commands.resume, "nightly"))
    assert reply["next_slot"].endswith("T17:00:00.000000Z")
    assert code(schedules.ask(schedules.commands.resume, "nightly")) == "conflict"
    schedules.look()
    assert (schedules.owed, schedules.wanted()) == ([], [1])
    schedules.look(NOON + 5 * HOUR)
    assert schedules.wanted() == [1, 5]


def test_a_pause_takes_back_the_slot_whose_job_is_just_being_made(
    schedules: Schedules, stage: Stage
) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    told(schedules.ask(schedules.commands.pause, "nightly"))
    schedules.makes("a")
    assert stage.desk.reader.job("a") is None
    assert schedules.shown["last_error"] is None


def test_what_is_removed_makes_no_job_any_more(schedules: Schedules, stage: Stage) -> None:
    schedules.insert()
    schedules.look(NOON + HOUR)
    told(schedules.ask(schedules.commands.remove, "nightly"))
    schedules.refuses(Refused("pressure", "short of memory"))
    stage.turns.ring()
    schedules.look(NOON + 2 * HOUR)
    assert (schedules.wanted(), len(schedules.desk.book)) == ([1], 0)


def test_run_now_makes_its_job_and_leaves_the_slots_alone(schedules: Schedules) -> None:
    schedules.insert()
    asked = schedules.ask(schedules.commands.run_now, "nightly", request_id="r")
    schedules.makes("a")
    assert told(asked)["job_id"] == "a"
    assert schedules.shown["last_job"] == {"job_id": "a", "status": "running"}
    assert schedules.shown["last_slot"] is None
    refused = schedules.ask(schedules.commands.run_now, "nightly")
    with pytest.raises(Refused, match="is not over: a"):
        told(refused)
    schedules.ends("a")
    schedules.look(NOON + HOUR)
    assert schedules.wanted() == [None, 1]


def test_two_who_want_its_job_now_get_one(schedules: Schedules) -> None:
    schedules.insert()
    first = schedules.ask(schedules.commands.run_now, "nightly", request_id="r")
    second = schedules.ask(schedules.commands.run_now, "nightly", request_id="s")
    assert (code(second), schedules.wanted()) == ("conflict", [None])
    schedules.refuses(Refused("pressure", "short of memory"))
    assert code(first) == "pressure"
    schedules.ask(schedules.commands.run_now, "nightly")
    assert schedules.wanted() == [None, None]


@pytest.mark.parametrize(
    ("overlap", "asked"),
    [
        ("skip", ["submit_job"]),
        ("queue", ["submit_job", "wait_job", "submit_job"]),
        ("replace", ["submit_job", "cancel_job", "submit_job"]),
    ],
)
def test_a_slot_that_comes_while_its_job_is_made_for_a_person_goes_by_the_overlap(
    schedules: Schedules, stage: Stage, overlap: str, asked: list[str]
) -> None:
    schedules.insert(overlap=overlap)
    schedules.ask(schedules.commands.run_now, "nightly")
    schedules.look(NOON + HOUR)
    assert [one[1] for one in stage.others.asked] == ["submit_job"]
    schedules.makes("a")
    schedules.ends("a")
    for step in asked[1:2]:
        stage.answer(step, {})
    assert [one[1] for one in stage.others.asked] == asked


def test_no_more_schedules_are_kept_than_can_be_looked_at(
    schedules: Schedules, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marianne.daemon.schedules.commands.MOST", 1)
    schedules.insert()
    assert code(schedules.ask(schedules.commands.add, a_row("other"), b"\x80")) == "conflict"


def test_a_request_finds_the_disk_full(schedules: Schedules, stage: Stage) -> None:
    schedules.insert()
    stage.disk.error = StoreFull("the disk is full")
    with pytest.raises(StoreFull):
        told(schedules.ask(schedules.commands.pause, "nightly"))
    assert not schedules.row.paused
