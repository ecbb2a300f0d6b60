"""Starting a conductor when things are not as usual: closed streams, one that still stops."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_start_with_closed_streams_is_a_start(marianne: Marianne, closed: str) -> None:
    def closing(words: str) -> int:
        line = f"exec {PROGRAM} {words} {closed}"
        return subprocess.run(["bash", "-c", line], env=marianne.env, check=False).returncode

    assert closing("start") == 0
    assert marianne.serves()
    assert closing("status nobody") == 4
    assert closing("stop") == 0
    assert marianne.processes() == {}


def test_a_start_while_another_conductor_stops_starts_the_next_one(marianne: Marianne) -> None:
    marianne.submit(
        "stubborn", "sheets:\n  - {name: a, run: 'trap : TERM; touch up; sleep 1; sleep 1'}\n"
    )
    until((marianne.place / "stubborn" / "up").exists)
    old = marianne.pids()["conductor"]
    stop = subprocess.Popen([PROGRAM, "stop"], env=marianne.env, stdout=subprocess.DEVNULL)
    until(lambda: "stopping" in (marianne.home / "conductor.pid").read_text())
    said = marianne("start", "--json").json
    assert stop.wait() == 0
    assert said == {"pid": marianne.pids()["conductor"], "already_running": False}
    assert said["pid"] != old


def test_a_start_that_cannot_wait_for_the_stop_says_so(marianne: Marianne) -> None:
    marianne.submit("slow", "sheets:\n  - {name: a, run: 'touch up; sleep 3'}\n")
    until((marianne.place / "slow" / "up").exists)
    stop = subprocess.Popen(
        [PROGRAM, "stop", "--drain"], env=marianne.env, stdout=subprocess.DEVNULL
    )
    until(lambda: "stopping" in (marianne.home / "conductor.pid").read_text())
    assert "still stopping" in marianne("start", "--timeout", "200ms", code=3).err
    assert stop.wait() == 0


def _soft_limits(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return {line[:26].strip(): line[26:].split()[0] for line in lines[1:]}


def test_ours_have_many_files_and_no_cores_and_sheets_what_the_start_had(
    marianne: Marianne,
) -> None:
    shell = f"ulimit -Sn 300; ulimit -Sc 1000; exec {PROGRAM} start"
    subprocess.run(["bash", "-c", shell], env=marianne.env, check=True, timeout=60)
    old = marianne.pids()["conductor"]
    os.kill(old, signal.SIGKILL)  # the next one has them from the heart
    until(lambda: marianne.pids()["conductor"] != old and marianne.serves())
    pids = marianne.pids()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(_soft_limits(pids["conductor"])["Max open files"]) == hard
    for pid in pids.values():
        assert _soft_limits(pid)["Max core file size"] == "0"
    # While the worker starts a program it lends it the limit, and takes it back a moment later.
    script = (
        "ulimit -Sn > n; ulimit -Sc > c; until cat /proc/$PPID/limits > worker &&"
        " grep -q 'core file size *0 ' worker; do sleep 0.05; done"
    )
    sheet = f'{{name: a, timeout: 20s, run: "{script}"}}'
    marianne("run", marianne.score("job", f"sheets: [{sheet}]"), "--wait")
    place = marianne.place / "job"
    assert ((place / "n").read_text(), (place / "c").read_text()) == ("300\n", "1000\n")
    core = next(li for li in (place / "worker").read_text().splitlines() if "core file" in li)
    assert core.split()[4] == "0"


def test_a_heart_that_dies_while_its_conductor_boots_leaves_one_that_serves(
    marianne: Marianne,
) -> None:
    start = subprocess.Popen([PROGRAM, "start"], env=marianne.env, stdout=subprocess.PIPE)

    def booting() -> bool:
        try:
            return len((marianne.home / "conductor.pid").read_text().split()) >= 2
        except FileNotFoundError:
            return False

    until(booting)
    pids = marianne.pids()
    os.kill(pids["conductor"], signal.SIGSTOP)
    os.kill(pids["heart"], signal.SIGKILL)
    os.kill(pids["conductor"], signal.SIGCONT)
    said = start.communicate(timeout=40)[0].decode()
    assert (start.returncode, marianne.serves()) == (0, True), said
    ready = marianne("ready", "--json", code=1).json
    assert ready["heart_lost"] is True
    marianne("stop")
    assert marianne.processes() == {}


def test_killed_conductors_leave_nothing_among_the_temporary_files(tmp_path: Path) -> None:
    temporary = tmp_path / ("t" * 80)
    temporary.mkdir()
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        marianne = Marianne(Path(place))
        marianne.env["TMPDIR"] = str(temporary)  # too long a name for the forkserver's socket
        marianne("start")
        for _ in range(2):
            pid = marianne.pids()["conductor"]
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: marianne.pids()["conductor"] != pid and marianne.serves(), 60)
        marianne("stop")
        assert list(temporary.iterdir()) == []
        assert list((marianne.home / "tmp").iterdir()) == []
