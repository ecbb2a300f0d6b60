"""Whatever looks like ours and is not is never signalled: a stranger notes what it gets."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from orphan_home import MARIANNE, Home, field, kill, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

# Notes every signal that can be caught and goes on. Its name and arguments are the caller's.
STRANGER = """
import os, signal, sys
notes = sys.argv[1]
def note(signum, frame):
    with open(notes, "a") as file:
        print(signum, file=file)
for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
    signal.signal(signum, note)
with open(notes + ".pid", "w") as file:
    file.write(str(os.getpid()))
while True:
    signal.pause()
"""


class Stranger:
    """A process of this user with parent 1, in a session of its own."""

    def __init__(self, notes: Path, *words: str, env: dict[str, str], cwd: Path) -> None:
        self.notes = notes
        line = [sys.executable, "-c", STRANGER, str(notes), *words]
        subprocess.run(["setsid", "-f", *line], env=env, cwd=cwd, check=True)
        said = notes.with_name(notes.name + ".pid")
        wait_for(lambda: said.exists() and said.read_text())
        self.pid = int(said.read_text())
        self.started = int(field(self.pid, 22))

    def untouched(self) -> bool:
        return field(self.pid, 22) == str(self.started) and not self.notes.exists()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


@pytest.fixture
def strangers(home: Home) -> Iterator[list[Stranger]]:
    """Processes that resemble a worker, a sheet of this job, and a sheet of another home."""
    home.workspace.mkdir()
    plain = {"PATH": os.environ["PATH"]}
    sheet = {"MARIANNE_JOB_ID": "nasty", "MARIANNE_SHEET": "1", "MARIANNE_ATTEMPT": "1"}
    other = sheet | {"MARIANNE_OWNER": "0" * 32, "MARIANNE_WORKSPACE": str(home.workspace)}
    made = []
    for name, words, env, cwd in (
        ("worker", ["from multiprocessing.forkserver import main; main(4, 6)"], plain, "/"),
        ("sheet", ["bash", "1.1.prompt"], plain | sheet, "/"),
        ("other", ["sleep", "600"], plain | other, str(home.workspace)),
    ):
        made.append(Stranger(home.folder / name, *words, env=env, cwd=Path(cwd)))
    yield made
    for one in made:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)


def test_no_stranger_is_signalled_by_any_sweep(home: Home, strangers: list[Stranger]) -> None:
    home.run()
    kill(home.worker)
    assert home.ends("completed")["attempt"] == 2
    (home.workspace / "up").unlink()
    home.run()
    home.must("cancel", "nasty-2", "--yes")
    home.must("stop", "--force")
    assert [one.pid for one in strangers if not one.untouched()] == []


@pytest.mark.parametrize("off_by", [1, -1])
def test_a_recorded_pid_with_another_start_time_is_a_stranger(
    home: Home, strangers: list[Stranger], off_by: int
) -> None:
    home.run(["plain child", "setsid child"])
    kill(home.heart, home.conductor, home.forkserver, home.worker)
    with contextlib.closing(sqlite3.connect(home.path / "state.db")) as db, db:
        db.execute(
            "UPDATE jobs SET worker_pid = ?, worker_start_time = ?",
            (strangers[0].pid, strangers[0].started + off_by),
        )
    home.must("start")
    assert home.ends("completed")["attempt"] == 2
    home.must("stop")
    assert [one.pid for one in strangers if not one.untouched()] == []


def test_what_was_there_before_the_conductor_stays(home: Home) -> None:
    """A shell's sidecar before `exec`, and a neighbour in the shell's group (`| tee log`)."""
    sidecars_first = "setsid sleep 600 & echo $! > sidecar; sleep 601 & echo $! >> sidecar"
    shell = f"{sidecars_first}; exec {MARIANNE} start --foreground"
    conductor = subprocess.Popen(
        ["sh", "-c", shell], env=home.env, cwd=home.folder, process_group=0
    )
    neighbour = subprocess.Popen(["sleep", "602"], process_group=conductor.pid)
    sidecars: list[int] = []
    try:
        wait_for(home.serves)
        sidecars = [int(word) for word in (home.folder / "sidecar").read_text().split()]
        home.run(["plain child", "setsid child"])
        kill(home.worker)
        assert home.ends("completed")["attempt"] == 2
        home.must("stop")
        assert conductor.wait(10) == 0
        assert len(sidecars) == 2
        assert all(field(pid, 3) for pid in (*sidecars, neighbour.pid))
    finally:
        for pid in sidecars:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in (neighbour, conductor):
            process.kill()
            process.wait()


AS_PROCESS_1 = """
import os, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
from marianne.run import confine
assert os.getpid() == 1
confine.become_subreaper()
for owner in ("ours", "theirs"):
    line = f"sleep 600 & echo $! > {sys.argv[2]}/{owner}"
    subprocess.run(["setsid", "-w", "sh", "-c", line], env=os.environ | {"MARIANNE_OWNER": owner})
print([one.pid for one in confine.adopted("ours")])
"""


def test_process_1_of_a_container_ends_only_orphans_that_carry_the_mark(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    within = ["unshare", "-pf", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*within, sys.executable, "-c", AS_PROCESS_1, root, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in done.stderr:
        pytest.skip("no namespaces for this user")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"[{(tmp_path / 'ours').read_text().strip()}]"
