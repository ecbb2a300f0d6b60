"""The files of a running conductor are another version's: it is ended and replaced all the same, by
itself when somebody asks for a part of it that it has not loaded."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

ROOT = Path(__file__).parents[2]
HELD = "sheets:\n  - {name: a, run: 'until test -e go; do sleep 0.02; done'}\n"

pytestmark = pytest.mark.slow


class Copy(Marianne):
    """A conductor that runs from a copy of the packages."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.packages = place / "packages"
        for package in ("actors", "ipc", "marianne"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / package, self.packages / package, ignore=ignored)
        self.env |= {"PYTHONPATH": str(self.packages), "MARIANNE_LOG_LEVEL": "debug"}

    def from_copy(self, *argv: str) -> None:
        code = "import sys; from marianne.cli.main import main; sys.exit(main())"
        subprocess.run(
            [sys.executable, "-c", code, *argv], env=self.env, cwd=self.place, check=True
        )

    def log(self) -> str:
        file = self.home / "logs" / "conductor.log"
        return file.read_text() if file.exists() else ""

    def add(self, module: str, line: str) -> None:
        """As pip does it: the file goes, and another one is put into its place."""
        file = self.packages / module
        text = file.read_text()
        file.unlink()
        file.write_text(f"{text}\n{line}\n")

    def change_files(self) -> None:
        """What has not been imported yet asks for what the loaded rest has not."""
        for file in (self.packages / "marianne" / "daemon" / "api" / "handlers").glob("*.py"):
            if file.name != "__init__.py":
                text = file.read_text().replace("from __future__ import annotations\n", "", 1)
                new = "from __future__ import annotations\nfrom marianne.version import NEW\n"
                file.write_text(new + text)
        version = self.packages / "marianne" / "version.py"
        version.write_text(version.read_text() + "\nNEW = 2\n")


@pytest.fixture
def copy(tmp_path: Path):
    one = Copy(tmp_path)
    yield one
    one("stop", "--force", code=None)
    until(lambda: not one.processes())
    assert one.mistakes() == []


def held(copy: Copy) -> int:
    copy.from_copy("start")
    until(lambda: '"settled"' in copy.log())  # it has looked at its files
    copy.submit("x", HELD)
    until(lambda: copy.sheet("x", 1)["status"] == "running")
    copy.change_files()
    return copy.pids()["conductor"]


def test_it_is_replaced_while_sheets_go_on(copy: Copy) -> None:
    old = held(copy)
    copy.from_copy("restart")
    assert copy.pids()["conductor"] != old
    (copy.place / "x" / "go").touch()
    assert copy.wait("x")["sheets"][0]["attempt"] == 1


@pytest.mark.parametrize("mode", [(), ("--force",), ("--cancel",)])
def test_it_is_stopped(copy: Copy, mode: tuple[str, ...]) -> None:
    held(copy)
    copy.from_copy("stop", *mode)
    until(lambda: not copy.processes())


def test_it_drains(copy: Copy) -> None:
    held(copy)
    (copy.place / "x" / "go").touch()
    copy.from_copy("stop", "--drain")
    copy.from_copy("start")
    assert copy.wait("x")["sheets"][0]["attempt"] == 1


def test_what_is_not_loaded_is_answered_by_a_conductor_of_the_new_files(copy: Copy) -> None:
    old = held(copy)
    heart = copy.pids()["heart"]
    # A busy machine may take longer for it than a client asks again.
    until(lambda: copy("history", "x", code=None).code == 0, 120.0)
    assert copy.pids()["conductor"] != old
    assert copy.pids()["heart"] == heart
    (copy.place / "x" / "go").touch()
    assert copy.wait("x")["sheets"][0]["attempt"] == 1


def test_files_that_are_of_no_use_replace_nobody_and_what_is_loaded_goes_on(copy: Copy) -> None:
    old = held(copy)
    # It cannot read what the running one has written.
    copy.add("marianne/state/migrations/__init__.py", "MIGRATIONS = MIGRATIONS[:-1]")
    done = copy("history", "x", code=1)
    assert "job_history.py is not what it was when the conductor started" in done.err
    assert "its files have changed" in done.err
    restart = subprocess.run(
        [sys.executable, "-m", "marianne.cli", "restart"],
        env=copy.env, cwd=copy.place, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert restart.returncode == 1
    assert "use the newer Marianne that wrote it" in restart.stderr
    assert "the conductor that runs goes on" in restart.stderr
    (copy.place / "x" / "go").touch()
    assert copy.wait("x")["sheets"][0]["attempt"] == 1
    copy.submit("y", "sheets: [{name: a, run: 'true'}]\n")
    copy.wait("y")
    assert copy.pids()["conductor"] == old
    assert "program_replaced" in copy.log()
    assert "program_not_usable" in copy.log()
