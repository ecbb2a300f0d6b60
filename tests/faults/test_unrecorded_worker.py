"""The conductor dies between the start of a worker and its record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from orphan_home import Home, field, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def workers(home: Home) -> list[int]:
    """The home's processes that lead a session, the heart and the spare worker aside."""
    leaders = [p for p in home.ours() if field(p, 6) == str(p) and p != home.heart]
    return [p for p in leaders if name_of(p) != "marianne-spare"]


def kill_spare(home: Home) -> None:
    """A job that finds one has it recorded with its admission."""
    (spare,) = wait_for(lambda: [p for p in home.ours() if name_of(p) == "marianne-spare"])
    os.kill(spare, 9)


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
    (orders / "worker.before-record").touch()
    home.env["MARIANNE_CRASH_POINTS"] = str(orders)
    try:
        home.must("start")
        kill_spare(home)
        home.run(["plain child"])
        assert (orders / "worker.before-record.hit").exists()
        assert home.sheet()["attempt"] == 1
        wait_for(lambda: workers(home) == [home.worker], 10)
        (home.workspace / "go").touch()
        home.ends("completed")
    finally:
        home.close()
