"""Starting a conductor when things are not as usual: closed streams, one that still stops."""

from __future__ import annotations

import subprocess

import pytest
from e2e_marianne import PROGRAM, Marianne, until


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_start_with_closed_streams_is_a_start(marianne: Marianne, closed: str) -> None:
    def closing(words: str) -> int:
        line = f"exec {PROGRAM} {words} {closed}"
        return subprocess.run(["bash", "-c", line], env=marianne.env, check=False).returncode

    assert closing("start") == 0
    assert marianne.serves()
    assert closing("status nobody") == 4
    assert closing("stop") == 0
    assert marianne.processes() == {}


def test_a_start_while_another_conductor_stops_starts_the_next_one(marianne: Marianne) -> None:
    marianne.submit(
        "stubborn", "sheets:\n  - {name: a, run: 'trap : TERM; touch up; sleep 1; sleep 1'}\n"
    )
    until((marianne.place / "stubborn" / "up").exists)
    old = marianne.pids()["conductor"]
    stop = subprocess.Popen([PROGRAM, "stop"], env=marianne.env, stdout=subprocess.DEVNULL)
    until(lambda: "stopping" in (marianne.home / "conductor.pid").read_text())
    said = marianne("start", "--json").json
    assert stop.wait() == 0
    assert said == {"pid": marianne.pids()["conductor"], "already_running": False}
    assert said["pid"] != old


def test_a_start_that_cannot_wait_for_the_stop_says_so(marianne: Marianne) -> None:
    marianne.submit("slow", "sheets:\n  - {name: a, run: 'touch up; sleep 3'}\n")
    until((marianne.place / "slow" / "up").exists)
    stop = subprocess.Popen(
        [PROGRAM, "stop", "--drain"], env=marianne.env, stdout=subprocess.DEVNULL
    )
    until(lambda: "stopping" in (marianne.home / "conductor.pid").read_text())
    assert "still stopping" in marianne("start", "--timeout", "200ms", code=3).err
    assert stop.wait() == 0
