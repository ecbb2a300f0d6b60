"""What the runners of one job on several executors say becomes what one would say."""

from __future__ import annotations

from typing import Any

import pytest

from marianne.daemon.job.several import Several
from marianne.executors.protocol import Run


@pytest.fixture
def several() -> Several:
    return Several(["local", "cluster"])


def hello(**said: Any) -> dict[str, Any]:
    return {"running": [], "queued": [], "ended": [], "unacked": [], **said}


def result(num: int, serial: int) -> dict[str, Any]:
    return {"num": num, "attempt": 1, "serial": serial}


def up(several: Several, name: str, asker: int = 1, **said: Any) -> Any:
    return several.heard(name, "worker_up", (hello(**said), asker), 1)


def test_no_two_results_have_one_number_and_each_is_acknowledged_by_its_own(
    several: Several,
) -> None:
    here = several.above("local", [result(1, 7)])
    there = several.above("cluster", [result(2, 7)])
    serials = [one["serial"] for one in (*here, *there)]
    assert len(set(serials)) == 2
    assert several.below(serials) == {"local": [7], "cluster": [7]}


def test_what_runs_is_known_when_all_have_said_it(several: Several) -> None:
    several.ask()
    assert up(several, "cluster", running=[[2, 1]]) == ("results", ([],))
    said, (whole, asker) = up(several, "local", running=[[1, 1]], unacked=[result(3, 1)])
    assert (said, asker) == ("worker_up", 1)
    assert whole["running"] == [[1, 1], [2, 1]]
    assert [one["num"] for one in whole["unacked"]] == [3]


def test_what_one_has_finished_need_not_wait_for_the_others(several: Several) -> None:
    several.ask()
    said, (results,) = up(several, "local", unacked=[result(3, 1)])
    assert (said, [one["num"] for one in results]) == ("results", [3])


def test_an_answer_to_an_earlier_incarnation_is_no_answer(several: Several) -> None:
    several.ask()
    up(several, "local")
    assert up(several, "cluster", asker=0)[0] == "results"
    assert up(several, "cluster")[0] == "worker_up"
    assert up(several, "cluster")[0] == "results", "it was asked once"


def test_what_happens_while_another_has_not_answered_is_in_the_whole(several: Several) -> None:
    """Else a sheet that has begun meanwhile would be taken for lost, and run twice."""
    several.ask()
    up(several, "local", running=[[1, 1]], queued=[[2, 1], [3, 1]])
    told = several.heard("local", "results", ([result(1, 1)], [[2, 1, 5.0]]), 1)
    assert told is not None
    assert told[1][1] == [[2, 1, 5.0]]
    _, (whole, _) = up(several, "cluster")
    assert (whole["running"], whole["queued"]) == ([[2, 1]], [[3, 1]])


def test_each_run_goes_to_its_executor_and_its_end_too(several: Several) -> None:
    runs = [Run(1, 1), Run(2, 1, executor="cluster"), Run(3, 1)]
    placed = several.place(runs)
    assert placed == {"local": [runs[0], runs[2]], "cluster": [runs[1]]}
    assert several.having([1, 2]) == {"local": [1], "cluster": [2]}
    several.place([Run(1, 2, executor="cluster")])
    assert several.having([1]) == {"cluster": [1]}


def test_of_whom_nobody_knows_who_has_it_all_are_told(several: Several) -> None:
    assert several.having([9]) == {"local": [9], "cluster": [9]}
    several.place([Run(1, 1)])
    several.ask()
    assert several.having([1]) == {"local": [1], "cluster": [1]}, "they have not said it yet"
    up(several, "local")
    up(several, "cluster", running=[[1, 1]])
    assert several.having([1]) == {"cluster": [1]}


def test_what_was_granted_ahead_is_back_when_all_have_given_it_back(several: Several) -> None:
    assert several.heard("local", "withdrawn", ([],), 1) is None, "nobody asked"
    several.withdraw()
    assert several.heard("local", "withdrawn", ([[1, 1]],), 1) is None
    told = several.heard("cluster", "withdrawn", ([[2, 1]],), 1)
    assert told == ("withdrawn", ([[1, 1], [2, 1]],))
