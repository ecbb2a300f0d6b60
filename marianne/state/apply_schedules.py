"""Carries out the changes of schedules inside an open transaction, by its ``execute``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from marianne.state import changes as c
from marianne.state.errors import NoSuchSchedule, Refused, ScheduleExists, SlotGone
from marianne.state.rows import SCHEDULE_COLUMNS, SCHEDULE_FIELDS, read_owed, schedule_value

Execute = Callable[..., sqlite3.Cursor]

_UPDATABLE = frozenset(SCHEDULE_FIELDS) - {"name", "created_at"}
_MARKS = ", ".join("?" * (len(SCHEDULE_FIELDS) + 1))


def insert(execute: Execute, change: c.InsertSchedule) -> None:
    """A new schedule."""
    row = change.row
    if execute("SELECT 1 FROM schedules WHERE name = ?", (row.name,)).fetchone():
        raise ScheduleExists(f"a schedule has the name {row.name!r} already")
    values = [schedule_value(name, getattr(row, name)) for name in SCHEDULE_FIELDS]
    execute(
        f"INSERT INTO schedules ({SCHEDULE_COLUMNS}, environment) VALUES ({_MARKS})",
        (*values, change.environment),
    )


def update(execute: Execute, change: c.UpdateSchedule) -> None:
    """New values for some fields."""
    unknown = set(change.fields) - _UPDATABLE
    if unknown:
        raise Refused(f"a schedule has no field {', '.join(sorted(unknown))} to change")
    _set(execute, change.name, dict(change.fields))


def take(execute: Execute, change: c.TakeSlots) -> None:
    """Slots are decided."""
    gone = set(change.drop)
    kept = [one for one in _owed(execute, change.name) if one[0] not in gone]
    fields: dict[str, Any] = {"owed": [*kept, *change.add]}
    if change.until is not None:
        fields["decided_until"] = change.until
    _set(execute, change.name, fields)


def fire(execute: Execute, change: c.FireSlot) -> None:
    """A slot has its job."""
    owed = _owed(execute, change.name)
    left = [one for one in owed if one[0] != change.slot]
    fields: dict[str, Any] = {
        "last_job": change.fired_job,
        "last_error": None,
        "last_error_at": None,
    }
    if change.slot is not None:
        if len(left) == len(owed):
            raise SlotGone(f"no job is to be made for this slot of the schedule {change.name!r}")
        fields |= {"owed": left, "last_slot": change.slot}
    _set(execute, change.name, fields)


def delete(execute: Execute, change: c.DeleteSchedule) -> None:
    """There is no such schedule any more."""
    if not execute("DELETE FROM schedules WHERE name = ?", (change.name,)).rowcount:
        raise _unknown(change.name)


def _owed(execute: Execute, name: str) -> list[tuple[float, bool]]:
    found = execute("SELECT owed FROM schedules WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise _unknown(name)
    return read_owed(found[0])


def _set(execute: Execute, name: str, fields: dict[str, Any]) -> None:
    terms = ", ".join(f"{field} = ?" for field in fields)
    values = [schedule_value(field, value) for field, value in fields.items()]
    if not execute(f"UPDATE schedules SET {terms} WHERE name = ?", (*values, name)).rowcount:
        raise _unknown(name)


def _unknown(name: str) -> NoSuchSchedule:
    return NoSuchSchedule(f"no schedule {name!r}")
