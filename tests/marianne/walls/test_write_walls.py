"""With ``write: [workspace]`` nothing outside it changes, whatever is tried."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from walls_ground import USERS, Behind, Ground

WRITES = {
    "write": "echo more >> $OUT/file",
    "overwrite": "echo less > $OUT/file",
    "create": "echo new > $OUT/new",
    "unlink": "rm -f $OUT/file",
    "remove a directory": "rmdir $OUT/folder",
    "make a directory": "mkdir $OUT/made",
    "rename within": "mv $OUT/file $OUT/other",
    "rename into": "echo x > mine; mv mine $OUT/mine",
    "rename out of": "mv $OUT/file .",
    "truncate": "truncate -s 0 $OUT/file",
    "hard link to, then write": "ln $OUT/file link && echo more >> link",
    "hard link into": "echo x > mine; ln mine $OUT/mine",
    "symlink made there": "ln -s /etc/passwd $OUT/symlink",
    "write by a symlink": "ln -sfn $OUT/file way; echo more >> way",
    "write by a link to the directory": "ln -sfn $OUT dir; echo more > dir/new",
    "write by a path with dots": "echo more > ../outside/new",
    "write by /proc/self/root": "echo more > /proc/self/root$OUT/new",
    "a fifo": "mkfifo $OUT/fifo",
    "a device": "mknod $OUT/device b 8 0",
    "a socket": (
        'perl -e \'use IO::Socket::UNIX; IO::Socket::UNIX->new(Local=>"$ENV{OUT}/s",Listen=>1)'
        " or exit 1'"
    ),
    "mount over it": "mount -t tmpfs none $OUT",
    "make it writable again": "mount -o remount,rw / && echo more > $OUT/new",
    "a namespace of its own": "unshare -rm sh -c 'mount -o remount,rw / ; echo more > $OUT/new'",
}
OF_THE_FILE = {
    "chmod": "chmod 600 $OUT/file",
    "chmod of a directory": "chmod 700 $OUT/folder",
    "times": "touch -d 2001-01-01 $OUT/file",
    "attributes": "setfattr -n user.mark -v x $OUT/file",
}
"""What Landlock does not cover."""

RACE = """
mkdir -p own; echo x > own/file
( for n in $(seq 300); do ln -sfn own way; ln -sfn $OUT way; done ) &
for n in $(seq 300); do echo more >> way/file; done 2>/dev/null
wait
exit 1
"""
"""A link that leads in and out by turns, written by all the while."""

MEANS = {"all": [], "mounts alone": ["landlock"], "landlock alone": ["mounts"]}


def picture(top: Path) -> dict[str, Any]:
    """All that is there, and what it is."""
    found = {}
    for path in sorted((top, *top.rglob("*"))):
        kind = os.lstat(path)
        text = path.read_text() if path.is_file() and not path.is_symlink() else ""
        found[str(path)] = (kind.st_mode, kind.st_uid, kind.st_mtime_ns, kind.st_nlink, text)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("means", MEANS)
@pytest.mark.parametrize("user", USERS)
def test_nothing_outside_the_workspace_changes(
    behind: Behind, ground: Ground, user: int | None, means: str
) -> None:
    scripts = WRITES | {"race": RACE} | ({} if means == "landlock alone" else OF_THE_FILE)
    before = picture(ground.outside)
    told = behind(
        user=user,
        without=MEANS[means],
        sandbox={"write": ["workspace"]},
        places=ground.places,
        env={"OUT": str(ground.outside)},
        scripts=scripts | {"within": "echo x > a; mv a b; chmod 600 b; ln b c; rm b c; mkdir d"},
    )
    ended = told["ended"]
    assert picture(ground.outside) == before
    assert ended.pop("within")[0] == 0, told
    assert not [name for name, (code, _) in ended.items() if code == 0], ended


@pytest.mark.slow
def test_without_walls_each_of_them_changes_something(behind: Behind, ground: Ground) -> None:
    """So that the table says something: what needs privilege or a tool we may not have aside."""
    aside = {"a device", "mount over it", "make it writable again", "a namespace of its own"}
    aside |= {"attributes", "a socket", "hard link to, then write"}
    for name, script in (WRITES | OF_THE_FILE).items():
        if name in aside:
            continue
        ground.refill()
        before = picture(ground.outside)
        told = behind(
            places=ground.places,
            env={"OUT": str(ground.outside)},
            scripts={name: script},
            without=["landlock", "mounts", "pids", "network"],
        )
        assert told["ended"][name][0] == 0, name
        assert picture(ground.outside) != before, name
        for path in ground.outside.iterdir():
            if path.name not in ("file", "folder"):
                path.rmdir() if path.is_dir() else path.unlink()
        (ground.outside / "folder").mkdir(exist_ok=True)


@pytest.mark.parametrize("user", USERS)
def test_what_a_program_needs_can_still_be_written(
    behind: Behind, ground: Ground, user: int | None
) -> None:
    told = behind(
        user=user,
        sandbox={"write": ["workspace", "~/cache", "../outside/file"]},
        places=ground.places,
        env={"USER_HOME": f"{ground.top}/user"},
        scripts={
            "streams": "echo out > /dev/stdout; echo err > /dev/stderr; echo x > /dev/null",
            "a long here document": "cat <<X > doc\n" + "line\n" * 20_000 + "X\n",
            "temporary": "f=$(mktemp) && echo x > $f && rm $f",
            "shared memory": "f=/dev/shm/walls.$$ && echo x > $f && rm $f",
            "another place": "echo x > $USER_HOME/cache/x",
            "a file, and nothing beside it": "echo x > ../outside/file; ! touch ../outside/new",
            "a terminal": "command -v script >/dev/null || exit 0; script -qec true /dev/null",
        },
    )
    assert {name: code for name, (code, _) in told["ended"].items() if code} == {}, told


@pytest.mark.parametrize("user", USERS)
def test_a_private_tmp_is_empty_and_its_own(
    behind: Behind, ground: Ground, user: int | None
) -> None:
    told = behind(
        user=user,
        sandbox={"tmp": "private"},
        places=ground.places,
        scripts={"look": "ls -A /tmp /var/tmp; echo x > /tmp/mine-alone", "see": "ls /tmp"},
    )
    assert told["ended"]["look"] == [0, "/tmp:\n\n/var/tmp:\n"]
    assert told["ended"]["see"] == [0, "mine-alone\n"]
    assert not Path("/tmp/mine-alone").exists()
