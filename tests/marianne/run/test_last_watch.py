"""Who waits for the death of all of ours holds nothing of theirs but what it waits for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from marianne.run.last_watch import LastWatch
from marianne.walls.cgroups import Group


def wait_for(condition: Callable[[], object], timeout: float = 60.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.005)


def test_it_ends_the_group_and_takes_it_away_once_nobody_holds_its_lock_and_not_before(
    yard: Path, tmp_path: Path
) -> None:
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    high = os.dup2(lock, 40, inheritable=True)
    job = Group.make(f"{yard}/job")
    pid = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
    job.write("cgroup.procs", str(pid))
    watch = LastWatch()
    try:
        watch.begin(str(yard))
        wait_for(lambda: b"flock" in Path(f"/proc/{watch.pid}/cmdline").read_bytes())
        open_there = {os.readlink(one) for one in Path(f"/proc/{watch.pid}/fd").iterdir()}
        assert str(tmp_path / "lock") not in open_there
        assert job.pids() == [pid]
        os.close(watch._lock)
        wait_for(lambda: not job.populated)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        os.waitpid(watch.pid, 0)
        assert not yard.exists()
    finally:
        os.close(high)
        os.close(lock)
