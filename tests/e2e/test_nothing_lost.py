"""Nothing that was acknowledged is lost, nothing that was done is done twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import PROGRAM, Marianne, until

from ipc.client import Client
from ipc.errors import DeadlineExceeded

LARGE = bool(os.environ.get("MARIANNE_LARGE"))
ONE = "sheets: [{name: a, run: 'true'}]"
WAITS = "sheets: [{name: a, run: 'touch up; until test -e go; do sleep 0.02; done'}]"
FAILS = "sheets: [{name: a, run: 'echo x >> tries; exit 1'}]"


def _kill(marianne: Marianne) -> None:
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())


def _events(marianne: Marianne, *words: str) -> list[dict[str, Any]]:
    """Pages of the durable log, as ``events --from 1 --json`` prints it."""
    lines = marianne("events", *words, "--from", "1", "--json").out.splitlines()
    return [json.loads(line) for line in lines]


def _rows(marianne: Marianne, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{marianne.home}/state.db?mode=ro", uri=True)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


@pytest.fixture
def tail(marianne: Marianne) -> Iterator[list[dict[str, Any]]]:
    """What `events --follow` has printed since the conductor began, as long as the test goes."""
    marianne("start")
    process = subprocess.Popen(
        [PROGRAM, "events", "--follow", "--from", "1", "--json"],
        env=marianne.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    seen: list[dict[str, Any]] = []

    def read() -> None:
        assert process.stdout is not None
        seen.extend(json.loads(line) for line in process.stdout)

    reader = threading.Thread(target=read)
    reader.start()
    yield seen
    process.terminate()
    reader.join()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.timeout(150)
def test_over_4_kills_60_sheets_complete_once_and_a_tail_sees_every_event_once_and_in_order(
    marianne: Marianne, tail: list[dict[str, Any]]
) -> None:
    """120 and 8 with MARIANNE_LARGE=1."""
    many, kills = (120, 8) if LARGE else (60, 4)
    choice = random.Random(8)
    needs = {
        n: choice.sample(range(1, n), min(n - 1, choice.randint(0, 3))) for n in range(1, many + 1)
    }
    text = "parallel: {max_concurrent: 6}\nsheets:\n"
    for num, before in needs.items():
        names = ", ".join(f"s{n}" for n in before)
        run = f"echo start {num} >> log; sleep 0.{choice.randint(1, 9)}; echo end {num} >> log"
        text += f"  - {{name: s{num}, needs: [{names}], run: '{run}'}}\n"
    marianne.submit("large", text)
    for kill in range(1, kills + 1):
        progress = until(
            lambda kill=kill: (
                (p := marianne.request("job.status", {"job_id": "large"})["progress"])["running"]
                and p["completed"] >= 10 * kill
                and p
            ),
            60.0,
        )
        assert progress["completed"] < many
        _kill(marianne)
    status = marianne.wait("large")
    assert [s["status"] for s in status["sheets"]] == ["completed"] * many
    log = [line.split() for line in (marianne.place / "large" / "log").read_text().splitlines()]
    assert Counter(num for word, num in log if word == "end") == {str(n): 1 for n in needs}
    place = {(word, int(num)): at for at, (word, num) in enumerate(log)}
    assert all(place["end", n] < place["start", num] for num in needs for n in needs[num])
    events = _events(marianne)
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
    told = Counter(e["sheet_num"] for e in events if e["event"] == "sheet.completed")
    assert told == dict.fromkeys(needs, 1)
    last = events[-1]["seq"]
    until(lambda: any(e.get("seq") == last and e["event"] != "daemon.tick" for e in tail))
    assert [e["seq"] for e in tail if e["event"] != "daemon.tick"][:last] == [*range(1, last + 1)]


@pytest.mark.timeout(240)
def test_submits_from_4_clients_and_kills_are_answered_once_each(marianne: Marianne) -> None:
    """40 submits and 2 kills; 500 and 5 with MARIANNE_LARGE=1."""
    each, kills = (125, 5) if LARGE else (10, 2)
    marianne("start")
    answers: dict[str, list[str]] = {}
    lock = threading.Lock()
    problems: list[BaseException] = []

    def submit(client_number: int) -> None:
        try:
            with Client(marianne.home / "conductor.sock") as client:
                for number in range(each):
                    name = f"c{client_number}-{number}"
                    params = {
                        "score": f"name: {name}\nworkspace: ./{name}\n{ONE}",
                        "client_cwd": str(marianne.place),
                        "environment": {"PATH": os.environ["PATH"]},
                    }
                    answer = client.request("job.submit", params, 60.0, f"request-{name}")
                    with lock:
                        answers.setdefault(f"request-{name}", []).append(answer["job_id"])
        except BaseException as error:  # noqa: BLE001 - told below
            problems.append(error)

    clients = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
    for client in clients:
        client.start()
    for kill in range(1, kills + 1):
        until(lambda kill=kill: len(answers) > each * kill * 0.6 or problems, 120.0)
        _kill(marianne)
    for client in clients:
        client.join()
    assert not problems
    assert len(answers) == 4 * each
    assert {len(given) for given in answers.values()} == {1}
    accepted = [job_id for (job_id,) in answers.values()]
    assert len(set(accepted)) == 4 * each
    jobs = [row[0] for row in _rows(marianne, "SELECT job_id FROM jobs JOIN ids USING (key)")]
    assert sorted(jobs) == sorted(accepted)
    submitted = _rows(
        marianne,
        "SELECT job_id, count(*) FROM events JOIN ids ON key = job "
        "WHERE event = 'job.submitted' GROUP BY job_id",
    )
    assert submitted == [(job_id, 1) for job_id in sorted(accepted)]


@pytest.fixture
def points(ordered: Marianne) -> Path:
    """The directory of its orders to die."""
    return ordered.place / "points"


# The event that each verb's change writes, and what the job runs.
VERBS = {
    "submit": ("job.submitted", ONE),
    "pause": ("job.paused", WAITS),
    "resume": ("job.resumed", WAITS),
    "cancel": ("job.cancelled", WAITS),
    "retry": ("job.resumed", FAILS),
    "clear": (None, ONE),
}


@pytest.mark.parametrize("point", ["store.after-commit", "reply.before-send"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_between_commit_and_reply_and_the_resend(
    ordered: Marianne, points: Path, verb: str, point: str
) -> None:
    event, score = VERBS[verb]
    name = f"{verb}-{point.replace('.', '-')}"
    params: dict[str, Any] = {"ids": [name]}
    if verb == "submit":
        path = ordered.score(name, score)
        params = {"config_path": path, "environment": {"PATH": os.environ["PATH"]}}
    else:
        ordered.submit(name, score)
    if verb in ("pause", "cancel", "resume"):
        until((ordered.place / name / "up").exists)  # a worker that has not begun begins anew
    if verb == "resume":
        ordered("pause", name)
    if verb in ("retry", "clear"):
        ordered.wait(name, code=None)
        params = {"ids": [name]} if verb == "clear" else {"job_id": name}
    old = ordered.pids()["conductor"]
    (points / point).touch()
    with Client(ordered.home / "conductor.sock") as client:
        answer = client.request(f"job.{verb}", params, 30.0, f"request-{name}")
        (points / f"{point}.hit").unlink()
        until(lambda: ordered.pids()["conductor"] != old)
        (ordered.place / name / "go").touch() if verb in ("pause", "resume") else None
        if verb in ("submit", "resume", "retry"):
            ordered.wait(name, code=None)
        again = client.request(f"job.{verb}", params, 30.0, f"request-{name}")
    if verb in ("pause", "cancel"):
        answer, again = answer["jobs"][0]["job_id"], again["jobs"][0]["job_id"]
    assert again == answer
    if verb == "clear":
        assert answer == {"deleted": 1, "jobs": [name]}
        rows = _rows(ordered, "SELECT job_id FROM jobs JOIN ids USING (key)")
        assert (name,) not in rows
        return
    if verb == "pause":
        ordered.wait(name)
        event = "job.completed"  # its one sheet ended in the pause
    told = Counter(e["event"] for e in ordered.request("events.since", {"job_id": name})["events"])
    assert told[event] == 1
    if verb == "retry":
        assert (ordered.place / name / "tries").read_text() == "x\nx\n"


def test_a_resent_selection_means_the_jobs_that_it_meant_at_first(
    ordered: Marianne, points: Path
) -> None:
    for name in ("one", "two"):
        ordered.submit(name, WAITS)
        until((ordered.place / name / "up").exists)
    (points / "reply.before-send").touch()
    with Client(ordered.home / "conductor.sock") as client:
        with pytest.raises(DeadlineExceeded):
            client.request("job.pause", {"all": True}, 0.3, "all-of-them")
        until((points / "reply.before-send.hit").exists)
        (points / "reply.before-send.hit").unlink()
        until(ordered.serves)
        ordered.submit("three", WAITS)
        answer = client.request("job.pause", {"all": True}, 20.0, "all-of-them")
    assert sorted((j["job_id"], j["ok"]) for j in answer["jobs"]) == [("one", True), ("two", True)]
    assert ordered.status("one")["status"] == "pausing"
    assert ordered.status("three")["status"] == "running"
    for name in ("one", "two", "three"):
        (ordered.place / name / "go").touch()
        ordered.wait(name, code=None) if name == "three" else None


def test_a_damaged_database_is_refused_with_what_to_do(marianne: Marianne) -> None:
    marianne.submit("old", ONE)
    marianne.wait("old")
    marianne("stop")
    db = marianne.home / "state.db"
    assert [path.name for path in marianne.home.glob("state.db*")] == ["state.db"]
    content = bytearray(db.read_bytes())
    for at in range(4096, len(content), 4096):
        content[at : at + 200] = os.urandom(200)
    db.write_bytes(content)
    done = marianne("start", code=None)
    assert done.code not in (0, None)
    assert "is damaged" in done.err
    assert ".recover" in done.err
    assert db.read_bytes() == content, "nothing was changed"
    until(lambda: not marianne.processes())


def test_a_database_that_is_damaged_while_it_is_used_ends_the_conductor_for_good(
    marianne: Marianne,
) -> None:
    marianne.submit("old", ONE)
    marianne.wait("old")
    heart = marianne.pids()["heart"]
    db = marianne.home / "state.db"
    connection = sqlite3.connect(db)
    until(lambda: connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    connection.close()
    with db.open("r+b") as file:
        for at in range(4096, db.stat().st_size, 4096):
            file.seek(at)
            file.write(os.urandom(200))

    def ended() -> bool:
        marianne("run", marianne.score("new", ONE), "--no-start", code=None)
        return not os.path.exists(f"/proc/{heart}")

    until(ended)
    until(lambda: not marianne.processes())
    said = (marianne.home / "logs" / "conductor.err").read_text()
    assert ".recover" in said
    assert "no other is started" in said
    assert "trying again" not in said
    refused = marianne("start", code=3)
    assert "is damaged" in refused.err


def test_an_attempt_that_began_keeps_its_number_though_all_die_before_it_is_on_disk(
    marianne: Marianne,
) -> None:
    marianne.submit(
        "it",
        "parallel: {max_concurrent: 1}\nsheets:\n"
        "  - {name: a, run: 'until test -e go; do sleep 0.02; done'}\n"
        "  - {name: b, run: 'echo $MARIANNE_ATTEMPT >> log; "
        "until test -e end; do sleep 0.02; done'}\n",
    )
    # It is told as running before that is on disk.
    until(lambda: _rows(marianne, "SELECT status, attempt FROM sheets") == [("running", 1)])
    ((worker,),) = _rows(marianne, "SELECT worker_pid FROM jobs")
    old, log = marianne.pids()["conductor"], marianne.place / "it" / "log"
    other = sqlite3.connect(marianne.home / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # nothing can be committed now
    (marianne.place / "it" / "go").touch()
    until(lambda: log.exists() and log.read_text())
    os.kill(old, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    other.close()
    assert [row[0] for row in _rows(marianne, "SELECT attempt FROM sheets ORDER BY num")] == [1]
    until(lambda: len(log.read_text().split()) == 2)
    assert log.read_text().split() == ["1", "2"]
    (marianne.place / "it" / "end").touch()
    sheets = marianne.wait("it")["sheets"]
    assert [(s["status"], s["attempt"]) for s in sheets] == [("completed", 1), ("completed", 2)]
    told = [(e["event"], e["data"]["attempt"]) for e in _events(marianne) if e["sheet_num"] == 2]
    assert told == [
        ("sheet.started", 1),
        ("sheet.interrupted", 1),
        ("sheet.started", 2),
        ("sheet.completed", 2),
    ]


def test_ended_jobs_beyond_the_history_are_forgotten_with_their_files(marianne: Marianne) -> None:
    marianne.home.mkdir(mode=0o700)
    (marianne.home / "conductor.yaml").write_text("max_job_history: 10\n")
    marianne.submit("alive", WAITS)
    for number in range(13):
        marianne.submit(f"job-{number}", ONE)
        marianne.wait(f"job-{number}")
    kept = {"alive", *(f"job-{number}" for number in range(3, 13))}
    listed = lambda: marianne("list", "--all", "--json").json  # noqa: E731
    until(lambda: {job["job_id"] for job in listed()} == kept)
    until(lambda: set(os.listdir(marianne.home / "jobs")) == kept)
    disk = marianne("conductor-status", "--json").json["disk"]
    assert disk["jobs"] == 11
    assert disk["bytes"] > 0 < disk["free_bytes"]
    (marianne.place / "alive" / "go").touch()
