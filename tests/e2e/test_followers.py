"""Commands as jobs, and jobs that begin after others: by the installed program."""

from __future__ import annotations

import os
import re
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
from e2e_marianne import Marianne, conductor, until

from marianne.crashpoints import FOLLOWER_POINTS

HELD = "sheets:\n  - {name: a, run: 'until test -e go; do sleep 0.02; done; test ! -e fail'}\n"


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    return mortal


def add(marianne: Marianne, *words: str) -> str:
    return str(marianne("add", "--json", *words).json["job_id"])


def hold(marianne: Marianne, name: str) -> tuple[str, Path]:
    """A job that goes on when a file is there; its id and the file."""
    return marianne.submit(name, HELD), marianne.place / name / "go"


def kill(marianne: Marianne) -> None:
    """The conductor dies, and the next one serves."""
    pid = marianne.pids()["conductor"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != pid and marianne.serves())


def test_a_command_runs_here_with_its_words_and_this_environment(marianne: Marianne) -> None:
    marianne.env["HERE"] = "yes"
    words = ["a b", "$HOME", "{{ x }}", "it's", ""]
    show = 'pwd; echo "$HERE $THERE"; printf "<%s>" "$@"'
    job = add(marianne, "--env", "THERE=too", "--", "bash", "-c", show, "-", *words)
    marianne.wait(job)
    expected = f"{marianne.place}\nyes too\n" + "".join(f"<{word}>" for word in words)
    assert marianne("output", job).out == expected
    line = add(marianne, "false || echo a line | tr a-z A-Z")
    marianne.wait(line)
    assert marianne("output", line).out == "A LINE\n"
    failed = marianne(
        "add", "--wait", "--json", "--retries", "0", "--", "sh", "-c", "exit 7", code=1
    )
    assert failed.json["status"] == "failed"
    assert marianne.sheet(failed.json["job_id"], 1)["exit_code"] == 7


def test_a_job_that_follows_others_says_so_and_begins_when_they_are_completed(
    marianne: Marianne,
) -> None:
    first, go = hold(marianne, "fa")
    told = marianne("add", "--after", first, "--json", "--", "cat", "fa/go")
    job = told.json["job_id"]
    assert "it waits for " + first in told.json["message"]
    score = marianne.score("fb", "sheets:\n  - {name: a, run: 'true'}\n")
    last = marianne("run", score, "--after", job, "--json").json["job_id"]
    assert f"it waits for {first} (running)" in marianne("explain", job).out
    assert f"queued (after {first})" in marianne("list").out
    assert marianne.status(last)["waits_for"] == [job]
    assert marianne("clear", first, "--yes", code=5).err
    go.write_text("went")
    marianne.wait(last)
    assert marianne("output", job).out == "went"
    began, ended = marianne.status(job)["started_at"], marianne.status(first)["finished_at"]
    assert began >= ended


def test_what_fails_takes_those_with_it_that_follow_unless_any_end_will_do(
    marianne: Marianne,
) -> None:
    first, go = hold(marianne, "fc")
    follower = add(marianne, "--after", first, "--", "true", "x")
    after_that = add(marianne, "--after", follower, "--", "true", "x")
    anyway = add(marianne, "--after", f"{first}:any", "--", "true", "x")
    (go.parent / "fail").touch()
    go.touch()
    marianne.wait(first, code=1)
    found = marianne.wait(follower, code=1)
    assert (found["status"], found["error"]) == (
        "cancelled",
        f"it was to follow {first}, which has failed",
    )
    assert marianne.wait(after_that, code=1)["status"] == "cancelled"
    marianne.wait(anyway)
    assert f"{first} is failed already" in marianne("add", "--after", first, "true", code=5).err
    marianne("resume", follower)
    marianne.wait(follower)


def test_a_follower_is_started_once_whenever_the_conductor_dies(marianne: Marianne) -> None:
    """Killed between its submission and the end of what it follows, and at that end."""
    for number, early in enumerate([True, False, False]):
        first, go = hold(marianne, f"fk{number}")
        witness = marianne.place / f"ran{number}"
        job = add(marianne, "--after", first, f"echo ran >> {witness}")
        if early:
            kill(marianne)
            assert marianne.status(job)["status"] == "queued"
            go.touch()
        else:
            go.touch()
            kill(marianne)
        marianne.wait(job)
        assert witness.read_text() == "ran\n"
        assert marianne.sheet(job, 1)["attempt"] == 1


def test_a_conductor_that_dies_at_every_step_lets_a_follower_go_once(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    with conductor(tmp_path, env={"MARIANNE_CRASH_POINTS": str(orders)}) as program:
        first, go = hold(program, "steps")
        job = add(program, "--after", first, "echo ran >> ran")
        spoiled, stop = hold(program, "spoils")
        never = add(program, "--after", spoiled, "echo ran >> never")
        for point in FOLLOWER_POINTS:
            (orders / point).touch()
        go.touch()
        for point in FOLLOWER_POINTS[:2]:
            until((orders / f"{point}.hit").exists)
        until(program.serves)
        program.wait(job)
        (stop.parent / "fail").touch()
        stop.touch()
        until((orders / f"{FOLLOWER_POINTS[2]}.hit").exists)
        until(program.serves)
        assert program.wait(never, code=1)["status"] == "cancelled"
        assert (tmp_path / "ran").read_text() == "ran\n"
        assert program.sheet(job, 1)["attempt"] == 1
        assert not (tmp_path / "never").exists()


def test_a_job_begins_at_its_time_also_under_another_conductor(marianne: Marianne) -> None:
    late = add(marianne, "--at", "+1h", "--", "true", "x")
    assert marianne.status(late)["reason"] == "at"
    assert re.search(r"it waits for (\d{4}-\d\d-\d\d )?\d\d:\d\d", marianne("explain", late).out)
    before = time.time()
    job = add(marianne, "--at", "+3s", "--", "true", "x")
    kill(marianne)
    began = datetime.fromisoformat(marianne.wait(job)["started_at"]).timestamp()
    assert began >= before + 3
    assert marianne.status(late)["status"] == "queued"
    marianne("cancel", late, "--yes")


def test_of_a_group_so_many_jobs_run_and_its_limit_outlives_the_conductor(
    marianne: Marianne,
) -> None:
    marianne("group", "add", "two", "--parallel", "2")
    hold = "until test -e go; do sleep 0.02; done"
    jobs = [add(marianne, "--group", "two", hold) for _ in range(4)]
    states = [marianne.status(job)["status"] for job in jobs]
    assert states == ["running", "running", "queued", "queued"]
    assert "of its group two 2 jobs run" in marianne("explain", jobs[2]).out
    marianne("modify", jobs[3], "--priority", "1")
    kill(marianne)
    assert [marianne.status(job)["status"] for job in jobs] == states
    assert marianne("group", "remove", "two", code=5).err
    marianne("group", "add", "two", "--parallel", "3")
    until(lambda: marianne.status(jobs[3])["status"] == "running")
    assert marianne.status(jobs[2])["status"] == "queued"
    (marianne.place / "go").touch()
    for job in jobs:
        marianne.wait(job)
    marianne("group", "remove", "two")
    assert "marianne group add two" in marianne("add", "--group", "two", "true", code=4).err
