"""What wants 4 GiB at once and may have 500 MB, in a group as an attempt has one: what it had
at most, what its limit says of it, and that its neighbour lives. For scripts/guest, or any
machine that has the controller `memory` on control groups of version 2; exit code 1 if it had 600.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from marianne.run.enclosure import Enclosure
from marianne.run.spawn import Command
from marianne.walls import cgroup_place

WANTS = "dd if=/dev/zero of=/dev/null bs=4G count=1"
LIMITS = {"max_memory_mb": 500.0}


def main() -> int:
    """The exit code."""
    place = cgroup_place.find()
    base, missing, _ = cgroup_place.prepare(place, "greedy", [os.getpid()])
    if "memory" in missing:
        print(missing["memory"])
        return 2
    enclosure = Enclosure.of(base, "job")
    env = {"PATH": os.environ["PATH"]}
    nap, _ = enclosure.spawn(Command(["sleep", "600"], env, "/tmp", os.devnull), LIMITS)
    began = time.monotonic()
    pid, group = enclosure.spawn(Command(WANTS.split(), env, "/tmp", os.devnull), LIMITS)
    assert group is not None
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seconds = time.monotonic() - began
    had = int(group.read("memory.peak") or 0) / 2**20
    beside = os.waitpid(nap, os.WNOHANG) == (0, 0)
    print(f"ended by {-ended} after {seconds:.2f} s, had {had:.0f} MB; {enclosure.over(group)}")
    print(f"its neighbour {'lives' if beside else 'was ended'}")
    enclosure.close()
    os.waitpid(nap, 0)
    return 0 if ended == -9 and 0 < had < 600 and beside else 1


if __name__ == "__main__":
    sys.exit(main())
