"""A conductor's control groups are its home's own, and are gone when it is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from marianne.daemon.processes.control_groups import NONE, set_up
from marianne.home import Home
from marianne.walls import cgroup_place, cgroups
from marianne.walls.cgroups import Group


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.prepare()
    return made


def stands_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on a conductor finds itself there."""
    folder.mkdir(exist_ok=True)
    place = cgroup_place.Place(str(folder), topmost=False, visible_top=False)
    monkeypatch.setattr(cgroup_place, "find", lambda: place)


def test_they_are_named_in_the_home_and_leave_with_the_conductor(
    monkeypatch: pytest.MonkeyPatch, home: Home, yard: Path
) -> None:
    stands_in(monkeypatch, yard)
    groups = set_up(home)
    assert groups.base is not None
    assert cgroups.base_of(home.path, home.owner()) == groups.base
    assert Path(groups.base).parent == yard
    Group.make(f"{groups.base}/job")
    groups.leave(all_over=False)
    assert os.path.isdir(groups.base), "its workers go on"
    again = set_up(home)
    assert again.base == groups.base
    again.leave(all_over=True)
    assert not os.path.exists(groups.base)


def test_what_an_earlier_conductor_left_elsewhere_is_ended(
    monkeypatch: pytest.MonkeyPatch, home: Home, yard: Path
) -> None:
    stands_in(monkeypatch, yard / "before")
    before = set_up(home)
    job = Group.make(f"{before.base}/job")
    attempt = Group.make(f"{job.path}/1")
    left = subprocess.Popen(["sleep", "600"])
    attempt.write("cgroup.procs", str(left.pid))
    os.close(before.lock)  # it died
    stands_in(monkeypatch, yard / "now")
    now = set_up(home)
    assert left.wait() == -9
    assert before.base is not None
    assert not os.path.exists(before.base)
    now.leave(all_over=True)


def test_of_other_homes_only_what_is_empty_and_held_by_nobody_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, home: Home, yard: Path
) -> None:
    stands_in(monkeypatch, yard)
    empty, held, lived_in = (f"{yard}/{cgroups.base_name(name)}" for name in ("a", "b", "c"))
    locks = [cgroups.hold(path) for path in (empty, held, lived_in)]
    Group.make(f"{empty}/job")
    inside = Group.make(f"{lived_in}/job")
    another = Group.make(f"{yard}/marianne-of-somebody")
    sleeper = subprocess.Popen(["sleep", "600"])
    inside.write("cgroup.procs", str(sleeper.pid))
    for dead in (locks[0], locks[2]):
        os.close(dead)
    groups = set_up(home)
    assert [os.path.isdir(path) for path in (empty, held, lived_in)] == [False, True, True]
    assert os.path.isdir(another.path)
    assert sleeper.poll() is None
    os.close(locks[1])
    sleeper.kill()
    sleeper.wait()
    groups.leave(all_over=True)


def test_what_nobody_holds_is_found_by_its_job(
    monkeypatch: pytest.MonkeyPatch, home: Home, yard: Path
) -> None:
    stands_in(monkeypatch, yard)
    groups = set_up(home)
    for job in ("one", "two"):
        Group.make(f"{groups.base}/{job}")
    left = subprocess.Popen(["sleep", "600"])
    Group(f"{groups.base}/one").write("cgroup.procs", str(left.pid))
    assert groups.end_abandoned("two") == []
    assert groups.end_abandoned("one") == [left.pid]
    assert left.wait() == -9
    groups.leave(all_over=True)


def test_where_there_are_none_every_controller_lacks_for_that_reason(
    monkeypatch: pytest.MonkeyPatch, home: Home
) -> None:
    def none() -> cgroup_place.Place:
        raise cgroup_place.MissingError("none are mounted")

    monkeypatch.setattr(cgroup_place, "find", none)
    groups = set_up(home)
    assert (groups.base, groups.why) == (None, "none are mounted")
    assert groups.lacking == dict.fromkeys(cgroup_place.CONTROLLERS, "none are mounted")
    assert groups.end_abandoned() == []
    groups.leave(all_over=True)
    assert NONE.end_abandoned() == []
