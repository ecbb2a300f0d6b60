"""A sheet forges messages on all three sockets: no other job's state, files or events change.

The witness looks from outside: the database, the files, and a listener at the events.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zmq
from e2e_marianne import Marianne, until
from test_link_strangers import name_in_memory
from test_spare_worker import named

from ipc import codec, curve
from ipc.envelope import Request, encode_request

PROGRAM = Path(__file__).with_name("forging_program.py")
ROOT = Path(__file__).parents[2]

HELD = "sheets:\n  - {name: held, run: 'touch begun; until test -e go; do sleep 0.02; done'}\n"
TWO = "sheets:\n  - {name: one, run: 'echo 1'}\n  - {name: two, needs: [one], run: 'echo 2'}\n"


def key_of(database: sqlite3.Connection, job: str) -> int:
    return int(database.execute("SELECT key FROM ids WHERE job_id = ?", (job,)).fetchone()[0])


class Witness:
    """What is known of the other jobs from outside."""

    def __init__(self, marianne: Marianne, jobs: tuple[str, ...]) -> None:
        self._marianne, self._jobs = marianne, jobs
        self._context = zmq.Context()
        self._events = self._context.socket(zmq.SUB)
        self._events.setsockopt(zmq.SUBSCRIBE, b"job.")
        self._events.connect(f"ipc://{marianne.home}/events.sock")

    def sees(self) -> dict[str, Any]:
        with closing(sqlite3.connect(self._marianne.home / "state.db")) as database:
            keys = ",".join(str(key_of(database, job)) for job in self._jobs)
            places = [("job_files", "key"), ("jobs", "key")]
            places += [("sheets", "job"), ("attempts", "job"), ("events", "job")]
            rows = {
                table: database.execute(
                    f"SELECT * FROM {table} WHERE {column} IN ({keys})"
                ).fetchall()
                for table, column in places
            }
        return {"rows": rows, "files": self._files()}

    def _files(self) -> dict[str, str]:
        places = [self._marianne.home / "jobs" / job for job in self._jobs]
        places += [self._marianne.place / job for job in self._jobs]
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for place in places
            for path in sorted(place.rglob("*"))
            if path.is_file()
        }

    def hears(self, last: str) -> list[str]:
        """The topics of all events up to this one."""
        heard: list[str] = []
        while last not in heard:
            assert self._events.poll(60_000), heard
            heard.append(self._events.recv_multipart()[0].decode())
        return heard

    def close(self) -> None:
        self._events.close(0)
        self._context.term()


@pytest.fixture
def held(marianne: Marianne) -> Iterator[tuple[str, int]]:
    """A job whose sheet runs, and its worker's pid."""
    job = marianne.submit("held", HELD)
    until((marianne.place / "held/begun").exists)
    until(lambda: marianne.sheet(job, 1)["status"] == "running")
    (worker,) = named(marianne, "marianne-worker")
    yield job, worker
    (marianne.place / "held/go").touch()


def forging(marianne: Marianne, job: str, worker: int, replay: Path) -> str:
    """A score whose one sheet forges."""
    with closing(sqlite3.connect(marianne.home / "state.db")) as database:
        key = key_of(database, job)
        query = "SELECT worker_link FROM jobs WHERE key = ?"
        (proof,) = database.execute(query, (key,)).fetchone()
    told = {"HOME": marianne.home, "JOB": job, "PID": worker, "PROOF": proof.hex(),
            "REPLAY": replay}  # fmt: skip
    words = " ".join(f"FORGED_{name}={value}" for name, value in told.items())
    command = f"{words} PYTHONPATH={ROOT} {sys.executable} {PROGRAM}"
    return f"sheets:\n  - name: forge\n    run: |\n      {command}\n"


def captured(marianne: Marianne, job: str) -> bytes:
    """The frame of a request that has been made: it paused the job, which was resumed since."""
    frame = encode_request(Request("captured", "job.pause", {"ids": [job]}))
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(f"ipc://{marianne.home}/conductor.sock")
    socket.send(frame)
    assert codec.unpack(socket.recv())["ok"]
    socket.close()
    context.term()
    marianne("resume", job)
    until(lambda: marianne.status(job)["status"] == "running")
    return frame


