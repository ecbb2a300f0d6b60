"""``isolate``: a namespace of processes of its own, and no way to Marianne's home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from walls_ground import USERS, Behind, Ground, wait_for


@pytest.mark.parametrize(
    ("user", "copied"), [*((user, False) for user in USERS), (USERS[-1], True)]
)
def test_nobody_outside_is_seen_or_signalled(
    behind: Behind, ground: Ground, user: int | None, copied: bool
) -> None:
    told = behind(
        user=user,
        copied=copied,
        sandbox={"isolate": True},
        places=ground.places,
        env={"OUTER": str(os.getpid())},
        scripts={
            "own /proc": "ls -d /proc/[0-9]*",
            "signal": "kill -0 $OUTER",
            "the first": "kill -9 1; kill -STOP 1; kill -TERM 1; test -e /proc/1/stat",
            "its memory": "cat /proc/1/environ || cat /proc/1/fd/0 || head -c1 /proc/1/mem",
            "exit code": "exit 42",
            "by a signal": "kill -SEGV $$",
            "TERM is fatal": "kill -TERM $$; sleep 100",
        },
    )
    ended = told["ended"]
    assert ended["signal"][0] == 1
    assert ended["the first"][0] == 0
    assert ended["its memory"][0] == 1
    assert ended["own /proc"][0] == 0
    assert len(ended["own /proc"][1].split()) <= 3
    assert ended["exit code"][0] == 42
    assert ended["by a signal"][0] == -signal.SIGSEGV
    assert ended["TERM is fatal"][0] == -signal.SIGTERM


@pytest.mark.parametrize("user", USERS)
def test_of_the_home_there_is_only_what_the_job_was_given(
    behind: Behind, ground: Ground, user: int | None
) -> None:
    prompt = f"{ground.sheets}/1.1.prompt"
    told = behind(
        user=user,
        sandbox={"isolate": True},
        places=ground.places,
        env={"HOME_OF_OURS": str(ground.home), "PROMPT": prompt},
        scripts={
            "list": "ls -A $HOME_OF_OURS",
            "secret": "cat $HOME_OF_OURS/secret",
            "write": "echo x > $HOME_OF_OURS/new",
            "prompt": "cat $PROMPT",
            "write the prompt": "echo x > $PROMPT",
            "uncover": "umount $HOME_OF_OURS",
        },
    )
    ended = told["ended"]
    assert ended["list"] == [0, "jobs\n"]
    assert ended["prompt"] == [0, "a prompt\n"]
    assert {name for name, (code, _) in ended.items() if code} == {
        "secret",
        "write",
        "write the prompt",
        "uncover",
    }
    assert not (ground.home / "new").exists()


@pytest.mark.parametrize(
    ("user", "copied"), [*((user, False) for user in USERS), (USERS[-1], True)]
)
def test_shared_memory_semaphores_and_queues_are_gone_with_the_sheet(
    behind: Behind, ground: Ground, user: int | None, copied: bool
) -> None:
    """They belong to nobody's process: outside they stay until the machine is started again."""
    look = "readlink /proc/self/ns/ipc; cat /proc/sysvipc/{shm,sem,msg} | grep -v key"
    told = behind(
        user=user,
        copied=copied,
        sandbox={"isolate": True},
        places=ground.places,
        scripts={
            "leaves some": f"ipcmk -M 4096 && ipcmk -S 1 && ipcmk -Q && {look} | wc -l",
            "comes after it": look,
        },
    )
    code, said = told["ended"]["leaves some"]
    assert (code, said.split()[-1]) == (0, "3")
    within = told["ended"]["comes after it"][1].split()
    assert len(within) == 1
    assert within[0] != os.readlink("/proc/self/ns/ipc")


MAKER = """
import os, sys, ctypes, json
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
from marianne.walls import asked, blueprint, entering, offers, probe, room, standing
user, workspace, home = int(sys.argv[1]), *sys.argv[2:4]
if user:
    os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
found = offers.offers_of(probe.look(), offers.read_switches(), not user)
want = asked.Sandbox(isolate=True)
places = blueprint.Places(workspace, home, home, (), "/", not user)
plan = blueprint.blueprint(want, standing.standing(want, found), places)
behind = room.build(plan)
script = "(setsid env -i setsid sleep 1000 &) ; trap '' TERM; touch begun; sleep 1000"
pid = entering.start_behind(
    plan, behind, lambda: os.posix_spawn("/bin/bash", ["bash", "-c", script], {"PATH": "/bin"}),
    workspace, (), "/bin/bash")
print(json.dumps([behind.first, pid]), flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
def test_when_the_maker_is_killed_all_within_is_gone(ground: Ground, user: int | None) -> None:
    """Also what shed its session, its environment and its parent; nobody needs to look for it."""
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(user or 0), str(ground.workspace), str(ground.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert maker.stdout
    first, _ = json.loads(maker.stdout.readline())
    wait_for((ground.workspace / "begun").exists)
    inside = os.readlink(f"/proc/{first}/ns/pid")
    wait_for(lambda: len(members(inside)) >= 3)
    maker.kill()
    maker.communicate()
    wait_for(lambda: not members(inside))


def members(namespace: str) -> list[int]:
    """Who is in it."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(path / "ns" / "pid") == namespace:
                found.append(int(path.name))
        except OSError:
            continue
    return found
