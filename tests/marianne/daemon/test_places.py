"""The files of a conductor that runs: what can be made again is, the rest is said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipc.errors import EndpointError
from marianne.daemon.shared.places import Places, bind_again
from marianne.home import Home, HomeLock
from marianne.serving import serving


@pytest.fixture
def lock(home: Home) -> Iterator[HomeLock]:
    lock = home.lock()
    assert lock is not None
    yield lock
    lock.release()


def test_where_the_conductor_serves_is_told_to_clients_whose_configuration_differs(
    home: Home, lock: HomeLock
) -> None:
    there = Home(home.path, db=home.path / "other.db")
    lock.write(os.getpid())
    Places(there, lock, None).tell()
    assert serving(home).db == there.db


def test_what_was_removed_and_can_be_made_again_is(home: Home, lock: HomeLock) -> None:
    lock.write(os.getpid())
    places = Places(home, lock, None)
    places.tell()
    home.pid_file.unlink()
    home.places_file.unlink()
    shutil.rmtree(home.jobs)
    assert places.look()
    assert home.pid_file.read_text().split() == [str(os.getpid())]
    assert home.places_file.exists()
    assert home.jobs.is_dir()
    assert home.lock() is None, "and nobody else comes in meanwhile"


def test_a_home_that_was_removed_ends_its_conductor_and_one_that_was_moved_does_not(
    home: Home, lock: HomeLock, tmp_path: Path
) -> None:
    places = Places(home, lock, None)
    home.path.rename(tmp_path / "moved")
    home.path.mkdir()
    assert places.look()
    assert list(home.path.iterdir()) == [], "nothing of ours is put into another's home"
    shutil.rmtree(tmp_path / "moved")
    assert not places.look()


def test_a_socket_that_cannot_be_bound_now_is_tried_at_the_next_look(tmp_path: Path) -> None:
    tries: list[int] = []

    def listen() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise EndpointError("in use")

    bind_again(tmp_path / "sock", listen)
    bind_again(tmp_path / "sock", listen)
    assert len(tries) == 2
