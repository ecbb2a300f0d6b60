"""A sheet holds its slot while it runs, and no longer."""

from __future__ import annotations

import pytest
from job_play import Play, plan_of


@pytest.mark.parametrize("outcome", ["failed", "interrupted", "completed"])
def test_a_sheet_that_ended_or_waits_for_its_retry_holds_no_slot(outcome: str) -> None:
    play = Play(plan_of({1: (), 2: ()}, retries=1))
    play.grant()
    (num,) = play.slots
    play.end(num, outcome, None if outcome == "completed" else "exit")
    assert num not in play.slots


def test_what_runs_of_a_job_that_pauses_keeps_its_slot_over_a_restart() -> None:
    """The next conductor's scheduler has not heard of it, and would let others run in its place."""
    play = Play(plan_of({1: (), 2: (), 3: (1,)}))
    play.grant(1)
    play.take(play.machine.pause("now", play.now))
    play.slots.clear()
    play.restart(worker=True)
    assert (play.slots, play.queue) == ({1}, set())
    play.end(1)
    assert play.slots == set()
