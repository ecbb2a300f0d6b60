"""Files of the home that somebody removes or moves: one conductor, reachable again, or a word."""

from __future__ import annotations

import os
import shutil
import signal

from e2e_marianne import Marianne, until

HELD = "sheets: [{name: held, run: 'touch begun; while [ ! -e end ]; do sleep 0.05; done'}]"
SHORT = "sheets: [{name: a, run: 'true'}]"


def _start(marianne: Marianne, settings: str = "") -> int:
    marianne.home.mkdir(mode=0o700)
    text = f"monitor_interval_seconds: 5\nsheet_grace_seconds: 0.5\n{settings}"
    (marianne.home / "conductor.yaml").write_text(text)
    marianne("start")
    return marianne.pids()["conductor"]


def test_a_lock_whose_file_is_removed_still_keeps_a_second_conductor_out(
    marianne: Marianne,
) -> None:
    pid = _start(marianne)
    job = marianne.submit("job", HELD)
    until((marianne.place / "job" / "begun").exists)
    (marianne.home / "conductor.pid").unlink()
    assert f"(pid {pid})" in marianne("start").out
    assert marianne("conductor-status", "--json").json["pid"] == pid
    until((marianne.home / "conductor.pid").exists)
    assert marianne.pids()["conductor"] == pid
    (marianne.home / "conductor.pid").unlink()
    os.kill(pid, signal.SIGKILL)  # the next one of this heart writes it again
    until(lambda: (marianne.home / "conductor.pid").exists() and marianne.serves())
    assert marianne.pids()["conductor"] != pid
    (marianne.place / "job" / "end").touch()
    assert marianne.wait(job)["sheets"][0]["attempt"] == 1
    (marianne.home / "conductor.pid").unlink()
    marianne("stop")
    assert marianne.processes() == {}


def test_sockets_that_are_removed_are_bound_again(marianne: Marianne) -> None:
    _start(marianne)
    running = marianne.submit("job", HELD)
    until((marianne.place / "job" / "begun").exists)
    sockets = [marianne.home / f"{name}.sock" for name in ("conductor", "events", "workers2")]
    for socket in sockets:
        socket.unlink()
    for socket in sockets:
        until(socket.exists)
    new = marianne.submit("new", SHORT)
    marianne.wait(new)
    (marianne.place / "job" / "end").touch()
    assert marianne.wait(running)["sheets"][0]["attempt"] == 1
    events = marianne("events", new, "--json").out
    assert "job.completed" in events


def test_a_restart_needs_no_socket(marianne: Marianne) -> None:
    pid = _start(marianne)
    (marianne.home / "conductor.sock").unlink()
    marianne("restart")
    assert marianne.pids()["conductor"] != pid
    assert marianne.serves()


def test_a_database_that_is_removed_is_said_and_nothing_new_is_begun(marianne: Marianne) -> None:
    _start(marianne)
    there = marianne.home / "state.db"
    there.rename(marianne.home / "state.db.away")
    until(lambda: marianne("ready", code=None).code == 1)  # it looks ten times a second
    assert "state.db" in marianne("ready", "--json", code=1).json["storage"]
    assert "state.db" in marianne("health", "--json").json["storage"]
    refused = marianne("run", marianne.score("late", SHORT), code=75)
    assert "state.db" in refused.err
    (marianne.home / "state.db.away").rename(there)
    until(lambda: marianne("ready", code=None).code == 0)
    marianne.wait(marianne.submit("job", SHORT))


def test_a_conductor_whose_home_is_removed_ends_with_all_that_it_runs(marianne: Marianne) -> None:
    _start(marianne)
    marianne.submit("job", HELD)
    until((marianne.place / "job" / "begun").exists)
    # Again where it made a file meanwhile, as whoever typed `rm -rf` would.
    until(lambda: shutil.rmtree(marianne.home, ignore_errors=True) or not marianne.home.exists())
    until(lambda: not marianne.processes())


def test_another_socket_path_in_the_file_locks_nobody_out(marianne: Marianne) -> None:
    pid = _start(marianne)
    elsewhere = marianne.place / "elsewhere"
    settings = marianne.home / "conductor.yaml"
    settings.write_text(settings.read_text() + f"socket: {{path: {elsewhere}/c.sock}}\n")
    assert marianne("conductor-status", "--json").json["pid"] == pid
    job = marianne.submit("job", SHORT)
    marianne("restart", timeout=30)
    new = marianne("conductor-status", "--json").json["pid"]
    assert new == marianne.pids()["conductor"] != pid
    assert (elsewhere / "c.sock").exists()
    assert marianne("wait", job, "--timeout", "30").code == 0
    marianne("stop")
    assert marianne.processes() == {}
