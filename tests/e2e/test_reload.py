"""The configuration of a running conductor: what changes at once, what waits, what is refused."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from pathlib import Path

from e2e_marianne import SLOTS, Marianne, until

HELD = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go; do sleep 0.02; done'}}\n" for n in range(4)
)


def _configure(marianne: Marianne, text: str) -> None:
    marianne.home.mkdir(exist_ok=True)
    marianne.env.pop(SLOTS, None)  # it would go before the file
    (marianne.home / "conductor.yaml").write_text(text)


def _running(marianne: Marianne, job: str) -> int:
    return int(marianne.status(job)["progress"]["running"])


def _lines(marianne: Marianne, event: str) -> list[dict[str, object]]:
    log = marianne.home / "logs" / "conductor.log"
    lines = log.read_text().splitlines() if log.exists() else []
    return [line for line in map(json.loads, lines) if line["event"] == event]


def test_a_hangup_with_changed_limits_takes_effect(marianne: Marianne) -> None:
    _configure(marianne, "max_concurrent_sheets: 1\n")
    marianne.submit("held", HELD)
    until(lambda: _running(marianne, "held") == 1)
    _configure(marianne, "max_concurrent_sheets: 3\n")
    os.kill(marianne.pids()["conductor"], signal.SIGHUP)
    until(lambda: _running(marianne, "held") == 3)
    (marianne.place / "held" / "go").touch()
    marianne.wait("held")


def test_a_broken_file_changes_nothing_and_is_one_clear_error(marianne: Marianne) -> None:
    _configure(marianne, "max_concurrent_sheets: 2\n")
    marianne("start")
    _configure(marianne, "max_concurrent_sheets: 5\nmax_concurent_jobs: 3\n")
    done = marianne("reload", code=2)
    assert "max_concurent_jobs" in done.err
    assert "did you mean" in done.err.lower()
    os.kill(marianne.pids()["conductor"], signal.SIGHUP)
    until(lambda: len(_lines(marianne, "configuration_refused")) == 2)
    assert marianne("config", "show", "--json").json["max_concurrent_sheets"] == 2
    assert marianne("conductor-status", "--json").json["ready"]
    # Nor is a conductor ended that no other could follow.
    before = marianne.pids()
    assert "max_concurent_jobs" in marianne("restart", code=2).err
    assert marianne.pids() == before
    assert marianne("conductor-status", "--json").json["ready"]


def test_what_needs_a_restart_is_named_and_keeps_its_value(marianne: Marianne) -> None:
    inert = "observer: {enabled: false}\n"
    _configure(marianne, inert)
    marianne("start")
    until(lambda: _lines(marianne, "config_note"))  # a setting without effect
    assert "observer" in str(_lines(marianne, "config_note")[0]["note"])
    _configure(marianne, f"{inert}log_file: {marianne.place}/other.log\nlog_level: debug\n")
    answer = marianne("reload", "--json").json
    assert answer["applied"] == ["log_level"]
    assert answer["restart_needed"] == ["log_file"]
    shown = marianne("config", "show", "--json").json
    assert (shown["log_level"], Path(shown["log_file"]).name) == ("debug", "conductor.log")


def test_files_are_where_the_configuration_puts_them(marianne: Marianne) -> None:
    there = marianne.place / "there"
    _configure(
        marianne,
        f"socket: {{path: {there}/c.sock}}\npid_file: {there}/c.pid\n"
        f"state_db_path: {there}/c.db\nlog_file: {there}/c.log\n",
    )
    path = marianne.score("one", "sheets:\n  - {name: a, run: 'true'}\n")
    marianne("run", path, "--wait")
    found = {entry.name for entry in there.iterdir()}
    assert found >= {"c.sock", "c.pid", "c.db", "c.log"}
    assert not (marianne.home / "state.db").exists()
    marianne("stop")
    assert marianne("status", "one", "--json").json["status"] == "completed"


def test_a_service_manager_hears_ready_watchdog_and_stopping(marianne: Marianne) -> None:
    address = str(marianne.place / "notify")
    heard: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)

        def listen() -> None:  # all the time, as a service manager: a full queue takes no more
            while not heard or not heard[-1].startswith("STOPPING=1"):
                heard.append(listener.recv(4096).decode())

        listener.settimeout(60.0)
        listening = threading.Thread(target=listen)
        listening.start()
        marianne.env |= {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        marianne("start")
        until(lambda: len(heard) >= 4)
        heart = marianne.pids()["heart"]
        marianne("stop")
        listening.join()
    assert heard[0].startswith(f"READY=1\nMAINPID={heart}")
    assert set(heard[1:-1]) == {"WATCHDOG=1"}
    assert heard[-1].startswith("STOPPING=1")
