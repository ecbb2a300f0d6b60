"""A place that a sheet exchanges for a link, after it was looked at, is never the link's."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from walls_ground import USERS, Ground

EXCHANGED = """
import ctypes, json, os, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
from marianne.walls import asked, blueprint, entering, offers, probe, room, standing
user, without, workspace, outside, exchanged = json.loads(sys.argv[1])
if user:
    os.setgroups([]); os.setresgid(user, user, user); os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
found = offers.offers_of(probe.look(), offers.read_switches(), not user)
found = found._replace(**without)
sandbox = asked.Sandbox(write=("deep/out",), tmp="shared" if without else "private")
places = blueprint.Places(workspace, "/none", "/none", ("/tmp",), "/", not user)
plan = blueprint.blueprint(sandbox, standing.standing(sandbox, found), places)
def exchange():
    os.rename(f"{workspace}/{exchanged}", f"{workspace}/was")
    os.symlink(outside, f"{workspace}/{exchanged}")
def started(behind):
    script = f"echo x > {workspace}/deep/out/new"
    pid = entering.start_behind(
        plan, behind, lambda: os.posix_spawn("/bin/bash", ["bash", "-c", script], {}), "/", (),
        "/bin/bash")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if without:
    exchange()
try:
    behind = room.build(plan) if room.needs_room(plan) else None
    if not without:
        assert started(behind) == 0
        os.unlink(f"{workspace}/deep/out/new")
        exchange()
        behind.end()
        behind = room.build(plan)
    said = started(behind)
except room.WallError as error:
    said = error.strerror
print(json.dumps(said))
"""


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("without", [{}, {"mounts": False}], ids=["mounts", "landlock alone"])
@pytest.mark.parametrize("exchanged", ["deep", "deep/out"])
def test_a_place_that_became_a_link_is_refused(
    ground: Ground, user: int | None, without: dict[str, Any], exchanged: str
) -> None:
    """By a sheet that may write around it, between two looks of the worker's."""
    outside = ground.outside / "out" if exchanged == "deep" else ground.outside
    outside.mkdir(exist_ok=True)
    outside.chmod(0o777)
    leads_to = str(ground.outside)
    asked = [user, without, str(ground.workspace), leads_to, exchanged]
    done = subprocess.run(
        [sys.executable, "-c", EXCHANGED, json.dumps(asked)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not (outside / "new").exists()
    assert done.returncode == 0, done.stderr
    assert "symbolic links" in json.loads(done.stdout)
