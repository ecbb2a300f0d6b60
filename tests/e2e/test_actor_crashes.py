"""Each actor of the tree crashes while a job runs: the job completes, and only what the strategy
says is restarted."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator

import pytest
from e2e_marianne import Marianne, until

from ipc.errors import RemoteError

STATIC = ["store", "services", "scheduler", "jobs", "manager", "server"]
SERVICES = ["events", "link", "monitor", "rates", "learning", "parser", "health", "notifications"]
SERVICES += ["retention", "renewal", "beside", "spare"]
JOB = ["job:busy/worker", "job:busy/job"]

# Who has another incarnation afterwards. Jobs' supervisors are new ones when `jobs` is: their
# nodes begin at 0 restarts, so they are told by the pids of what they hold.
RESTARTED = {
    "store": STATIC,
    "services": STATIC[1:],
    "scheduler": STATIC[2:],
    "jobs": STATIC[3:],
    "manager": STATIC[4:],
    "server": STATIC[5:],
    **{name: [name] for name in SERVICES},
    "job:busy/job": ["job:busy/job"],
    "job:busy/worker": JOB,
}

SCORE = """
sheets:
  - name: long
    run: |
      echo start >> log
      until test -e go; do sleep 0.05; done
      echo end >> log
  - name: after
    needs: [long]
    run: echo after >> log
"""


CRASHES = 8
"""Below one supervisor of one conductor: it has had enough of more than ten within 30 s."""


@pytest.fixture(scope="module", autouse=True)
def _counts_anew(killed: Marianne) -> Iterator[None]:
    """What crashes in another module soon after this one is not one too many."""
    yield
    killed("stop", "--force", code=None)


@pytest.fixture
def marianne(mortal: Marianne) -> Marianne:
    """A conductor that other tests have crashed, too, but not too often."""
    tree = mortal.tree()
    # Whatever crashes below the root, the server is restarted with it.
    if max(tree["server"]["restarts"], sum(tree[s]["restarts"] for s in SERVICES)) >= CRASHES:
        mortal("restart")
    return mortal


@pytest.mark.parametrize("actor", RESTARTED)
def test_a_crash_restarts_what_the_strategy_says_and_the_job_goes_on(
    marianne: Marianne, actor: str
) -> None:
    job = marianne.submit("busy", SCORE)
    log = marianne.place / "busy" / "log"
    until(log.exists)
    before = marianne.tree()
    hit = [name.replace("busy", job) for name in RESTARTED[actor]]
    own = [name.replace("busy", job) for name in JOB]
    actor = actor.replace("busy", job)
    marianne.request("daemon.fault", {"name": actor, "now": True})

    def restarted() -> bool:
        tree = marianne.tree()
        return all(name in tree for name in (*STATIC, *SERVICES, *own)) and all(
            tree[name]["restarts"] > before[name]["restarts"] for name in hit
        )

    until(restarted)
    after = marianne.tree()
    assert "injected into " + actor in str(after[actor]["last_crash"])
    for name in (*STATIC, *SERVICES, *own):
        if name in hit:
            assert after[name]["restarts"] == before[name]["restarts"] + 1, name
        elif name not in own or hit[0] not in STATIC[:4]:
            # Below another supervisor they are others.
            new = name in SERVICES and "services" in hit
            assert after[name]["restarts"] == (0 if new else before[name]["restarts"]), name
    until(lambda: marianne.sheet(job, 1)["status"] == "running")

    (marianne.place / "busy" / "go").touch()
    status = marianne.wait(job)
    assert [s["attempt"] for s in status["sheets"]] == [1, 1]
    assert log.read_text().split() == ["start", "end", "after"]
    events = [e["event"] for e in marianne.request("events.since", {"job_id": job})["events"]]
    assert events.count("sheet.started") == 2
    assert events.count("sheet.completed") == 2


def test_a_job_whose_actors_keep_crashing_fails_alone_and_leaves_nothing(
    marianne: Marianne,
) -> None:
    busy = marianne.submit("busy", SCORE.replace("echo start", "setsid sleep 7764 & echo start"))
    beside = marianne.submit("beside", SCORE)
    logs = [marianne.place / job / "log" for job in ("busy", "beside")]
    until(lambda: all(log.exists() for log in logs))

    def given_up() -> bool:
        try:
            marianne.request("daemon.fault", {"name": f"job:{busy}/job", "now": True})
        except RemoteError as error:
            if error.code != "not_found":  # between two of its incarnations
                raise
        return bool(marianne.request("job.status", {"job_id": busy})["status"] == "failed")

    until(given_up)
    status = marianne.wait(busy, code=1)
    assert "supervisor gave up" in status["error"]
    assert {s["status"] for s in status["sheets"]} == {"cancelled"}
    until(lambda: not any("7764" in line for line in marianne.processes().values()))
    logs[1].with_name("go").touch()
    assert [s["attempt"] for s in marianne.wait(beside)["sheets"]] == [1, 1]


def test_a_crash_of_the_root_is_the_end_of_the_conductor_and_another_goes_on(
    marianne: Marianne,
) -> None:
    job = marianne.submit("busy", SCORE)
    until((marianne.place / "busy" / "log").exists)
    before = marianne.pids()
    marianne.request("daemon.fault", {"name": "root", "now": True})
    until(lambda: marianne.pids()["conductor"] != before["conductor"] and marianne.serves())
    assert marianne.pids()["heart"] == before["heart"]
    (marianne.place / "busy" / "go").touch()
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1, 1]


def test_a_crash_of_a_jobs_own_supervisor_leaves_its_sheets_running(marianne: Marianne) -> None:
    job = marianne.submit("busy", SCORE)
    until((marianne.place / "busy" / "log").exists)
    marianne.request("daemon.fault", {"name": f"job:{job}", "now": True})
    (marianne.place / "busy" / "go").touch()
    assert [s["attempt"] for s in marianne.wait(job)["sheets"]] == [1, 1]


def test_a_grant_that_the_link_loses_is_told_again(marianne: Marianne) -> None:
    steps = [f"  - {{name: s{i}, run: 'true', needs: [s{i - 1}]}}" for i in range(1, 150)]
    job = marianne.submit("chain", "\n".join(["sheets:", "  - {name: s0, run: 'true'}", *steps]))
    for done in (3, 30, 60):
        until(lambda done=done: marianne.status(job)["progress"]["completed"] >= done)
        marianne.request("daemon.fault", {"name": "link", "now": True})
    sheets = marianne.wait(job)["sheets"]
    assert {sheet["attempt"] for sheet in sheets} == {1}


AGAIN = """
sheets:
  - name: again
    run: "test -e again || { touch again; exit 1; }"
    retry: {max_retries: 1, base_delay_seconds: 1.5, jitter: false}
