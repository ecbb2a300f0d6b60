"""Who of the processes below a conductor is one of its group, and ends with it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, subprocess, sys, time
from marianne.daemon.log import early_lines
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.run import procfs
from marianne.run.confine import become_subreaper

group, before = ProcessGroupManager(), os.getpgrp()
group.setup()
assert group.is_leader and group.original_pgid == before != os.getpgrp()
assert f"'before': {before}" in early_lines()[0]
inherited = subprocess.Popen(["sleep", "10"])
become_subreaper()
ours = subprocess.Popen(["bash", "-c", "sleep 10 & echo $!; wait"], stdout=subprocess.PIPE)
below = int(ours.stdout.readline())
stranger = subprocess.Popen(["sleep", "10"], process_group=0)
assert group.kill_all_children(0) == os.getpgrp()
group.end_all_children()
assert group.kill_all_children(0) == 0
alive = [procfs.stat(pid) for pid in (inherited.pid, ours.pid, below, stranger.pid)]
print(*(one is not None and not one.dead for one in alive))
for one in (inherited, stranger):
    one.kill()
    one.wait()
ours.wait()
"""


def test_the_whole_group_below_it_ends_and_nobody_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True", "False", "False", "True"]), (
        done.stderr
    )
