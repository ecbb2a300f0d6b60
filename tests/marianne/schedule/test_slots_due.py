"""What becomes of slots that have come due."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marianne.schedule.due import MOST, ON_TIME, Decision, Owed, decide

HOUR = 3_600.0
SLOTS = [HOUR, 2 * HOUR, 3 * HOUR]
LATE = 3 * HOUR + ON_TIME + 1


def added(decision: Decision) -> list[float]:
    return [one.slot for one in decision.add]


def test_a_slot_that_comes_in_time_is_owed() -> None:
    assert decide([HOUR], False, HOUR, ("skip", "none"), [], False) == Decision(HOUR, (Owed(HOUR),))


@pytest.mark.parametrize(
    ("catch_up", "late", "in_time"),
    [("none", [], SLOTS[2:]), ("one", SLOTS[2:], SLOTS[2:]), ("all", SLOTS, SLOTS)],
)
def test_of_three_slots_that_nobody_saw_none_one_or_all_are_made_up_for(
    catch_up: str, late: list[float], in_time: list[float]
) -> None:
    for now, expected in ((LATE, late), (3 * HOUR + 1, in_time)):
        decision = decide(SLOTS, False, now, ("skip", catch_up), [], False)  # type: ignore[arg-type]
        assert added(decision) == expected
        assert decision.missed == tuple(SLOTS[: 3 - len(expected)])
        assert decision.until == 3 * HOUR


def test_while_the_last_job_runs_a_slot_is_skipped_queued_or_replaces_it() -> None:
    def overlap(how: str) -> Decision:
        return decide([HOUR], False, HOUR, (how, "none"), [], True)  # type: ignore[arg-type]

    assert overlap("skip") == Decision(HOUR, skipped=(HOUR,))
    assert "not over" in overlap("skip").why
    assert overlap("queue") == Decision(HOUR, (Owed(HOUR, False),))
    assert overlap("replace") == Decision(HOUR, (Owed(HOUR, True),))


def test_a_slot_replaces_those_that_still_wait_for_their_job() -> None:
    decision = decide([2 * HOUR], False, 2 * HOUR, ("replace", "none"), [Owed(HOUR)], False)
    assert decision == Decision(2 * HOUR, (Owed(2 * HOUR, True),), (HOUR,), (HOUR,))


def test_slots_that_are_all_made_up_for_neither_skip_nor_replace_each_other() -> None:
    for how in ("skip", "queue", "replace"):
        decision = decide(SLOTS, False, LATE, (how, "all"), [], True)  # type: ignore[arg-type]
        assert decision == Decision(3 * HOUR, tuple(Owed(slot) for slot in SLOTS))


def test_no_more_are_owed_than_fit() -> None:
    waiting = [Owed(float(n)) for n in range(MOST)]
    decision = decide([HOUR], False, HOUR, ("queue", "none"), waiting, True)
    assert decision == Decision(HOUR, skipped=(HOUR,))
    assert "wait already" in decision.why
    decision = decide(SLOTS, True, LATE, ("queue", "all"), waiting[:-2], True)
    assert (added(decision), decision.missed, decision.more) == (SLOTS[1:], (HOUR,), True)


@pytest.mark.slow
@settings(deadline=None)
@given(
    st.lists(st.integers(1, 10**6), min_size=1, max_size=MOST, unique=True).map(sorted),
    st.booleans(),
    st.integers(0, 200),
    st.sampled_from(["skip", "queue", "replace"]),
    st.sampled_from(["none", "one", "all"]),
    st.integers(0, MOST),
    st.booleans(),
)
def test_each_slot_is_decided_once(  # type: ignore[no-untyped-def]
    due, more, late, overlap, catch_up, waiting, busy
) -> None:
    due = [float(slot) for slot in due]
    owed = [Owed(-float(n)) for n in range(waiting, 0, -1)]
    decision = decide(due, more, due[-1] + late, (overlap, catch_up), owed, busy)
    before = {one.slot for one in owed}
    decided = [*added(decision), *decision.missed, *(set(decision.skipped) - before)]
    assert sorted(decided) == due
    assert set(decision.drop) <= before
    assert len(owed) - len(decision.drop) + len(decision.add) <= MOST
    assert (decision.until, decision.more) == (due[-1], more)
