"""What there is of a job's actors: every pair of a state and what happens is decided."""

from __future__ import annotations

import pytest

from marianne.daemon.jobs.job_life import Happens, Life, after

MOVES = {
    Life.AT_REST: {"ADMIT": "ENTERING", "FOUND": "STARTING", "FOUND_UP": "UP"},
    Life.ENTERING: {"COMMITTED": "STARTING"},
    Life.STARTING: {"STARTED": "UP", "PUT_OFF": "DELAYED", "GIVE_UP": "ENDING"},
    Life.DELAYED: {"TRY": "STARTING", "GIVE_UP": "ENDING"},
    Life.UP: {"DOWN": "STARTING", "PUT_OFF": "DELAYED", "GIVE_UP": "ENDING", "LEAVE": "AT_REST"},
    Life.ENDING: {"LEAVE": "AT_REST"},
}


@pytest.mark.parametrize("life", Life)
@pytest.mark.parametrize("what", Happens)
def test_whatever_happens_moves_a_job_as_the_table_says_or_means_nothing(
    life: Life, what: Happens
) -> None:
    found = after(life, what)
    assert (found.name if found is not None else None) == MOVES[life].get(what.name)


def test_a_job_is_let_in_once() -> None:
    for life in Life:
        if life is not Life.AT_REST:
            assert after(life, Happens.ADMIT) is None
            assert after(life, Happens.FOUND) is None


def test_only_what_is_gone_gives_its_place_back() -> None:
    gives_back = {life for life in Life if after(life, Happens.LEAVE) is Life.AT_REST}
    assert gives_back == {Life.UP, Life.ENDING}
