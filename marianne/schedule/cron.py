"""Which instants a cron expression means in a time zone: its slots.

Five fields as crontab(5) has them, or six with the seconds first, or a name such as ``@daily``. A
slot is an instant in seconds since the epoch, and no instant is a slot twice. Summer time is Debian
cron's way (the library cronsim): an expression of five fields whose minute and hour both begin with
no star names times of day: one that the clocks skip comes at the first minute after the gap, one
that they show twice comes the first time. All others go by the time that passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from cronsim import CronSim

LONGEST = 200
"""Characters of an expression."""

NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_FIELDS = ("second", "minute", "hour", "day-of-month", "month", "day-of-week")
_EXPECTED = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L (the last day) or LW (the last weekday)",
    "month": "1 to 12 or JAN to DEC",
    "day-of-week": "0 to 7 (0 and 7: Sunday), SUN to SAT, 5L (the last Friday) or 1#2 (the second "
    "Monday)",
}


class CronProblem(ValueError):  # noqa: N818 - says what it is
    """An expression or a zone that cannot be used; the text says what is expected instead."""


def check(expression: str, zone: str) -> None:
    """Raises CronProblem unless both can be used and the expression ever comes."""
    _zone(zone)
    if next_after(expression, zone, 0.0) is None:
        raise CronProblem(f"the cron expression {expression!r} comes on no day within 50 years")


def next_after(expression: str, zone: str, moment: float) -> float | None:
    """The first slot later than ``moment``; None when none comes within 50 years."""
    return next(_walk(expression, zone, moment), None)


def newest(
    expression: str, zone: str, after: float, until: float, most: int
) -> tuple[list[float], bool]:
    """The slots later than ``after`` and not later than ``until``, oldest first; of more than
    ``most`` the newest, and whether there are more."""
    begin = _back(expression, zone, until, most + 1)
    found = []
    for slot in _walk(expression, zone, after if begin is None else max(after, begin)):
        if slot > until:
            break
        found.append(slot)
    return found[-most:], len(found) > most


def _back(expression: str, zone: str, until: float, number: int) -> float | None:
    """An instant before the last ``number`` slots up to ``until``; None when there are fewer."""
    from datetime import datetime

    back = _simulation(expression, datetime.fromtimestamp(until + 1.0, _zone(zone)), reverse=True)
    at = None
    for _ in range(number + 1):
        at = next(back, None)
        if at is None:
            return None
    return None if at is None else at.timestamp()


def _walk(expression: str, zone: str, moment: float) -> Iterator[float]:
    """All slots later than ``moment``, each once."""
    from datetime import datetime

    last = moment
    for at in _simulation(expression, datetime.fromtimestamp(moment, _zone(zone))):
        slot = at.timestamp()
        # A time of day that the clocks skip falls together with others after the gap; one that
        # they show twice comes up again where the walk begins between the two.
        if slot > last:
            last = slot
            yield slot


def _simulation(expression: str, at: object, *, reverse: bool = False) -> CronSim:
    from cronsim import CronSim, CronSimError

    fields = _fields(expression)
    try:
        return CronSim(" ".join(fields), at, reverse)  # type: ignore[arg-type]
    except (CronSimError, ValueError, AssertionError) as error:
        raise CronProblem(_words(expression, fields, str(error))) from None


def _fields(expression: str) -> list[str]:
    if len(expression) > LONGEST:
        raise CronProblem(f"a cron expression has at most {LONGEST} characters")
    name = expression.strip().lower()
    if name.startswith("@") and name not in NAMED:
        raise CronProblem(f"{expression!r} is no name of a time: {', '.join(NAMED)}")
    fields = NAMED.get(name, expression).split()
    if len(fields) not in (5, 6):
        raise CronProblem(
            "a cron expression has five fields (minute hour day-of-month month day-of-week), or six"
            f" with the second first: {expression!r} has {len(fields)}"
        )
    return fields


def _words(expression: str, fields: list[str], said: str) -> str:
    """What is wrong, by the field that the library names (``Bad minute``)."""
    name = said.removeprefix("Bad ")
    if name not in _EXPECTED:
        return f"the cron expression {expression!r} cannot be read"
    value = fields[_FIELDS.index(name) - len(_FIELDS) + len(fields)]
    if name == "day-of-month" and value.replace(",", "").isdigit() and 1 <= _least(value) <= 31:
        return f"in {expression!r} no month of {fields[-2]!r} has the day {value!r}"
    return (
        f"in {expression!r} the {name} is {value!r}: expected is {_EXPECTED[name]}, a list (1,15), "
        "a range (1-5), a step (*/10) or *"
    )


def _least(value: str) -> int:
    return max(int(part[:9] or 0) for part in value.split(","))


def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a directory, a name that leads elsewhere
        raise CronProblem(
            f"there is no time zone {name!r}: expected is a name of the tz database, such as "
            "Europe/Paris or UTC (the system's package tzdata has them)"
        ) from None
