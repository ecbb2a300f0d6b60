"""The jobs that are not over: who holds a place, who is in line, and whose change is under way."""

from __future__ import annotations

from marianne.daemon.jobs.job_life import Happens, Life
from marianne.daemon.jobs.roster import Live, Roster
from marianne.state.models import JobRow, JobStatus


def row(job_id: str, status: JobStatus = JobStatus.QUEUED, at: float = 1.0) -> JobRow:
    return JobRow(job_id, job_id, status, f"/w/{job_id}", at, 1)


def line(roster: Roster) -> list[str]:
    return [one.job_id for one in roster.in_line()]


def test_a_job_whose_submission_is_not_on_disk_is_not_in_line() -> None:
    roster = Roster()
    roster["new"] = Live(row("new"), unsure=True)
    roster["old"] = Live(row("old"))
    roster.line_up()
    assert line(roster) == ["old"]
    assert roster.comes
    roster.decided("new")
    assert sorted(line(roster)) == ["new", "old"]
    assert not roster.comes


def test_a_job_that_was_let_in_is_let_in_no_second_time() -> None:
    roster = Roster()
    roster["a"] = live = Live(row("a"))
    assert roster.move(live, Happens.ADMIT)
    assert not roster.move(live, Happens.ADMIT)
    assert (roster.admitted, line(roster)) == (1, [])


def test_a_job_stands_in_line_once_however_often_it_is_put_there() -> None:
    roster = Roster()
    roster["a"] = live = Live(row("a"))
    roster["a"] = live
    roster.decided("a")
    assert line(roster) == ["a"]


def test_a_paused_job_comes_back_to_its_place_in_line() -> None:
    roster = Roster()
    roster["a"] = live = Live(row("a", at=1.0))
    roster["b"] = Live(row("b", at=2.0))
    for what in (Happens.ADMIT, Happens.COMMITTED, Happens.STARTED):
        roster.move(live, what)
    roster.leave(live, row("a", JobStatus.PAUSED, at=1.0))
    assert (live.life, roster.admitted, line(roster)) == (Life.AT_REST, 0, ["b"])
    live.row.status = JobStatus.QUEUED
    roster.change(live)
    assert line(roster) == ["b"]
    roster.decided("a")
    assert line(roster) == ["a", "b"]


def test_a_job_that_waits_for_its_start_keeps_its_place() -> None:
    roster = Roster()
    roster["a"] = live = Live(row("a"))
    for what in (Happens.ADMIT, Happens.COMMITTED, Happens.PUT_OFF):
        roster.move(live, what)
    assert (live.life, roster.admitted) == (Life.DELAYED, 1)


def test_a_decision_about_a_job_that_is_none_any_more_means_nothing() -> None:
    roster = Roster()
    roster["a"] = Live(row("a"), unsure=True)
    del roster["a"]
    assert roster.decided("a") is None
    assert not roster.comes


def test_jobs_of_one_file_and_those_at_the_same_work_are_found() -> None:
    roster = Roster()
    for job_id, workspace, file in (("a", "/w", "x"), ("b", "/w", "y"), ("c", "/v", "x")):
        made = row(job_id)
        made.config_path, made.workspace = "/s.yaml", workspace
        made.options = {"variables": {"file": file}}
        roster[job_id] = Live(made)
    roster["text"] = Live(row("text"))
    assert [one.job_id for one in roster.of_file("/s.yaml")] == ["a", "b", "c"]
    assert [one.job_id for one in roster.at_same_work("/s.yaml", "/w", {"file": "x"})] == ["a"]
    assert [one.job_id for one in roster.working_in("/w")] == ["a", "b"]
    del roster["a"]
    assert not list(roster.at_same_work("/s.yaml", "/w", {"file": "x"}))
    assert [one.job_id for one in roster.of_file("/s.yaml")] == ["b", "c"]


def test_who_left_the_line_behind_one_that_stays_at_its_head_leaves_nothing_there() -> None:
    """One that waits for its group for weeks is gone past by thousands."""
    roster = Roster()
    roster["head"] = Live(row("head"))
    for number in range(100):
        roster["next"] = live = Live(row("next", at=2.0 + number))
        assert line(roster) == ["head", "next"]
        for what in (Happens.ADMIT, Happens.COMMITTED, Happens.STARTED):
            roster.move(live, what)
        roster.leave(live, row("next", JobStatus.COMPLETED, at=2.0 + number))
        roster.pop("next")
    assert len(roster._line) == 1
