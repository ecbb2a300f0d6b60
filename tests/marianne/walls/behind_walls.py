"""Runs scripts behind walls, in a process that no test shares: from walls there is no way back.

Reads a map from its standard input, writes a map to its standard output. ``user``: run as this one
(None: as we are); ``without``: means that are treated as missing; ``chroot``: look there;
``copied``: where a process goes behind the walls, it is a fork.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from typing import Any

from marianne.walls import aside, asked, blueprint, entering, kernel, offers, probe, room, standing

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36


def become(user: int | None) -> None:
    """Another user, who has no privilege and may be looked at by himself."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def offered(without: list[str]) -> offers.Offers:
    """What there is, as if these were missing."""
    found = offers.offers_of(probe.look(), offers.read_switches(), os.geteuid() == 0)
    for name in without:
        gone = {name: 0 if name == "landlock" else False}
        found = found._replace(why=found.why | {name: "taken away by the test"}, **gone)
    return found


def run(
    plan: blueprint.Blueprint, behind: room.Room | None, script: str, cwd: str, env: dict[str, str]
) -> list[Any]:
    """The exit code (minus a signal) of a script, and what it printed."""
    path = os.path.join(cwd, ".said")
    with open(path, "wb") as said:
        actions = [(os.POSIX_SPAWN_DUP2, said.fileno(), fd) for fd in (1, 2)]

        def spawn() -> int:
            argv = ["bash", "-c", script]
            return os.posix_spawn(
                *("/bin/bash", argv, env), file_actions=actions, setpgroup=0, setsigmask=()
            )

        os.chdir(cwd)
        pid = entering.start_behind(plan, behind, spawn, cwd, (path,), "/bin/bash")
    status = os.waitpid(pid, 0)[1]
    with open(path, errors="replace") as said_file:
        return [os.waitstatus_to_exitcode(status), said_file.read()]


def main() -> None:
    """See the head of this file."""
    task = json.load(sys.stdin)
    if task.get("chroot"):
        os.chroot(task["chroot"])
        os.chdir("/")
    become(task.get("user"))
    aside.AVAILABLE = aside.AVAILABLE and not task.get("copied")
    found = offered(task.get("without", []))
    wanted = task.get("sandbox", {})
    lists = {name: tuple(wanted[name]) for name in ("write", "read") if name in wanted}
    sandbox = asked.Sandbox(**{**wanted, **lists})
    stands = standing.standing(sandbox, found)
    answer: dict[str, Any] = {
        "offers": found._asdict(),
        "words": [list(one) for one in offers.as_list(found)],
        "walls": stands.walls,
        "missing": stands.missing,
        "refusal": standing.refusal(sandbox, stands),
        "ended": {},
    }
    if task.get("scripts"):
        env = {"PATH": "/usr/bin:/bin", **task.get("env", {})}
        temporary = blueprint.temporary_places(env)
        places = blueprint.Places(**task["places"], temporary=temporary, root=os.geteuid() == 0)
        plan = blueprint.blueprint(sandbox, stands, places)
        began = time.perf_counter()
        behind = room.build(plan) if room.needs_room(plan) else None
        answer["built"] = time.perf_counter() - began
        cwd = os.path.realpath(places.workspace)
        for name, script in task["scripts"].items():
            answer["ended"][name] = run(plan, behind, script, cwd, env)
        if behind is not None:
            behind.end()
            if behind.first is not None:
                os.waitpid(behind.first, 0)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    assert kernel.CLONE_NEWPID  # loaded before we are somebody who may not read it
    main()
