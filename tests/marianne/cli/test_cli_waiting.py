"""Waiting for a job: Ctrl-C, time, and the end of the conductor; by the program as installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cli_fake import Refuse
from test_cli_questions import JOB, sheet

pytestmark = pytest.mark.slow


@contextmanager
def program(*argv: str) -> Iterator[subprocess.Popen[str]]:
    """The program, killed if it is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "marianne.cli", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _asked(conductor, method: str) -> None:
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while not any(name == method for name, _ in conductor.asked):
        assert time.monotonic() < deadline, f"{method} was not asked"
        pause.wait(0.005)


@pytest.fixture
def waiting(conductor):
    """A conductor whose job does not end."""
    conductor.answers["job.status"] = {**JOB, "sheets": [sheet(1, "a", "running")]}
    conductor.silent.add("job.wait")
    return conductor


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_detaches_and_says_that_the_job_goes_on(waiting, number) -> None:
    with program("wait", "wc") as process:
        _asked(waiting, "job.wait")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert "wc goes on" in err
    assert "Traceback" not in err


def test_with_json_an_interrupt_names_the_job_that_goes_on(waiting) -> None:
    with program("wait", "wc", "--json") as process:
        _asked(waiting, "job.wait")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    told = json.loads(out)
    assert (told["job_id"], told["error"]["code"]) == ("wc", "interrupted")
    assert err == ""


def test_a_follower_detaches_too(waiting) -> None:
    waiting.happen("job.started")
    with program("wait", "wc", "--follow") as process:
        assert process.stdout is not None
        assert "started" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "wc goes on" in err


def test_a_job_that_no_conductor_knows_any_more_ends_the_following_with_4(waiting) -> None:
    """Its state was moved away, say: the answer will not be another one."""

    def page(params):
        if params["job_id"] is not None:
            raise Refuse("not_found", "no job 'wc'")
        return {"events": [], "first": 0, "last": 0}

    waiting.answers["events.since"] = page
    with program("wait", "wc", "--follow") as process:
        _, err = process.communicate(timeout=20)
    assert (process.returncode, "no job 'wc'" in err) == (4, True)


def test_the_time_given_ends_the_waiting_with_124(waiting) -> None:
    with program("wait", "wc", "--timeout", "300ms", "--json") as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 124
    assert '"code": "timeout"' in out
    assert err == ""


def test_the_end_of_the_conductor_ends_the_waiting_with_3(home, tmp_path) -> None:
    # Its own process, for a lock goes with the process that holds it.
    script = (
        "import os, sys, signal\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from cli_fake import FakeConductor\n"
        "from marianne.home import Home\n"
        "fake = FakeConductor(Home(sys.argv[1]))\n"
        "fake.silent.add('job.wait')\n"
        "fake.answers['job.status'] = {'job_id': 'wc'}\n"
        "with fake:\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
        "    os._exit(9)\n"
    )
    here = os.path.dirname(__file__)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home.path), here],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as fake:
        assert fake.stdout is not None
        assert fake.stdin is not None
        assert fake.stdout.readline() == "ready\n"
        with program("wait", "wc") as process:
            _opened(process.pid)
            fake.stdin.close()
            _, err = process.communicate(timeout=20)
    assert process.returncode == 3
    assert "marianne start" in err


def _opened(pid: int) -> None:
    """Waits until the program watches the conductor: it holds a pidfd."""
    deadline = time.monotonic() + 20
    pause = threading.Event()
    while "anon_inode:[pidfd]" not in _links(pid):
        assert time.monotonic() < deadline
        pause.wait(0.005)


def _links(pid: int) -> set[str]:
    links = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return links


def test_events_are_followed_as_they_happen(conductor) -> None:
    conductor.happen("job.started")
    conductor.answers["job.status"] = JOB
    with program("events", "--follow", "--from", "1", "--json") as process:
        assert process.stdout is not None
        assert '"seq": 1' in process.stdout.readline()
        conductor.happen("sheet.started", 1)
        conductor.publish()
        assert '"seq": 2' in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def test_a_reader_that_leaves_ends_the_program_quietly(conductor) -> None:
    for _ in range(3_000):
        conductor.happen("sheet.started", 1)
    with program("events") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=20)
    assert process.returncode == 141
    assert err == ""


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [("events", "--json"), ("--help",), ("list", "--help")])
def test_output_that_cannot_be_written_is_no_success_and_named(
    conductor, argv: tuple[str, ...], unbuffered: str
) -> None:
    conductor.happen("job.started")
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "marianne.cli", *argv],
            stdout=full,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output could not be written: ")
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
