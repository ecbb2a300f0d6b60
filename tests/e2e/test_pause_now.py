"""``pause --now``: what runs stands still where it stands, over deaths, until a person says so."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))

from orphan_home import Home, kill, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

SCORE = """
name: nasty
workspace: ./ws
sheets:
  - {name: all, timeout: 20m, run: 'until [ -e go ]; do echo x >> ticks; sleep 0.02; done'}
  - {name: next, needs: [all], run: 'echo done > next'}
"""


class Ticking:
    """A home whose job ticks into a file."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)
        (folder / "nasty.yaml").write_text(SCORE)
        self.ticks = folder / "ws" / "ticks"
        self.home.must("run", str(folder / "nasty.yaml"))
        wait_for(lambda: self.count() > 3)
        if not self.home.walled:
            pytest.skip("this machine lets nobody make control groups here")

    def count(self) -> int:
        return len(self.ticks.read_text()) if self.ticks.exists() else 0

    def group(self) -> str:
        base = Path((self.home.path / "cgroup").read_text().strip())
        return "".join(file.read_text() for file in base.glob("*/*/cgroup.events"))

    def is_held(self) -> bool:
        return "frozen 1" in self.group()

    def pause(self) -> None:
        self.home.must("pause", "nasty", "--now")
        wait_for(self.is_held)

    def goes_on(self) -> None:
        count = self.count()
        wait_for(lambda: self.count() > count)

    def completes(self) -> None:
        (self.ticks.parent / "go").touch()
        assert self.home.ends("completed")["attempt"] == 1


@pytest.fixture
def ticking(tmp_path: Path) -> Ticking:
    made = Ticking(tmp_path)
    yield made
    made.home.close()


def test_it_stands_still_and_a_resume_has_it_go_on(ticking: Ticking) -> None:
    ticking.pause()
    held = time.monotonic()
    status = ticking.home.status()
    assert (status["status"], status["reason"]) == ("pausing", "now")
    assert status["still_since"] is not None
    assert status["at_work_since"] is None
    said = ticking.home.must("explain", "nasty")
    assert "what runs stands still" in said
    ticking.home.must("pause", "nasty")  # without --now: it stands still all the same
    assert ticking.is_held()
    assert ticking.home.status()["worked_seconds"] == status["worked_seconds"]
    held = time.monotonic() - held
    ticking.home.must("resume", "nasty")
    wait_for(lambda: not ticking.is_held())
    ticking.goes_on()
    assert ticking.home.status()["still_since"] is None
    ticking.completes()
    ended = ticking.home.status()
    sheet = ended["sheets"][0]
    assert sheet["duration_seconds"] - sheet["worked_seconds"] >= held, "that was no work"
    history = json.loads(ticking.home.must("history", "nasty", "--json"))["records"]
    assert sheet["duration_seconds"] - history[-1]["duration_seconds"] >= held
    events = ticking.home.must("events", "nasty", "--json").splitlines()
    [told] = [e["data"] for e in map(json.loads, events) if e["event"] == "job.completed"]
    assert told["elapsed"] - told["seconds"] >= held
    assert told["seconds"] == round(ended["worked_seconds"], 3)


def test_a_cancel_ends_what_stands_still(ticking: Ticking) -> None:
    ticking.pause()
    ticking.home.must("cancel", "nasty", "--yes")
    assert ticking.home.alive() == []
    assert ticking.home.status()["status"] == "cancelled"


def test_a_conductors_death_changes_nothing(ticking: Ticking) -> None:
    ticking.pause()
    old = ticking.home.conductor
    kill(old)
    wait_for(lambda: ticking.home.conductor != old and ticking.home.serves())
    wait_for(lambda: ticking.home.status().get("status") == "pausing")
    assert ticking.is_held()
    ticking.home.must("resume", "nasty")
    ticking.goes_on()
    ticking.completes()


def test_a_resume_that_comes_before_the_worker_is_heard(ticking: Ticking) -> None:
    """The next conductor learns from the worker alone that what runs stands still."""
    ticking.pause()
    old, worker = ticking.home.conductor, ticking.home.worker
    os.kill(worker, signal.SIGSTOP)
    kill(old)
    wait_for(lambda: ticking.home.conductor != old and ticking.home.serves())
    ticking.home.must("resume", "nasty")
    os.kill(worker, signal.SIGCONT)
    ticking.goes_on()
    ticking.completes()


def test_a_worker_that_dies_leaves_nobody_standing(ticking: Ticking) -> None:
    """Its sheets are interrupted, and the job is paused, with nothing that runs."""
    worker = ticking.home.worker
    ticking.pause()
    kill(worker)
    wait_for(lambda: ticking.home.status().get("status") == "paused")
    assert ticking.home.alive() == []
    (ticking.ticks.parent / "go").touch()
    ticking.home.must("resume", "nasty")
    assert ticking.home.ends("completed")["attempt"] == 2


def test_a_stop_ends_what_stands_still(ticking: Ticking) -> None:
    ticking.pause()
    ticking.home.must("stop")
    assert ticking.home.alive() == []
