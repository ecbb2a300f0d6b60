"""A client finds the conductor where it serves, and never by what a copy brought along."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from marianne.home import Home
from marianne.serving import serving, tell


@contextmanager
def closing_lock(home: Home) -> Iterator[None]:
    """Somebody holds the home."""
    lock = home.lock()
    assert lock is not None
    yield
    lock.release()


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Home]:
    """A home with a holder, whose socket is elsewhere."""
    home = Home(tmp_path / "home", conductor_sock=tmp_path / "else where" / "c.sock")
    home.prepare()
    lock = home.lock()
    assert lock is not None
    tell(home)
    yield home
    lock.release()


def test_other_places_in_the_configuration_do_not_count_while_it_runs(there: Home) -> None:
    assert serving(Home(there.path)).conductor_sock == there.conductor_sock


def test_its_lock_may_be_in_another_place_than_the_configuration_says_now(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", pid_file=tmp_path / "home" / "other.pid")
    home.prepare()
    with closing_lock(home):
        tell(home)
        assert serving(Home(home.path)).pid_file == home.pid_file


def test_when_none_runs_the_configuration_counts(tmp_path: Path) -> None:
    home = Home(tmp_path, conductor_sock=tmp_path / "else" / "c.sock")
    home.prepare()
    tell(home)
    assert serving(Home(home.path)).conductor_sock == home.path / "conductor.sock"


def test_a_copy_does_not_ask_the_original(there: Home) -> None:
    copy = there.path.with_name("copy")
    shutil.copytree(there.path, copy)
    assert serving(Home(copy)).conductor_sock == copy / "conductor.sock"


def test_a_home_that_was_moved_does_not_ask_the_one_in_its_old_place(tmp_path: Path) -> None:
    """Its jobs would be listed, and cancelled, in the other."""
    home = Home(tmp_path / "home")
    home.prepare()
    with closing_lock(home):
        tell(home)
        moved = home.path.rename(tmp_path / "moved")
        home.prepare()
        with closing_lock(home):
            tell(home)
            assert serving(Home(moved)).conductor_sock == moved / "conductor.sock"
            link = tmp_path / "link"
            link.symlink_to(home.path)
            assert serving(Home(link)).conductor_sock == home.conductor_sock, "the same home"


@pytest.mark.parametrize("content", ["", "home\n", "conductor_sock /x\n", "\udcff \n"])
def test_what_cannot_be_read_is_not_believed(there: Home, content: str) -> None:
    there.places_file.write_text(content, errors="surrogateescape")
    assert serving(Home(there.path)).conductor_sock == there.path / "conductor.sock"
