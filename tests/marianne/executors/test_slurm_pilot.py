"""A pilot by itself: a real process with a real warden, and a test in the place of Slurm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from warden_stage import alive, until

MARK = "a-mark"
OWN = ["unshare", "--user", "--map-root-user", "--mount"]
MOUNTED = """
for disk in full read-only; do
    mkdir -p "$1/$disk"
    mount -t tmpfs -o size=64k none "$1/$disk"
done
cat /dev/zero > "$1/full/all" 2> /dev/null
mount -o remount,ro "$1/read-only"
shift
exec "$@"
"""
BAD = {"full": "its disk is full (No space left on device)", "read-only": "Read-only file system"}
"""By what is wrong with a disk: how that is said."""


class Stage:
    """``start`` makes a pilot of this directory; all are ended with the test."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = place / f"marianne-{os.getuid()}" / f"{MARK}-7"
        self.pilots: list[subprocess.Popen[bytes]] = []

    def start(self, above: list[str] | None = None) -> subprocess.Popen[bytes]:
        argv = [*(above or ()), sys.executable, "-m", "marianne.executors.slurm.pilot"]
        env = {**os.environ, "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"}
        with open(self.place / "err", "ab") as err:
            pilot = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=err, env=env)
        self.pilots.append(pilot)
        warden = {"owner": "o" * 32, "lease_seconds": 60.0, "sheet_grace_seconds": 0.5}
        settings = {"parent": str(self.place), "mark": MARK, "warden": warden}
        assert pilot.stdin is not None
        pilot.stdin.write(json.dumps(settings).encode() + b"\n")
        pilot.stdin.close()
        return pilot

    def wardens(self) -> list[int]:
        """Of this directory, when one listens."""
        return alive(str(self.home)) if (self.home / "warden.sock").exists() else []


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for pilot in stage.pilots:
        if pilot.poll() is None:
            pilot.terminate()
        pilot.wait(60.0)
    until(lambda: not alive(str(stage.home)))


def test_it_has_a_warden_until_slurm_wants_the_allocation_back(stage: Stage) -> None:
    pilot = stage.start()
    assert len(until(stage.wardens)) == 1
    pilot.terminate()
    assert pilot.wait(60.0) == 0
    assert not alive(str(stage.home))
    assert not stage.home.exists()


@pytest.mark.slow
def test_a_warden_that_dies_is_replaced(stage: Stage) -> None:
    stage.start()
    (first,) = until(stage.wardens)
    os.kill(first, signal.SIGKILL)
    until(lambda: (found := stage.wardens()) and found != [first])


def test_begun_a_second_time_it_leaves_the_first_alone(stage: Stage) -> None:
    stage.start()
    (warden,) = until(stage.wardens)
    again = stage.start()
    assert again.wait(60.0) == 0
    assert stage.wardens() == [warden]
    assert "has begun before" in (stage.place / "err").read_text()


def above(place: Path) -> list[str]:
    """What is put before a command for which each of them is at its name in this place; skips the
    test where nobody may mount."""
    try:
        subprocess.run([*OWN, "mount", "-t", "tmpfs", "none", "/mnt"], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no mount namespaces here")
    return [*OWN, "bash", "-c", MOUNTED, "bash", str(place)]


@pytest.mark.parametrize("disk", BAD)
def test_where_it_can_keep_nothing_its_last_word_is_why_and_what_to_do(
    stage: Stage, tmp_path: Path, disk: str
) -> None:
    stage.place = tmp_path / disk
    stage.place.mkdir()
    pilot = stage.start(above(tmp_path))
    assert pilot.wait(60.0) == 1
    last = (stage.place / "err").read_text().splitlines()[-1]
    assert f": node n1-7: {stage.place}" in last
    assert BAD[disk] in last
    assert "set node_directory of the executor" in last


@pytest.mark.slow
def test_when_who_is_above_it_dies_it_ends_all(stage: Stage) -> None:
    shell = stage.start(["sh", "-c", '"$@"; true', "sh"])
    until(stage.wardens)
    shell.kill()
    until(lambda: not alive(str(stage.home)) and not stage.home.exists())
    assert "the slurmstepd of this allocation is gone" in (stage.place / "err").read_text()
