"""A conductor that cannot start makes `start` fail with its words, at once; its heart is small."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_marianne import Marianne, until

BROKEN: dict[str, tuple[Callable[[Path], object], int, str]] = {
    # what is wrong, the exit code of `start`, a word of the reason
    "damaged database": (
        lambda home: (home / "state.db").write_bytes(b"garbage" * 1000),
        3,
        "state.db is damaged",
    ),
    "unknown setting": (
        lambda home: (home / "conductor.yaml").write_text("nonsense: 1\n"),
        2,
        "nonsense: unknown key",
    ),
    "a fifo for a configuration": (
        lambda home: os.mkfifo(home / "conductor.yaml"),
        2,
        "no regular file",
    ),
    "a socket among other people's": (
        lambda home: (
            (home / "shared").mkdir(),
            (home / "shared").chmod(0o2775),
            (home / "conductor.yaml").write_text(f"socket: {{path: {home}/shared/c.sock}}\n"),
        ),
        3,
        "others can write here",
    ),
    "occupied socket": (
        lambda home: (home / "conductor.sock").mkdir(),
        3,
        "something else than a socket",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_start_that_fails_says_why_and_leaves_nothing(marianne: Marianne, what: str) -> None:
    spoil, code, words = BROKEN[what]
    marianne.home.mkdir(mode=0o700)
    spoil(marianne.home)
    done = marianne("start", code=code, timeout=20)
    assert words in done.err
    shared = marianne.home / "shared"
    assert not shared.exists() or shared.stat().st_mode & 0o7777 == 0o2775
    assert marianne.processes() == {}
    said = (marianne.home / "logs" / "conductor.err").read_text()
    assert "trying again" not in said


def _heart_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _times_run(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[2])


def test_the_heart_is_small_and_sleeps(marianne: Marianne) -> None:
    marianne("start")
    heart = marianne.pids()["heart"]
    for _ in range(3):
        old = marianne.pids()["conductor"]
        os.kill(old, signal.SIGKILL)
        until(lambda: marianne.pids()["conductor"] != old and marianne.serves())  # noqa: B023
    assert _heart_mb(heart) < 12
    before = _times_run(heart)
    for _ in range(50):
        marianne.request("hello")  # requests are the conductor's business
    assert _times_run(heart) <= before + 2


def test_what_is_made_under_an_open_umask_is_private_and_sheets_have_the_usual_one(
    marianne: Marianne,
) -> None:
    marianne.home = marianne.place / "state" / "marianne"
    marianne.env["MARIANNE_HOME"] = str(marianne.home)
    before = os.umask(0)
    try:
        marianne("start")
    finally:
        os.umask(before)
    marianne("run", marianne.score("job", "sheets: [{name: a, run: umask > mask}]"), "--wait")
    assert int((marianne.place / "job" / "mask").read_text(), 8) == 0o022
    for directory, _, files in os.walk(marianne.home.parent):
        assert os.stat(directory).st_mode & 0o077 == 0, directory
        # A job's files are the worker's, in directories that nobody else may enter.
        if "jobs" not in Path(directory).parts:
            for name in files:
                assert os.lstat(os.path.join(directory, name)).st_mode & 0o077 == 0, name
