"""A conductor under a real systemd: a user's manager with places and control groups of its own.

A manager takes the control group that it is started in for its own, and all processes in there: it
must never be the one that others are in.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, until

SYSTEMD = Path("/usr/lib/systemd/systemd")
PLACES = "mount -t tmpfs none /run && mkdir -p /run/systemd/system && mkdir -m 700 /run/user"
GROUPS = Path("/sys/fs/cgroup")
NO_GROUPS = 77
OWN_GROUPS = f"""
for place in {GROUPS} {GROUPS}/*; do
    [ -e $place/cgroup.procs ] && mkdir $place/$1 && echo $$ > $place/$1/cgroup.procs
done 2> /dev/null
grep -E '^(0::|[0-9]+:(name=systemd|pids|memory|cpu):)' /proc/self/cgroup > $2
grep -v "/$1$" $2 > /dev/null && exit {NO_GROUPS}
"""
HELD = """sheets:
  - name: a
    run: cat /proc/self/cgroup > at.new; mv at.new at; until test -e go; do sleep 0.02; done
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or not SYSTEMD.exists() or not shutil.which("systemctl"),
        reason="needs root and systemd (apt install systemd), which need not be what runs here",
    ),
]


class Manager:
    """A user's manager, and what is called where it is."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.home = place / ".local" / "state" / "marianne"
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
        self.env = keep | {"HOME": str(place), "XDG_RUNTIME_DIR": "/run/user"}
        self.group = f"marianne-test-{os.getpid()}"
        script = f"{OWN_GROUPS}\n{PLACES} && exec {SYSTEMD} --user --log-target=null"
        argv = ["unshare", "--mount", "sh", "-c", script, "sh", self.group, str(place / "groups")]
        self.process = subprocess.Popen(argv, env=self.env, stderr=subprocess.DEVNULL)

    def call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        where = ["nsenter", f"--target={self.process.pid}", "--mount", f"--wd={self.place}"]
        return subprocess.run(
            [*where, *argv], env=self.env, capture_output=True, text=True, check=False
        )

    def __call__(self, *argv: str) -> str:
        done = self.call(str(PROGRAM), *argv)
        assert done.returncode == 0, (argv, done.stdout, done.stderr)
        return done.stdout

    def shown(self, name: str) -> str:
        """A property of the unit."""
        argv = ["systemctl", "--user", "show", "marianne.service", "--value", "-p", name]
        return self.call(*argv).stdout.strip()

    def pids(self) -> list[int]:
        """The conductor's and the heart's."""
        return [int(word) for word in (self.home / "conductor.pid").read_text().split()]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path)
    try:
        running = ["systemctl", "--user", "is-system-running"]
        until(lambda: one.process.poll() is not None or one.call(*running).stdout == "running\n")
        if one.process.poll() is not None:
            pytest.skip("systemd does not run here: no namespaces, or no control groups")
        yield one
    finally:
        one.process.terminate()  # with all its units
        try:
            one.process.wait(60)
        finally:
            one.process.kill()
            # Where OWN_GROUPS made them; deeper down others' groups come and go meanwhile.
            for place in (GROUPS / one.group, *GROUPS.glob(f"*/{one.group}")):
                below = [path for path in place.rglob("*") if path.is_dir()]
                for path in (*sorted(below, reverse=True), *([place] if place.exists() else [])):
                    path.rmdir()


def test_systemd_keeps_the_heart_the_heart_the_conductor_and_a_stop_is_a_stop(
    manager: Manager,
) -> None:
    manager("service", "install")
    conductor, heart = manager.pids()
    assert manager.shown("MainPID") == str(heart)
    (manager.place / "x.yaml").write_text(f"name: x\nworkspace: ./x\n{HELD}")
    manager("run", "x.yaml")
    until(lambda: "running" in manager("status", "x"))
    delegated, base = manager.shown("ControlGroup"), manager.home / "cgroup"
    assert manager.shown("Delegate") == "yes"
    until((manager.place / "x" / "at").exists)
    assert f"{delegated}/marianne-" in base.read_text()
    [at] = re.findall(r"^0::(.+)$", (manager.place / "x" / "at").read_text(), re.MULTILINE)
    assert at.startswith(f"{delegated}/marianne-"), "a sheet stands in a group that it delegated"
    os.kill(conductor, signal.SIGKILL)
    until(lambda: manager.call(str(PROGRAM), "ready").returncode == 0)
    assert manager.shown("MainPID") == str(heart)
    os.kill(heart, signal.SIGKILL)
    until(lambda: manager.shown("NRestarts") == "1" and manager.shown("ActiveState") == "active")
    assert manager.call("systemctl", "--user", "reload", "marianne").returncode == 0
    (manager.place / "x" / "go").touch()
    manager("wait", "x")
    manager("stop")
    until(lambda: manager.shown("ActiveState") == "inactive")
    assert manager.shown("Result") == "success"
    manager("service", "uninstall")
    assert manager.call(str(PROGRAM), "service", "status").returncode == 1


def test_what_another_start_would_not_mend_is_not_tried_again(manager: Manager) -> None:
    manager.home.mkdir(parents=True, mode=0o700)
    (manager.home / "conductor.yaml").write_text("sheet_grace_seconds: 3\n")
    manager("service", "install")
    assert manager.shown("TimeoutStopUSec") == "1min 3s"
    (manager.home / "conductor.yaml").write_text("max_concurrent_jobs: many\n")

    def given_up() -> bool:
        manager.call("systemctl", "--user", "restart", "marianne")  # it may be asked more than once
        return manager.shown("ActiveState") == "failed"

    until(given_up)
    assert (manager.shown("ExecMainStatus"), manager.shown("NRestarts")) == ("2", "0")