def test_two_hundred_forged_messages_change_no_other_job(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    job, worker = held
    done = marianne.play("two", TWO)
    replay = marianne.place / "replay"
    replay.write_bytes(captured(marianne, job))
    witness = Witness(marianne, (job, done))
    before = witness.sees()
    marianne.play("first", TWO)  # from here on it listens
    marianne.play("forger", forging(marianne, job, worker, replay))
    count = json.loads((marianne.place / "forger/forged.json").read_text())
    assert count["workers"] + count["refused"] + count["clients"] + count["events"] >= 200
    assert count["let in"] == 0, "without the conductor's key nobody gets a word in"
    until(lambda: marianne.request("daemon.health")["refused_worker_messages"] >= count["workers"])
    assert witness.sees() == before
    heard = witness.hears("job.forger.job.completed")
    assert not [topic for topic in heard if topic.startswith((f"job.{job}.", f"job.{done}."))]
    witness.close()
    assert marianne.sheet(job, 1)["status"] == "running"
    (marianne.place / "held/go").touch()
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1
    assert marianne.sheet(job, 1)["exit_code"] == 0


def test_what_is_forged_would_be_believed_under_the_true_name(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    """The control: the name is all that keeps it out, and the worker's memory has it alone."""
    job, worker = held
    name = name_in_memory(worker)
    assert name is not None
    os.environ.update(FORGED_HOME=str(marianne.home), FORGED_JOB=job)
    from forging_program import result

    os.kill(worker, signal.SIGSTOP)  # it would take its name back
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.ROUTING_ID, name)
    curve.ask_for(socket, bytes.fromhex((marianne.home / "workers.key").read_text()))
    socket.connect(f"ipc://{marianne.home}/workers2.sock")
    socket.send(codec.pack({"kind": "results", "results": [result()], "started": []}))
    until(lambda: marianne.sheet(job, 1)["status"] == "completed")
    os.kill(worker, signal.SIGCONT)
    socket.close(0)
    context.term()


class FalseConductor:
    """A socket in the place of the workers', as a sheet could put one there."""

    def __init__(self, marianne: Marianne, key: bytes | None) -> None:
        self.place = marianne.home / "workers2.sock"
        self.place.rename(self.place.with_name("away"))
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        if key is not None:
            curve.serve_by(self.socket, key)
        self.socket.bind(f"ipc://{self.place}")
        self.heard: list[list[bytes]] = []

    def tell(self, names: list[bytes]) -> None:
        """Orders to whoever is called so, and all that anybody has said to us."""
        for order in ("ack", "cancel", "stop", "run"):
            for name in names:
                message = {"kind": order, "serials": [1], "sheets": [1], "grace": 0.0}
                self.socket.send_multipart([name, codec.pack(message)])
        while self.socket.poll(0):
            self.heard.append(self.socket.recv_multipart())

    def close(self) -> None:
        self.socket.close(0)
        self.context.term()


@pytest.mark.parametrize("guarded", [True, False])
def test_who_takes_the_place_of_the_socket_learns_nothing_and_is_not_obeyed(
    marianne: Marianne, held: tuple[str, int], *, guarded: bool
) -> None:
    job, worker = held
    name = name_in_memory(worker)
    assert name is not None
    before = marianne.pids()["conductor"]
    false = FalseConductor(marianne, curve.new_secret() if guarded else None)
    os.kill(before, signal.SIGKILL)  # so the worker looks for another

    def again() -> bool:
        false.tell([name, b"guarded-" + b"0" * 32])
        return marianne.pids()["conductor"] != before and marianne.serves()

    until(again)
    until(lambda: marianne.sheet(job, 1)["status"] == "running")
    (marianne.place / "held/go").touch()
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1
    assert [frames for frames in false.heard if any(frames)] == []
    false.close()


def test_workers_go_on_with_a_conductor_whose_heart_is_another(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    job, worker = held
    key = (marianne.home / "workers.key").read_text()
    pids = marianne.pids()
    for pid in (pids["heart"], pids["conductor"]):
        os.kill(pid, signal.SIGKILL)
    marianne("start")
    assert (marianne.home / "workers.key").read_text() != key
    until(lambda: marianne.sheet(job, 1)["status"] == "running")
    for _ in range(2):  # the new heart's key is asked for from now on
        before = marianne.pids()["conductor"]
        os.kill(before, signal.SIGKILL)
        until(lambda: marianne.pids()["conductor"] != before and marianne.serves())  # noqa: B023
        assert named(marianne, "marianne-worker") == [worker]
    (marianne.place / "held/go").touch()
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1


def test_a_key_that_is_put_beside_the_socket_is_not_believed_while_the_heart_lives(
    marianne: Marianne, held: tuple[str, int]
) -> None:
    job, _ = held
    secret = curve.new_secret()
    before = marianne.pids()["conductor"]
    false = FalseConductor(marianne, secret)
    (marianne.home / "workers.key").write_text(curve.public_of(secret).hex())
    os.kill(before, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != before and marianne.serves())
    false.tell([])
    assert [frames for frames in false.heard if any(frames)] == []
    (marianne.place / "held/go").touch()
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1
    false.close()
