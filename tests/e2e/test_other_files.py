"""The files of a running conductor are another version's: it is ended and replaced all the same."""

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
        self.env["PYTHONPATH"] = str(self.packages)

    def from_copy(self, *argv: str) -> None:
        code = "import sys; from marianne.cli.main import main; sys.exit(main())"
        subprocess.run(
            [sys.executable, "-c", code, *argv], env=self.env, cwd=self.place, check=True
        )

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


def held(copy: Copy) -> int:
    copy.from_copy("start")
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


def test_what_cannot_be_loaded_is_said_and_the_rest_goes_on(copy: Copy) -> None:
    held(copy)
    done = copy("history", "x", code=1)
    assert "its files have changed" in done.err
    assert copy.sheet("x", 1)["status"] == "running"
