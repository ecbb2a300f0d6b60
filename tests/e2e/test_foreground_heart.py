"""A heart in the foreground, as a service manager runs it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from e2e_marianne import PROGRAM, Marianne, until

ARGV = [str(PROGRAM), "start", "--foreground", "--heart"]
HELD = "sheets:\n  - {name: a, run: 'until test -e go; do sleep 0.02; done'}\n"


@contextmanager
def heart_in(marianne: Marianne, err: Path, notify: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One whose service manager listens at ``notify``; it does not outlive a test that fails."""
    env = {**marianne.env, "NOTIFY_SOCKET": str(notify)}
    with err.open("wb") as file, subprocess.Popen(ARGV, env=env, stderr=file) as heart:
        try:
            yield heart
        finally:
            heart.terminate()


def test_the_service_manager_keeps_the_heart_and_the_heart_the_conductor(
    marianne: Marianne, tmp_path: Path
) -> None:
    err, notify = tmp_path / "err", tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(60)
        with heart_in(marianne, err, notify) as heart:
            assert f"READY=1\nMAINPID={heart.pid}\n" in manager.recv(4096).decode()
            first = marianne.pids()
            assert first["heart"] == heart.pid
            marianne.submit("x", HELD)
            until(lambda: marianne.status("x")["progress"]["running"] == 1)
            os.kill(first["conductor"], signal.SIGKILL)
            assert f"MAINPID={heart.pid}\n" in manager.recv(4096).decode()
            (marianne.place / "x" / "go").touch()
            assert marianne.wait("x")["sheets"][0]["attempt"] == 1
            heart.terminate()
            assert manager.recv(4096).decode().startswith("STOPPING=1")
            assert heart.wait(60) == 0
    said = err.read_text()
    assert "died (killed by signal 9)" in said
    # Who was just looking at the forkserver may say after it that the stop came before.
    assert "conductor_stopped" in {line.split()[2] for line in said.splitlines()[-2:]}
    assert "died (killed by signal 9)" in marianne("logs").out


def test_a_conductor_that_is_stopped_as_soon_as_it_serves_says_both(
    marianne: Marianne, tmp_path: Path
) -> None:
    err, notify = tmp_path / "err", tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(notify))
        manager.settimeout(60)
        with heart_in(marianne, err, notify):
            manager.recv(4096)
    told = [line.split()[2] for line in err.read_text().splitlines()]
    wanted = ["conductor_started", "conductor_stopping", "conductor_stopped"]
    assert [event for event in told if event in wanted] == wanted


def test_beside_another_conductor_it_does_not_begin(marianne: Marianne) -> None:
    marianne("start")
    done = marianne("start", "--foreground", "--heart", code=5)
    assert "a conductor is running already" in done.err


UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


def test_as_the_first_process_of_a_container_it_buries_whom_it_adopts(
    marianne: Marianne, tmp_path: Path
) -> None:
    if subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs a PID namespace of its own: root")
    score = marianne.score("x", "sheets:\n  - {name: a, run: '(setsid sleep 60 &) ; true'}\n")
    with subprocess.Popen([*UNSHARE, *ARGV], env=marianne.env) as outside:
        try:
            [first] = until(lambda: psutil.Process(outside.pid).children())
            inside = ["nsenter", f"--target={first.pid}", "--pid", "--mount", str(PROGRAM)]

            def call(*argv: str) -> subprocess.CompletedProcess[bytes]:
                argv = (*inside, *argv)
                return subprocess.run(argv, env=marianne.env, check=False, capture_output=True)

            until(lambda: call("ready").returncode == 0)
            assert (marianne.home / "conductor.pid").read_text().split()[1] == "1"
            assert call("run", score, "--wait").returncode == 0
            names = {process.name() for process in first.children(recursive=True)}
            assert "sleep" not in names
            assert psutil.STATUS_ZOMBIE not in {one.status() for one in first.children()}
            first.terminate()
            assert outside.wait(60) == 0
        finally:
            outside.kill()
