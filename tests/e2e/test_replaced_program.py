"""The program's files are replaced beneath a running conductor, as an upgrade does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

import marianne as product

HERE = Path(product.__file__).parent.parent
HISTORY = "marianne/daemon/api/handlers/job_history.py"
SLOW = (
    "sheets: [{name: slow, run: 'echo begun >> ledger; until test -e go; do sleep 0.05; done'}]\n"
)


class Installed(Marianne):
    """One whose program is a copy that a test may change."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.lib = place / "lib"
        for package in ("actors", "ipc", "marianne"):
            shutil.copytree(
                HERE / package, self.lib / package, ignore=shutil.ignore_patterns("__pycache__")
            )
        self.env |= {"PYTHONPATH": str(self.lib), "MARIANNE_LOG_LEVEL": "debug"}

    def call(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "marianne.cli", *argv],
            env=self.env, cwd=self.place, text=True, capture_output=True, timeout=120, check=False,
        )  # fmt: skip

    def replace(self, module: str, more: str) -> None:
        """As pip does it: the file goes, and another one is put into its place."""
        file = self.lib / module
        text = file.read_text()
        file.unlink()
        file.write_text(text + more)


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installed]:
    program = Installed(tmp_path)
    started = program.call("start")
    assert started.returncode == 0, started.stderr
    until(lambda: '"settled"' in _log(program))  # it has looked at its files
    try:
        yield program
    finally:
        program.call("stop", "--force")
    until(lambda: not program.processes())
    assert program.mistakes() == []


def _log(installed: Installed) -> str:
    file = installed.home / "logs" / "conductor.log"
    return file.read_text() if file.exists() else ""


def test_a_request_for_what_was_replaced_is_answered_by_a_conductor_of_the_new_files(
    installed: Installed,
) -> None:
    assert installed.call("run", installed.score("slow", SLOW), "--id", "slow").returncode == 0
    until((installed.place / "slow" / "ledger").exists)
    before = installed.pids()
    installed.replace(
        HISTORY, "\n_found = handle\ndef handle(call, params):\n    return _found(call, params)\n"
    )
    answer = installed.call("history", "slow")
    assert answer.returncode == 0, answer.stderr
    after = installed.pids()
    assert after["conductor"] != before["conductor"]
    assert after["heart"] == before["heart"]
    (installed.place / "slow" / "go").touch()
    assert installed.call("wait", "slow", "--timeout", "50").returncode == 0
    assert (installed.place / "slow" / "ledger").read_text() == "begun\n"


def test_files_that_are_of_no_use_replace_nobody_and_what_is_loaded_goes_on(
    installed: Installed,
) -> None:
    before = installed.pids()
    older = "MIGRATIONS = MIGRATIONS[:-1]"  # it cannot read what the running one has written
    installed.replace("marianne/state/migrations/__init__.py", f"\n{older}\n")
    installed.replace(HISTORY, "\n")
    done = installed.call(
        "run", installed.score("job", "sheets: [{name: a, run: 'true'}]\n"), "--id", "job"
    )
    assert done.returncode == 0, done.stderr
    answer = installed.call("history", "job")
    assert answer.returncode == 1
    assert "job_history.py is not what it was when the conductor started" in answer.stderr
    assert "marianne restart" in answer.stderr
    assert installed.pids() == before
    answer = installed.call("restart")
    assert answer.returncode == 1
    assert "use the newer Marianne that wrote it" in answer.stderr
    assert "the conductor that runs goes on" in answer.stderr
    assert installed.call("status", "job").returncode == 0
    assert installed.pids() == before
    assert "program_replaced" in _log(installed)
    assert "program_not_usable" in _log(installed)
