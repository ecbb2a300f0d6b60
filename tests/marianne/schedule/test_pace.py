"""When a job's next sheet may start."""

from __future__ import annotations

from marianne.schedule.pace import Pace


def test_without_settings_everything_starts_at_once() -> None:
    pace = Pace(0, 0)
    assert [pace.start(n, 100.0, n) for n in range(5)] == [None] * 5


def test_sheets_that_come_at_once_are_promised_times_one_after_the_other() -> None:
    pace = Pace(2, 0)
    assert [pace.start(n, 100.0, 0) for n in (1, 2, 3)] == [None, 102, 104]
    assert pace.start(2, 102.0, 0) is None
    assert pace.start(4, 102.5, 0) == 106, "behind the one that was promised a time before"
    assert pace.start(3, 104.0, 0) is None
    assert pace.start(4, 106.0, 0) is None


def test_a_late_start_moves_the_next_one() -> None:
    pace = Pace(2, 0)
    pace.start(1, 100.0, 0)
    assert pace.start(2, 100.0, 0) == 102
    assert pace.start(3, 100.0, 0) == 104
    assert pace.start(2, 103.0, 0) is None
    assert pace.start(3, 104.0, 0) == 105


def test_the_pause_counts_from_the_last_end_and_only_while_nothing_runs() -> None:
    pace = Pace(0, 5)
    assert pace.start(1, 100.0, 0) is None
    pace.ended(110.0)
    assert [pace.start(n, 111.0, 0) for n in (2, 3)] == [115, 115]
    assert pace.start(2, 115.0, 0) is None
    assert pace.start(3, 115.0, 1) is None
    pace.ended(116.0)
    assert pace.start(4, 116.0, 1) is None, "another one runs"


def test_what_happened_before_a_restart_counts() -> None:
    assert Pace(5, 0, last_start=99.0).start(1, 100.0, 0) == 104
    assert Pace(0, 5, last_end=98.0).start(1, 100.0, 0) == 103


def test_only_a_sheet_that_was_promised_a_time_is_due() -> None:
    pace = Pace(1, 0)
    pace.start(1, 100.0, 0)
    pace.start(2, 100.0, 0)
    assert pace.promised(1) is None
    assert pace.promised(2) is not None
    pace.start(2, 101.0, 0)
    assert pace.promised(2) is None
