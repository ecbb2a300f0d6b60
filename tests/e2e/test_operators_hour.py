"""An operator's hour with what a stranger installs: a wheel, a unit, figures, words, kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until
from test_metrics import free_port, value
from test_package import SITE, build, wheel_of
from test_upgrade import content, old_home
from test_webhooks import Hook, hook

from marianne.daemon.shared.log_file import LIMIT

__all__ = ["hook"]

SHEETS = "sheets:\n" + "".join(
    f"  - {{name: s{n}, run: 'until test -e go{n}; do sleep 0.02; done'}}\n" for n in range(4)
)

CONFIG = """
metrics: {{listen: "127.0.0.1:{port}"}}
notifications:
  - {{type: webhook, on_events: [sheet_complete, job_complete], config: {{url: "{url}"}}}}
"""


class Installed(Marianne):
    """The program of an environment of its own, with what it needs of others from ours."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        build(Path(__file__).parents[2], place / "dist", "-t", "wheel")
        self.clean = place / "clean"
        venv.create(self.clean, symlinks=True)
        python = str(self.clean / "bin" / "python")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-index"]
        wheel = str(wheel_of(place / "dist"))
        subprocess.run([*pip, "--no-deps", wheel], check=True, capture_output=True)
        [site] = (self.clean / "lib").glob("python*/site-packages")
        (site / "others.pth").write_text(f"{SITE}\n")
        self.env = {k: v for k, v in self.env.items() if not k.startswith("PYTHON")}

    def typed(self, *argv: str, code: int = 0) -> str:
        """What the installed program prints; it exits so."""
        program = str(self.clean / "bin" / "marianne")
        done = subprocess.run(
            [program, *argv],
            cwd=self.place,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, (argv, done)
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    program = Installed(tmp_path_factory.mktemp("hour"))
    program.home.mkdir(mode=0o700)
    yield program
    program.typed("stop", "--force")
    until(lambda: not program.processes())


@pytest.mark.timeout(300)
def test_an_hour_goes_by(installed: Installed, hook: Hook) -> None:
    port, config = free_port(), installed.home / "conductor.yaml"
    config.write_text(CONFIG.format(port=port, url=hook.url))

    # The service: systemd has nothing against the unit.
    unit = installed.place / "marianne.service"
    unit.write_text(installed.typed("service", "install", "--print"))
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:
        argv = [analyze, "verify", "--man=no", "--recursive-errors=no", str(unit)]
        checked = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")

    # What earlier weeks have logged is too much by now: it is put away by itself.
    log = installed.home / "logs" / "conductor.log"
    log.parent.mkdir(mode=0o700)
    head = '{"ts": "2026-11-01T00:00:00.000000Z", "level": "info", "event": "of_old", "why": "'
    line = f'{head}{"x" * 60_000}"}}\n'
    log.write_text(line * (LIMIT // len(line) + 1))

    # Start and run: where the program lies is where it was installed.
    installed.typed("start")
    conductor = installed.pids()["conductor"]
    assert str(installed.clean) in installed.processes()[conductor]
    installed.typed("run", installed.score("first", "sheets: [{name: a, run: 'true'}]\n"), "--wait")
    until(lambda: len(hook.told) == 2)

    until(lambda: "conductor_started" in log.read_text())
    assert "of_old" not in log.read_text()
    assert log.with_name("conductor.log.1").stat().st_size > LIMIT
    assert "of_old" in installed.typed("logs", "-n", "50")

    # The log is put away by hand.
    log.rename(log.with_name("away"))
    os.kill(conductor, signal.SIGHUP)
    until(lambda: log.exists() and "reloaded" in log.read_text())

    # The configuration is broken: that is said, with its place, and nothing changes.
    good = config.read_text()
    config.write_text(good + "max_concurrent_jbos: 3\n")
    said = installed.typed("reload", code=2)
    assert "conductor.yaml:5" in said
    assert "max_concurrent_jobs" in said
    installed.typed("config", "check", code=2)
    assert installed.pids()["conductor"] == conductor
    config.write_text(good)
    installed.typed("reload")

    # Figures, by HTTP.
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        figures = answer.read().decode()
    assert value(figures, 'marianne_jobs{status="completed"}') == 1
    promtool = shutil.which("promtool")
    if promtool is not None:
        argv = [promtool, "check", "metrics"]
        found = subprocess.run(argv, input=figures, capture_output=True, text=True, check=False)
        assert (found.returncode, found.stderr) == (0, "")

    # Three kills: each fact is told once.
    job = json.loads(installed.typed("run", installed.score("work", SHEETS), "--json"))["job_id"]
    for n in range(4):
        until((installed.place / "work").is_dir)
        (installed.place / "work" / f"go{n}").touch()
        until(lambda n=n: sum(b["job_id"] == job for b in list(hook.told)) > n)
        until(lambda: value(installed("metrics").out, "marianne_notices_waiting") == 0)
        if n < 3:
            killed = installed.pids()["conductor"]
            os.kill(killed, signal.SIGKILL)
            until(lambda killed=killed: installed.pids()["conductor"] != killed)
            until(installed.serves)
    installed.typed("wait", job)
    until(lambda: sum(b["job_id"] == job for b in list(hook.told)) == 5)
    until(lambda: value(installed("metrics").out, "marianne_notices_waiting") == 0)
    facts = [(b["event"], b["sheet_num"] or 0) for b in hook.told if b["job_id"] == job]
    assert sorted(facts) == [("job_complete", 0), *(("sheet_complete", n) for n in range(1, 5))]
    words = installed.typed("logs", "-n", "1000")
    assert words.count("the conductor died (killed by signal 9)") == 3


def test_a_home_of_an_older_version_goes_on_and_one_of_a_newer_is_refused(
    installed: Installed,
) -> None:
    with old_home() as old:
        home = ("--home", str(old.home))
        installed.typed(*home, "start")
        listed = json.loads(installed.typed(*home, "list", "--all", "--json"))
        assert {(job["job_id"], job["status"]) for job in listed} == {
            *(("done", "completed"), ("night", "failed"), ("held", "paused"))
        }
        installed.typed(*home, "resume", "held")
        installed.typed(*home, "wait", "held")
        installed.typed(*home, "stop")
        with closing(sqlite3.connect(old.home / "state.db")) as database:
            database.execute("PRAGMA user_version = 1000")
        before = content(old.home)
        assert "use the newer Marianne that wrote it" in installed.typed(*home, "start", code=3)
        assert content(old.home) == before
