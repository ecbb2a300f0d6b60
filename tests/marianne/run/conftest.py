"""The stage that process tests play on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_conductor import Conductor
from run_stage import Stage

from actors import forkserver
from marianne.run import confine


def no_subreaper() -> None:
    """Takes it back: other tests' orphans are not ours to adopt."""
    assert ctypes.CDLL(None).prctl(36, 0, 0, 0, 0) == 0
    confine._subreaper = False


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage; what a failed test leaves on it is killed by pid."""
    # A nursery takes each child of its process for a sheet's and ends it: multiprocessing's
    # helpers, which an earlier test started, would be killed and reaped behind its back.
    forkserver.end()
    confine.become_subreaper()
    here = os.getcwd()
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    before_fd = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    made = Stage(tmp_path)

    def wake() -> None:
        os.read(read, 4096)
        made.nursery.reap()

    made.loop.add_reader(read, wake)
    yield made
    for pid in made.alive():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    signal.set_wakeup_fd(before_fd)
    signal.signal(signal.SIGCHLD, before)
    os.close(read)
    os.close(write)
    made.loop.close()
    os.chdir(here)
    no_subreaper()


@pytest.fixture
def conductor(tmp_path: Path) -> Iterator[Conductor]:
    """A fake conductor; what a failed test leaves is killed by pid."""
    made = Conductor(tmp_path)
    yield made
    made.close()
