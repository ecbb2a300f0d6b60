"""Schedules on disk: a slot has one job or none, whatever is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from statekit import job

from marianne.state.changes import (
    Change,
    DeleteSchedule,
    FireSlot,
    InsertSchedule,
    TakeSlots,
    UpdateSchedule,
)
from marianne.state.database import Database
from marianne.state.errors import NoSuchSchedule, Refused, ScheduleExists, SlotGone
from marianne.state.models import ScheduleRow
from marianne.state.reader import Reader


def row(name: str = "nightly") -> ScheduleRow:
    return ScheduleRow(name, "0 3 * * *", "UTC", "skip", "none", 1.0, 1.0, request={"a": [1]})


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with Database(path) as database:
        database.write([InsertSchedule(row(), b"secret")])
        yield database


@pytest.fixture
def reader(database: Database) -> Iterator[Reader]:
    with Reader(database.path) as reader:
        yield reader


def kept(reader: Reader) -> ScheduleRow:
    found = reader.scheduled.one("nightly")
    assert found is not None
    return found


def test_a_schedule_is_read_as_it_was_written(reader: Reader) -> None:
    assert reader.scheduled.all() == [row()]
    assert reader.scheduled.one("other") is None
    assert reader.scheduled.environment("nightly") == b"secret"
    assert "secret" not in repr(InsertSchedule(row(), b"secret"))


def test_a_slot_that_is_owed_gets_its_job_in_one_transaction(
    database: Database, reader: Reader
) -> None:
    database.write([TakeSlots("nightly", 20.0, ((10.0, False), (20.0, True)))])
    assert (kept(reader).decided_until, kept(reader).owed) == (20.0, [(10.0, False), (20.0, True)])
    database.write([UpdateSchedule("nightly", {"last_error": "no score"})])
    database.write([job("a"), FireSlot("nightly", 10.0, "a")])
    after = kept(reader)
    assert (after.owed, after.last_slot, after.last_job) == ([(20.0, True)], 10.0, "a")
    assert after.last_error is None


@pytest.mark.parametrize("slot", [10.0, 99.0])
def test_a_slot_that_is_not_owed_gets_no_job(
    database: Database, reader: Reader, slot: float
) -> None:
    database.write([TakeSlots("nightly", 10.0, ((10.0, False),))])
    database.write([job("a"), FireSlot("nightly", 10.0, "a")])
    with pytest.raises(SlotGone):
        database.write([job("b"), FireSlot("nightly", slot, "b")])
    assert reader.job("b") is None
    assert kept(reader).last_job == "a"


def test_a_run_that_a_person_asked_for_is_its_last_job_and_no_slot(
    database: Database, reader: Reader
) -> None:
    database.write([TakeSlots("nightly", 10.0, ((10.0, False),))])
    database.write([job("a"), FireSlot("nightly", None, "a")])
    after = kept(reader)
    assert (after.owed, after.last_slot, after.last_job) == ([(10.0, False)], None, "a")


def test_what_is_dropped_is_not_owed(database: Database, reader: Reader) -> None:
    database.write([TakeSlots("nightly", 20.0, ((10.0, False), (20.0, False)))])
    database.write([TakeSlots("nightly", drop=(10.0,))])
    assert (kept(reader).decided_until, kept(reader).owed) == (20.0, [(20.0, False)])


@pytest.mark.parametrize(
    "change",
    [
        TakeSlots("gone", 1.0),
        UpdateSchedule("gone", {"paused": True}),
        FireSlot("gone", None, "a"),
        DeleteSchedule("gone"),
    ],
)
def test_what_is_gone_cannot_be_changed(database: Database, change: Change) -> None:
    with pytest.raises(NoSuchSchedule):
        database.write([change])


def test_a_name_is_given_once_at_a_time(database: Database, reader: Reader) -> None:
    with pytest.raises(ScheduleExists):
        database.write([InsertSchedule(row(), b"")])
    database.write([DeleteSchedule("nightly")])
    assert reader.scheduled.all() == []
    database.write([InsertSchedule(row(), b"")])


def test_only_what_a_schedule_has_can_be_changed(database: Database) -> None:
    for name in ("name", "created_at", "color"):
        with pytest.raises(Refused, match=f"no field {name}"):
            database.write([UpdateSchedule("nightly", {name: 1})])
