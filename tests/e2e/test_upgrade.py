"""A home that version 0.1.0 left, with the jobs of a night; it is kept as it was, never made anew.

Its jobs work where they did then, below one directory of /tmp.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

FIXTURE = Path(__file__).with_name("data") / "home_0_1_0.tar.gz"
PLACE = Path("/tmp/marianne-fixture")


@contextmanager
def old_home() -> Iterator[Marianne]:
    """The home, for one test at a time, and its place."""
    with PLACE.with_name("marianne-fixture.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout's tests may be at it
        shutil.rmtree(PLACE, ignore_errors=True)
        with tarfile.open(FIXTURE) as file:
            file.extractall(PLACE.parent, filter="tar")
        one = Marianne(PLACE / "work", home=PLACE / "home")
        try:
            yield one
        finally:
            one("stop", "--force", code=None)
            until(lambda: not one.processes())
            shutil.rmtree(PLACE)


@pytest.fixture
def old() -> Iterator[Marianne]:
    with old_home() as one:
        yield one


def test_jobs_of_an_older_version_are_there_and_go_on(old: Marianne) -> None:
    old("start")
    listed = old("list", "--all", "--json").json
    assert {(job["job_id"], job["status"]) for job in listed} == {
        *(("done", "completed"), ("night", "failed"), ("held", "paused"))
    }
    assert old("output", "done", "1").out == "a\n"
    assert [one["name"] for one in old("schedule", "list", "--json").json] == ["night"]
    (old.place / "night" / "fixed").touch()
    old("retry", "night")
    sheets = old.wait("night")["sheets"]
    assert [(one["status"], one["attempt"]) for one in sheets] == [
        *(("completed", 1), ("completed", 2), ("completed", 1))
    ]
    old("resume", "held")
    assert [one["attempt"] for one in old.wait("held")["sheets"]] == [1, 1, 1]
    assert old("output", "held", "3").out == "three\n"


def content(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "state.db")) as database:
        return list(database.iterdump())


def test_what_a_newer_version_has_written_is_refused_and_left_as_it_is(old: Marianne) -> None:
    with closing(sqlite3.connect(old.home / "state.db")) as database:
        database.execute("PRAGMA user_version = 1000")
    before = content(old.home)
    refused = old("start", code=3)
    assert "use the newer Marianne that wrote it" in refused.err
    assert content(old.home) == before
