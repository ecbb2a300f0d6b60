"""What stands in the log after a night: starts, deaths, jobs, ends; and where it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import PROGRAM, Marianne, until

SCORE = "sheets:\n  - {name: a, run: 'true'}\n  - {name: b, run: 'false'}\n"


def _logged(marianne: Marianne, *options: str) -> list[dict[str, Any]]:
    out = marianne("logs", "--json", "-n", "1000", *options).out
    return [json.loads(line) for line in out.splitlines()]


def _events(marianne: Marianne, *options: str) -> list[str]:
    return [line["event"] for line in _logged(marianne, *options)]


def test_a_night_is_told_in_its_order(marianne: Marianne) -> None:
    marianne("start")
    marianne.play("x", SCORE, code=1)
    first = marianne.pids()["conductor"]
    os.kill(first, signal.SIGKILL)
    until(lambda: marianne.pids()["conductor"] != first and marianne.serves())
    marianne("status", "nobody", code=4)
    marianne("stop")
    told = [event for event in _events(marianne) if not event.startswith("sheet.")]
    wanted = [
        *("conductor_started", "job.submitted", "job.started", "job.failed"),
        "the conductor died (killed by signal 9); starting another",
        *("conductor_started", "request_refused", "conductor_stopping", "conductor_stopped"),
    ]
    assert [event for event in told if event in wanted] == wanted
    [end] = [line for line in _logged(marianne, "--job", "x") if line["event"] == "job.failed"]
    assert (end["data"]["completed"], end["data"]["failed"]) == (1, 1)
    assert end["data"]["seconds"] >= 0
    assert "conductor_started" not in _events(marianne, "--job", "x")


def test_who_puts_the_log_away_finds_the_rest_in_a_new_one(marianne: Marianne) -> None:
    marianne("start")
    log = marianne.home / "logs" / "conductor.log"
    until(log.exists)
    log.rename(log.with_name("mine"))
    os.kill(marianne.pids()["conductor"], signal.SIGHUP)
    until(lambda: log.exists() and "reloaded" in log.read_text())
    assert "reloaded" not in log.with_name("mine").read_text()


def test_in_the_foreground_the_log_is_on_standard_error_too(
    marianne: Marianne, tmp_path: Path
) -> None:
    marianne.home.mkdir(exist_ok=True)
    (marianne.home / "conductor.yaml").write_text("log_format: json\n")
    err = tmp_path / "err"
    argv = [str(PROGRAM), "start", "--foreground"]
    with err.open("wb") as file, subprocess.Popen(argv, env=marianne.env, stderr=file) as process:
        until(lambda: "conductor_started" in err.read_text())
        until(lambda: marianne("ready", code=None).code == 0)
        process.terminate()
        assert process.wait(60) == 0
    events = [json.loads(line)["event"] for line in err.read_text().splitlines()]
    told = [event for event in events if event.startswith("conductor_")]
    assert told == ["conductor_started", "conductor_stopping", "conductor_stopped"]


def _as_started(marianne: Marianne) -> dict[str, str]:
    """With what is printed to kept in a buffer, as it is where nobody says otherwise."""
    return {name: text for name, text in marianne.env.items() if name != "PYTHONUNBUFFERED"}


@contextmanager
def _unread() -> Iterator[int]:
    """Standard error that takes nothing more: its reader is there, and has stopped reading."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(1))
    except BlockingIOError:
        os.set_blocking(writer, True)
    yield writer
    os.close(writer)
    os.close(reader)


@contextmanager
def _unheard(marianne: Marianne, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A conductor in the foreground to which nobody listens; a test that fails does not wait."""
    argv = [str(PROGRAM), "start", "--foreground", *options]
    env = _as_started(marianne)
    with _unread() as stderr, subprocess.Popen(argv, env=env, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("options", [[], ["--heart"]])
def test_a_reader_of_standard_error_who_stops_holds_no_job_up_and_no_end(
    marianne: Marianne, options: list[str]
) -> None:
    with _unheard(marianne, *options) as process:
        until(lambda: marianne("ready", code=None).code == 0)
        marianne.play("x", SCORE, code=1)
        process.terminate()
        assert process.wait(60) == 0
    assert "conductor_stopped" in _events(marianne)


def test_nor_does_he_where_it_cannot_begin(marianne: Marianne) -> None:
    marianne.home.mkdir(mode=0o700)
    (marianne.home / "state.db").write_bytes(b"no database" * 1000)
    with _unheard(marianne) as process:
        assert process.wait(60) == 8
