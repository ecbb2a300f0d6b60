"""One look through /proc: whose memory, how many processes, and how long it takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from marianne.daemon.shared.usage import Usage, look, own_mb, sheets_below
from marianne.run import procfs
from marianne.run.procfs import stat

SHEET = {**os.environ, "MARIANNE_JOB_ID": "j", "MARIANNE_SHEET": "3"}


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


def _sleep(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """One whose environment can be read: a moment after its exec it cannot yet."""
    process = subprocess.Popen(["sleep", "60"], env=env)
    environ = Path(f"/proc/{process.pid}/environ")
    deadline = time.monotonic() + 30
    while b"MARIANNE_JOB_ID" not in environ.read_bytes():
        assert time.monotonic() < deadline, "it has no environment"
    return process


def test_what_stands_below_a_worker_is_counted_as_its_sheets(
    sleepers: list[subprocess.Popen[bytes]],
) -> None:
    before = look([os.getpid()], [])
    sleepers += [_sleep(SHEET) for _ in range(3)]
    found = look([os.getpid()], [os.getpid()])
    assert found.workers[os.getpid()].processes >= 3
    assert found.total.processes == before.total.processes + 3
    assert found.total.memory_mb > 3
    assert sheets_below(os.getpid())["j", 3].processes == 3


@pytest.mark.parametrize("number", ["²", "9" * 5_000, "-1", "", "three", "3\udcff"])
def test_whatever_a_sheet_calls_itself_ends_nobody_who_looks(
    sleepers: list[subprocess.Popen[bytes]], number: str
) -> None:
    """What it runs may have set its environment anew."""
    sleepers += [_sleep({**SHEET, "MARIANNE_SHEET": named}) for named in (number, "3")]
    assert [key for key in sheets_below(os.getpid()) if key[0] == "j"] == [("j", 3)]


def test_our_own_memory_counts_shared_pages_once() -> None:
    myself = stat(os.getpid())
    assert myself is not None
    assert 1 < (own_mb(myself) or 0.0) < psutil.Process().memory_info().rss / 2**20


def test_what_is_not_ours_to_read_counts_whole_and_what_is_gone_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    ended, myself = stat(process.pid), stat(os.getpid())
    process.wait()
    assert ended is not None
    assert own_mb(ended) is None
    monkeypatch.setattr(procfs, "proportional_mb", lambda pid: None)
    assert myself is not None
    assert own_mb(myself) == myself.rss_mb


def test_a_root_that_is_gone_is_passed_over_and_we_ourselves_must_be_seen() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert look([os.getpid(), process.pid], [process.pid]).workers[process.pid] == Usage()
    with pytest.raises(OSError, match="cannot be relied upon"):
        look([process.pid], [])


def test_a_zombie_is_named_and_uses_nothing(sleepers: list[subprocess.Popen[bytes]]) -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process.pid in look([os.getpid()], []).zombies
    process.wait()


def test_a_child_that_has_not_begun_its_program_uses_none_of_its_workers_memory() -> None:
    """posix_spawn's has its parent's memory until its exec; here it never comes to that."""
    script = (
        "import os, time; large = bytearray(64 << 20); pid = os.fork()\n"
        "if pid: print(pid, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as worker:
        assert worker.stdout is not None
        child = int(worker.stdout.readline())
        try:
            found = look([os.getpid()], [worker.pid])
            assert psutil.Process(child).memory_info().rss > 64 << 20
            assert found.workers[worker.pid] == Usage(0.0, 1)
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
