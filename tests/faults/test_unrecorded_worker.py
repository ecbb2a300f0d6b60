"""The conductor dies between the start of a worker and its record."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from orphan_home import Home, field, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def workers(home: Home) -> list[int]:
    """The home's processes that lead a session, the heart and the spare worker aside."""
    leaders = [p for p in home.ours() if field(p, 6) == str(p) and p != home.heart]
    return [p for p in leaders if name_of(p) != "marianne-spare"]


@contextmanager
def without_spare(home: Home) -> Iterator[None]:
    """A job that finds one has it recorded with its admission; none is started meanwhile."""
    (spare,) = wait_for(lambda: [p for p in home.ours() if name_of(p) == "marianne-spare"])
    forkserver = int(field(spare, 4))
    os.kill(forkserver, signal.SIGSTOP)
    try:
        os.kill(spare, signal.SIGKILL)
        wait_for(lambda: not field(spare, 3))
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(forkserver, signal.SIGCONT)


def name_of(pid: int) -> str:
    """What ps calls it; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_worker_that_nobody_recorded_is_ended_at_the_next_start(tmp_path: Path) -> None:
    home = Home(tmp_path)  # alone it would go on for 20 s
    orders = tmp_path / "orders"
    orders.mkdir()
    home.env["MARIANNE_CRASH_POINTS"] = str(orders)
    try:
        home.must("start")
        home.run(["plain child"])  # its score needs no process when it comes again
        (home.workspace / "go").touch()
        home.ends("completed")
        for name in ("go", "up"):
            (home.workspace / name).unlink()
        (orders / "worker.before-record").touch()
        with without_spare(home):
            score = str(home.folder / "nasty.yaml")
            home.job = json.loads(home.must("run", score, "--id", "again", "--json"))["job_id"]
        wait_for((home.workspace / "up").exists)
        assert (orders / "worker.before-record.hit").exists()
        assert home.sheet()["attempt"] == 1
        wait_for(lambda: workers(home) == [home.worker], 10)
        (home.workspace / "go").touch()
        home.ends("completed")
    finally:
        home.close()
