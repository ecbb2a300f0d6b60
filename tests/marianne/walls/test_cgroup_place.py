"""What a machine offers is found by trying, and what it does not is said with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from marianne.walls import cgroup_place, cgroups
from marianne.walls.cgroup_place import MissingError, Place
from marianne.walls.group_spawn import spawn_in

LOOK = """
import sys
from marianne.walls import cgroup_place as place
from marianne.walls.group_pool import Groups
try:
    found = place.find()
    place.try_out(found)
    base, missing, lock = place.prepare(found, "owner")
    groups = Groups(base, "job")
    groups.take()
    print("offered", found.path, groups.close())
except place.MissingError as why:
    print("missing:", why)
"""

root_only = pytest.mark.skipif(os.getuid() != 0, reason="another user, or a mount, needs root")


def look(*before: str, group: Path | None = None) -> str:
    """What a new process finds; with ``group`` one that stands in there."""
    words = [*before, sys.executable, "-c", LOOK]
    if group is not None:
        enter = 'echo 0 > "$0"/cgroup.procs; exec "$@"'
        words = ["sh", "-c", enter, str(group), *words]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def test_here_it_is_offered(yard: Path) -> None:
    (inside := yard / "inside").mkdir()
    assert look(group=inside) == f"offered {inside} True\n"


def test_a_kernel_that_ends_what_is_started_in_a_group_offers_none(yard: Path) -> None:
    """So it is where the group of the conductor itself was killed before (Linux 6.14 and later)."""
    cgroups.Group.make(f"{yard}/killed").kill()
    found = look(group=yard / "killed")
    if _ends_what_is_started(yard):
        assert found.startswith("missing: whatever is started in a control group below ")
    else:
        assert found == f"offered {yard}/killed True\n"


def _ends_what_is_started(yard: Path) -> bool:
    fd = os.open(group := cgroups.Group.make(f"{yard}/probe").path, os.O_RDONLY)
    cgroups.Group(group).kill()
    try:
        pid = spawn_in(fd, "/bin/sh", ["sh", "-c", ":"], {}, (0, 1, 2), ())
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    finally:
        os.close(fd)


@root_only
def test_an_unprivileged_user_has_what_was_delegated(yard: Path) -> None:
    (given := yard / "given").mkdir()
    for path in (given, given / "cgroup.procs", given / "cgroup.subtree_control"):
        os.chown(path, 65534, 65534)
    assert look(*NOBODY, group=given) == f"offered {given} True\n"


@root_only
def test_an_unprivileged_user_without_a_delegation_is_told_how_to_get_one(yard: Path) -> None:
    (other := yard / "other").mkdir()
    said = look(*NOBODY, group=other)
    assert said.startswith(f"missing: the control group {other} is not this user's to divide")
    assert "Delegate=yes" in said


@root_only
def test_where_none_is_mounted_that_is_said(yard: Path) -> None:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    away = "; ".join(f"umount {words[1]}" for words in mounts if words[2] == "cgroup2")
    said = look("unshare", "--mount", "sh", "-c", f'{away}; exec "$0" "$@"')
    assert said.startswith("missing: no control groups of version 2 are mounted")


@root_only
def test_where_they_are_read_only_as_in_a_container_that_is_said(yard: Path) -> None:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    where = next(words[1] for words in mounts if words[2] == "cgroup2")
    shut = f'mount -o remount,bind,ro {where}; exec "$0" "$@"'
    said = look("unshare", "--mount", "sh", "-c", shut)
    assert "is mounted read-only, as in most containers" in said


@root_only
def test_in_a_namespace_of_groups_it_divides_what_it_sees(yard: Path) -> None:
    """As in a container with a control group namespace of its own: its topmost is ours."""
    (inside := yard / "inside").mkdir()
    where = str(yard).removesuffix(f"/{yard.name}")
    anew = f'umount {where}; mount -t cgroup2 none {where}; exec "$0" "$@"'
    said = look("unshare", "--mount", "--cgroup", "sh", "-c", anew, group=inside)
    assert said == f"offered {where} True\n"
    assert [one.name for one in inside.iterdir() if one.is_dir()] == [cgroups.base_name("owner")]


def test_an_old_c_library_is_said(monkeypatch: pytest.MonkeyPatch, yard: Path) -> None:
    monkeypatch.setattr(cgroup_place.group_spawn, "available", lambda: False)
    with pytest.raises(MissingError, match=r"C library .*glibc 2\.39"):
        cgroup_place.try_out(Place(str(yard), topmost=False, visible_top=False))


def test_a_controller_that_is_not_there_is_named_with_its_reason(yard: Path) -> None:
    place = Place(str(yard), topmost=False, visible_top=False)
    base, missing, lock = cgroup_place.prepare(place, "owner")
    os.close(lock)
    assert base == f"{yard}/{cgroups.base_name('owner')}"
    for name in cgroup_place.CONTROLLERS:
        there = name in (yard / "cgroup.controllers").read_text().split()
        assert (name in missing) is not there
        assert there or f"was not given the controller '{name}'" in missing[name]
    assert missing == cgroup_place.offered_controllers(place)


def test_processes_of_others_are_never_moved(yard: Path) -> None:
    """A group that is divided must be empty; a stranger in it keeps what needs that away."""
    group = cgroups.Group(str(yard))
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        group.write("cgroup.procs", str(stranger.pid))
        with pytest.raises(OSError, match="other processes stand in it"):
            cgroup_place._move_down(group, {os.getpid()})
        assert group.pids() == [stranger.pid]
        cgroup_place._move_down(group, {stranger.pid})
        assert cgroups.Group(f"{yard}/{cgroup_place.OURS}").pids() == [stranger.pid]
    finally:
        stranger.kill()
        stranger.wait()
