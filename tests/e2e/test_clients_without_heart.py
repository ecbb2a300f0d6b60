"""Whoever waits for a conductor hears of its end, also when its heart died before it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from e2e_marianne import PROGRAM, Marianne, until

HELD = "sheets: [{name: a, run: 'touch up; exec sleep 600'}]"


def _waits(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has nothing to do until something comes."""
    wchan = Path(f"/proc/{process.pid}/wchan").read_text()
    return "poll" in wchan


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("words", [["wait"], ["events", "--follow"]])
def test_a_client_that_waits_ends_with_the_conductor(
    marianne: Marianne, words: list[str], late: bool
) -> None:
    marianne("start")
    job = marianne.submit("job", HELD)
    pids = marianne.pids()

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [PROGRAM, words[0], job, *words[1:]],
            env=marianne.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: _waits(process))
        return process

    client = None if late else begin()
    os.kill(pids["heart"], signal.SIGKILL)
    until(lambda: marianne("ready", code=None).code == 1)
    client = client or begin()
    until(lambda: _waits(client))
    os.kill(pids["conductor"], signal.SIGKILL)
    try:
        assert client.wait(30.0) == 3
    finally:
        client.kill()
        client.wait()
        marianne("stop", "--force", code=None)