"""


def worker_of(marianne: Marianne, job: str) -> int:
    """The pid of the job's worker, by the record of it."""
    sql = "SELECT worker_pid FROM jobs JOIN ids USING (key) WHERE job_id = ?"
    with contextlib.closing(sqlite3.connect(marianne.home / "state.db")) as db:
        return int(until(lambda: db.execute(sql, (job,)).fetchone()[0]))


def lose_the_link(marianne: Marianne) -> None:
    before = marianne.tree()["link"]["restarts"]
    marianne.request("daemon.fault", {"name": "link", "now": True})
    until(lambda: marianne.tree()["link"]["restarts"] == before + 1)


def test_a_grant_that_was_lost_with_the_link_is_given_again(marianne: Marianne) -> None:
    job = marianne.submit("lost", AGAIN)
    until(lambda: marianne.sheet(job, 1)["status"] == "waiting")
    worker = worker_of(marianne, job)
    os.kill(worker, signal.SIGSTOP)  # it cannot connect again before the grant
    marianne.request("daemon.fault", {"name": "link", "now": True})
    until(lambda: marianne.sheet(job, 1)["attempt"] == 2)
    os.kill(worker, signal.SIGCONT)
    assert marianne.wait(job)["status"] == "completed"


def test_a_cancellation_that_was_lost_with_the_link_is_given_again(marianne: Marianne) -> None:
    job = marianne.submit("lost", "sheets:\n  - {name: long, run: sleep 60}\n")
    until(lambda: marianne.sheet(job, 1)["status"] == "running")
    worker = worker_of(marianne, job)
    os.kill(worker, signal.SIGSTOP)
    lose_the_link(marianne)
    cancel = threading.Thread(target=marianne, args=("cancel", job, "--yes"))
    cancel.start()
    # A stopped worker is woken to be cancelled, so this may have come to its end by now.
    until(lambda: marianne.status(job)["status"] in ("cancelling", "cancelled"))
    assert until(lambda: marianne.status(job)["status"] == "cancelled")
    cancel.join()


def test_a_pause_that_was_lost_with_the_link_starts_nothing_more(marianne: Marianne) -> None:
    short = [f"  - {{name: short-{i}, run: 'true'}}" for i in range(80)]
    long = [f"  - {{name: long-{i}, run: 'echo {i} >> log; sleep 2'}}" for i in range(4)]
    head = ["parallel: {max_concurrent: 1}", "sheets:"]
    job = marianne.submit("lent", "\n".join([*head, *short, *long, ""]))
    until(lambda: marianne.sheet(job, 81)["status"] == "running")
    worker = worker_of(marianne, job)  # it has some of the long ones ahead
    os.kill(worker, signal.SIGSTOP)
    lose_the_link(marianne)
    marianne("pause", job)
    os.kill(worker, signal.SIGCONT)
    until(lambda: marianne.status(job)["status"] == "paused")
    assert (marianne.place / "lent" / "log").read_text() == "0\n"
