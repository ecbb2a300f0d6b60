"""A conductor that other machines reach: by keys alone, and every refusal is said."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import zmq
from e2e_marianne import Marianne, until

from ipc import curve
from ipc.client import Client
from ipc.errors import DeadlineExceeded
from ipc.network import Remote
from marianne.keys.store import remotes

ECHO = "sheets:\n  - {name: one, run: 'echo from there; env | grep -c MARIANNE_JOB_ID'}\n"


def free_ports() -> int:
    """The first of two neighbours that nobody listens on."""
    while True:
        with ExitStack() as both:
            first = both.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = int(first.getsockname()[1])
            try:
                both.enter_context(socket.create_server(("127.0.0.1", port + 1)))
            except (OSError, OverflowError):
                continue
        return port


class Served(Marianne):
    """A conductor that listens, and a client of another machine: its home is another."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.port = free_ports()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.home.mkdir(mode=0o700)
        (self.home / "conductor.yaml").write_text(f"listen: {self.address}\n")

    def key(self, name: str) -> Path:
        self("keys", "make", name)
        return self.place / f"{name}.key"

    def client(self, key: Path) -> Marianne:
        away = Marianne(self.place, self.place / "away")
        away.env["MARIANNE_CONNECT"] = str(key)
        return away


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    yield one
    one("stop", "--force", code=None)
    until(lambda: not one.processes())


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that runs and knows the key ``first``, for several tests."""
    one = Served(tmp_path_factory.mktemp("there"))
    one.key("first")
    one("start")
    yield one
    one("stop", "--force", code=None)
    until(lambda: not one.processes())


def test_without_keys_no_conductor_starts_and_says_what_to_do(served: Served) -> None:
    done = served("start", code=2)
    assert f"listen: {served.address}" in done.err
    assert "marianne keys make NAME" in done.err
    served.key("laptop")
    served("start")


def test_a_client_by_its_key_runs_follows_and_sees_a_job(served: Served) -> None:
    key = served.key("laptop")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE((served.home / "keys/server.key").stat().st_mode) == 0o600
    served("start")
    away = served.client(key)
    score = away.score("far", ECHO)
    done = away("run", score, "--follow", "--workspace", str(served.place / "far"))
    assert "completed" in done.out
    assert away("output", "far", "1").out.splitlines()[0] == "from there"
    assert away("list", "--all", "--json").json[0]["job_id"] == "far"
    assert "job.completed" in away("events", "far", "--json").out
    del away.env["MARIANNE_CONNECT"]
    by_option = away("--connect", str(key), "status", "far", "--json").json
    assert by_option["status"] == "completed"
    assert not away.home.exists(), "nothing was started, or made, at the client's"


def test_what_needs_the_conductors_files_is_refused_with_its_reason(there: Served) -> None:
    away = there.client(there.place / "first.key")
    for verb in ("stop", "logs", "keys list"):
        done = away(*verb.split(), code=2)
        assert "on the machine of the conductor" in done.err


def test_a_wrong_key_is_told_so_and_never_hangs(there: Served) -> None:
    good = there.place / "first.key"
    told = json.loads(good.read_text())
    for change, why in (
        ({"secret": curve.new_secret().hex()}, "does not know this key"),
        ({"server": curve.public_of(curve.new_secret()).hex()}, "another than this key was made"),
        ({"address": f"tcp://127.0.0.1:{free_ports()}"}, "nobody answers there"),
    ):
        bad = there.place / "bad.key"
        bad.write_text(json.dumps({**told, **change}))
        bad.chmod(0o600)
        done = there.client(bad)("list", code=3)
        assert why in done.err
    bad.chmod(0o644)
    assert "chmod 600" in there.client(bad)("list", code=2).err
    bad.write_text("not a key")
    bad.chmod(0o600)
    assert "is no key of a client" in there.client(bad)("list", code=2).err
    assert "No such file" in there.client(there.place / "none.key")("list", code=2).err


def test_a_revoked_key_loses_its_connection_and_the_others_go_on(there: Served) -> None:
    lost, kept = there.key("lost"), there.key("kept")
    for key in (lost, kept):
        until(lambda key=key: there.client(key)("list", code=None).code == 0)
    assert {"kept", "lost"} <= set(there("keys", "list").out.split())
    with Client(remotes(str(lost))[0]) as one, Client(remotes(str(kept))[0]) as other:
        assert one.request("hello")
        assert other.request("hello")
        there("keys", "revoke", "lost")
        until(lambda: _refused(one))
        assert other.request("hello", deadline=30.0)
    assert "does not know this key" in there.client(lost)("list", code=3).err
    assert "no key 'lost'" in there("keys", "revoke", "lost", code=4).err


def _refused(client: Client) -> bool:
    try:
        client.request("hello", deadline=0.5)
    except DeadlineExceeded:
        return True
    return False


def test_a_new_key_is_good_without_a_restart(there: Served) -> None:
    key = there.key("second")
    until(lambda: there.client(key)("list", code=None).code == 0)


def test_scanners_and_garbage_do_no_harm(there: Served) -> None:
    key = there.place / "first.key"
    plain, lines = zmq.Context(), []
    for kind in (zmq.DEALER, zmq.SUB, zmq.REQ):
        for port in (there.port, there.port + 1):
            lines.append(plain.socket(kind))
            lines[-1].connect(f"tcp://127.0.0.1:{port}")
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff" + b"\0" * 63, os.urandom(4096)):
        for port in (there.port, there.port + 1):
            # It may have hung up before all is said.
            with socket.create_connection(("127.0.0.1", port)) as scan, suppress(OSError):
                scan.sendall(data)
                scan.shutdown(socket.SHUT_WR)
    many = [socket.create_connection(("127.0.0.1", there.port)) for _ in range(200)]
    away = there.client(key)
    assert away("list", "--json").json == []
    for one in many:
        one.close()
    for line in lines:
        line.close(0)
    plain.term()
    assert there("ready", "--json").json["status"] == "ready"
    assert not [node for node in there.tree().values() if node["last_crash"]]


def test_a_client_goes_on_when_the_conductor_is_replaced(there: Served) -> None:
    key = there.place / "first.key"
    with Client(remotes(str(key))[0]) as client:
        first = client.request("hello")["pid"]
        os.kill(first, signal.SIGKILL)
        until(lambda: client.request("hello", deadline=30.0)["pid"] != first)


def test_a_port_that_is_taken_is_said_and_tried_again(served: Served) -> None:
    key = served.key("laptop")
    with socket.create_server(("127.0.0.1", served.port)):
        served("start")
        health = served("health", "--json").json
        assert "another program listens" in health["listen"]
        assert served.play("here", "sheets:\n  - {name: a, run: 'true'}\n")
    served("keys", "make", "another")
    served.request("daemon.keys")
    until(lambda: served("health", "--json").json["listen"] == "ok")
    assert served.client(key)("list", "--all", "--json").json[0]["job_id"] == "here"


def test_who_has_no_key_gets_not_one_reply(there: Served) -> None:
    key = there.place / "first.key"
    told = remotes(str(key))[0]
    stranger = Remote(told.address, told.server, curve.new_secret())
    with Client(stranger) as client, pytest.raises(DeadlineExceeded):
        client.request("hello", deadline=1.0)
