"""A conductor as the first process of a container: it buries what it adopts, and ends in order."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until

SPACES = ["--user", "--map-root-user", "--mount", "--pid"]
SHEET = """sheets:
  - {name: a, run: 'trap "echo told > told; exit 3" TERM; touch up; sleep 600 & wait'}
"""
HELD = "sheets: [{name: a, run: 'until test -e go; do sleep 0.05; done'}]\n"


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return ""


class Container:
    """``first`` is its first process, as this machine numbers it."""

    def __init__(self, marianne: Marianne, outer: subprocess.Popen[bytes]) -> None:
        self.marianne, self.outer = marianne, outer
        (self.first,) = until(lambda: _children(outer.pid))
        self._enter = ["nsenter", "--target", str(self.first), "--user", "--mount", "--pid"]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, *argv],
            env=self.marianne.env,
            cwd=self.marianne.place,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def verb(self, *argv: str) -> str:
        done = self.run(str(PROGRAM), *argv)
        assert done.returncode == 0, done
        return done.stdout

    def ready(self) -> bool:
        return self.run(str(PROGRAM), "ready").returncode == 0

    def zombies(self) -> list[int]:
        return [pid for pid in _children(self.first) if _state(pid) == "Z"]


@contextmanager
def container(marianne: Marianne, *options: str) -> Iterator[Container]:
    """One whose only program is a conductor."""
    argv = ["unshare", *SPACES, "--fork", "--kill-child", "--mount-proc"]
    command = [*argv, str(PROGRAM), "start", "--foreground", *options]
    err = marianne.place / "err"
    with err.open("wb") as file, subprocess.Popen(command, env=marianne.env, stderr=file) as outer:
        try:
            yield Container(marianne, outer)
        finally:
            outer.kill()


@pytest.fixture
def place(tmp_path: Path) -> Marianne:
    """A home without a conductor that anybody else could ask."""
    done = subprocess.run(["unshare", *SPACES, "--fork", "--mount-proc", "true"], check=False)
    if done.returncode != 0:
        pytest.skip("no namespaces here")
    return Marianne(tmp_path)


@pytest.mark.parametrize("options", [["--heart"], []])
def test_it_buries_what_it_adopts_and_ends_what_it_runs(
    place: Marianne, options: list[str]
) -> None:
    with container(place, *options) as inside:
        until(inside.ready)
        # What somebody starts in the container, as with `podman exec`, and leaves behind.
        orphan = "(sleep 0.3; touch late) & for n in 1 2 3; do (true &) ; done"
        inside.run("bash", "-c", f"cd {place.place}; {orphan}")
        until((place.place / "late").exists)
        until(lambda: not inside.zombies())
        assert _state(inside.first) in "SR"
        score = place.score("work", SHEET)
        inside.verb("run", score)
        until((place.place / "work" / "up").exists)
        os.kill(inside.first, signal.SIGTERM)
        assert inside.outer.wait(60) == 0
    assert (place.place / "work" / "told").read_text() == "told\n"
    assert "conductor_stopped" in (place.home / "logs" / "conductor.log").read_text()


def test_the_next_container_goes_on_with_what_the_last_one_left(place: Marianne) -> None:
    with container(place, "--heart") as first:
        until(first.ready)
        first.verb("run", place.score("work", HELD))
        os.kill(first.first, signal.SIGKILL)  # as when the machine goes
        first.outer.wait(60)
    with container(place, "--heart") as second:
        until(second.ready)
        (place.place / "work").mkdir(exist_ok=True)
        (place.place / "work" / "go").touch()
        second.verb("wait", "work", "--timeout", "50")
        os.kill(second.first, signal.SIGTERM)
        assert second.outer.wait(60) == 0
