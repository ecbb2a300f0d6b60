"""What a job takes back is answered when every node has given back its; what nodes keep and nobody
wants is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from handler_stage import Desk, desk_in

from marianne.daemon.cluster.leftovers import unwanted
from marianne.daemon.cluster.withdrawal import Withdrawal
from marianne.state.models import JobStatus


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_in(tmp_path) as desk:
        yield desk


def test_it_is_over_with_the_last_node_and_all_that_came_back() -> None:
    withdrawal = Withdrawal()
    withdrawal.begin(["n1", "n2"], [(9, 1)])
    assert withdrawal.heard("n1", [(1, 2)]) is None
    assert withdrawal.heard("n1") is None, "said twice"
    assert withdrawal.heard("n2", [(3, 1)]) == [[9, 1], [1, 2], [3, 1]]
    assert withdrawal.heard("n2") is None, "it is answered once"


def test_where_no_node_is_asked_it_is_over_at_the_first_look() -> None:
    withdrawal = Withdrawal()
    withdrawal.begin([], [(9, 1)])
    assert withdrawal.heard("") == [[9, 1]]


def test_what_is_forgotten_or_was_never_begun_is_not_answered() -> None:
    withdrawal = Withdrawal()
    assert withdrawal.heard("n1", [(1, 1)]) is None
    withdrawal.begin(["n1"], [])
    withdrawal.forget()
    assert withdrawal.heard("n1", [(1, 1)]) is None


def test_files_of_jobs_that_are_over_paused_or_forgotten_are_wanted_no_more(desk: Desk) -> None:
    desk.insert("over", status=JobStatus.COMPLETED)
    desk.insert("paused", status=JobStatus.PAUSED)
    desk.insert("runs", status=JobStatus.RUNNING)
    kept = ["over", "paused", "runs", "forgotten", "alive"]
    assert unwanted(desk.home, kept, {"alive"}) == ["over", "paused", "forgotten"]
    assert unwanted(desk.home, ["alive"], {"alive"}) == []


def test_of_a_database_that_cannot_be_read_nothing_is_unwanted(desk: Desk) -> None:
    desk.home.db.write_bytes(b"garbage" * 1000)
    assert unwanted(desk.home, ["over"], ()) == []
