"""What a machine offers is found by trying, and said with why something is missing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from walls_ground import NOBODY, USERS, Behind

from marianne.walls import probe
from marianne.walls.offers import Switches, as_list, looked_for, offers_of
from marianne.walls.probe import NOT_TRIED, Probe

ALL = Probe(7, False, 0, 0, 0, 0, 0)


NO_SWITCH = Switches()


def words(found: Probe, switches: Switches = NO_SWITCH) -> dict[str, str]:
    return {one.name: one.words for one in as_list(offers_of(found, switches, root=False))}


def test_what_works_is_offered_with_what_it_is_good_for() -> None:
    found = as_list(offers_of(ALL, Switches(), root=True))
    assert all(one.there for one in found)
    assert found[0].words == "version 7: files and devices, TCP, signals and abstract sockets"


@pytest.mark.parametrize(
    ("version", "covers"), [(1, "part of what is written"), (3, "files and devices"), (4, "TCP")]
)
def test_an_old_landlock_is_said_to_cover_less(version: int, covers: str) -> None:
    told = words(ALL._replace(landlock=version))["landlock"]
    assert covers in told
    assert "signals" not in told


@pytest.mark.parametrize(
    ("code", "cure"),
    [(errno.ENOSYS, "5.13"), (errno.EOPNOTSUPP, "lsm="), (errno.EPERM, "seccomp")],
)
def test_where_landlock_is_missing_it_is_said_how_to_get_it(code: int, cure: str) -> None:
    assert cure in words(ALL._replace(landlock=-code))["landlock"]


@pytest.mark.parametrize(
    ("switches", "cure"),
    [
        (Switches(max_user_namespaces=0), "user.max_user_namespaces"),
        (Switches(unprivileged_clone=0), "unprivileged_userns_clone=1"),
        (Switches(apparmor_restricts=1), "apparmor_restrict_unprivileged_userns=0"),
        (Switches(), "--cap-add SYS_ADMIN"),
    ],
)
def test_where_namespaces_are_missing_the_switch_that_forbids_them_is_named(
    switches: Switches, cure: str
) -> None:
    missing = [NOT_TRIED] * 4
    told = words(Probe(7, True, errno.EPERM, *missing), switches)
    for name in ("pid namespace", "mount namespace", "network namespace"):
        assert cure in told[name]


def test_a_namespace_of_processes_without_a_proc_of_its_own_still_stands() -> None:
    found = offers_of(ALL._replace(proc=errno.EPERM), Switches(), root=False)
    assert found.pids
    assert not found.proc
    assert "/proc shows what it shows outside" in as_list(found)[1].words


def test_asked_from_a_process_with_threads_it_says_the_same_as_from_one_without() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(probe.__file__))], capture_output=True, check=True
    )
    assert list(probe.ask()) == json.loads(done.stdout)
    assert looked_for().needs_user == probe.ask().needs_user


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave its root directory")
def test_in_a_chroot_a_user_has_no_namespaces_and_is_told(behind: Behind, tmp_path: Path) -> None:
    """A real place without them: in a chroot the kernel lets nobody make a user namespace."""
    tmp_path.chmod(0o755)
    (tmp_path / "proc").mkdir()
    subprocess.run(["mount", "--bind", "/proc", str(tmp_path / "proc")], check=True)
    try:
        told = behind(user=NOBODY, chroot=str(tmp_path), sandbox={"isolate": True})
    finally:
        subprocess.run(["umount", str(tmp_path / "proc")], check=True)
    assert not told["offers"]["pids"]
    assert told["offers"]["landlock"] > 0
    assert "'isolate': no pid namespace" in told["refusal"]
    assert "forbids it" in told["refusal"]


@pytest.mark.parametrize("user", USERS)
def test_who_has_no_privilege_gets_them_by_a_user_namespace(
    behind: Behind, user: int | None
) -> None:
    told = behind(user=user)
    assert told["offers"]["needs_user"] == (user is not None or os.geteuid() != 0)
