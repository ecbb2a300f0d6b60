"""People are told what happens to the machine: once, also where the disk takes nothing."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import machine_play
import own_mounts
from e2e_marianne import Marianne, until


def _told(marianne: Marianne) -> list[dict[str, Any]]:
    return machine_play.told(marianne)


def _is_on_disk(marianne: Marianne) -> bool:
    """Whether nothing is to be told any more, by whichever conductor."""
    return "marianne_notices_waiting 0\n" in marianne("metrics").out


def test_each_death_of_a_conductor_is_told_once_by_the_next(own: Marianne) -> None:
    machine_play.configure(own, "machine")
    own("start")
    for deaths in (1, 2):
        first = own.pids()["conductor"]
        os.kill(first, signal.SIGKILL)
        until(lambda first=first: own.pids()["conductor"] != first and own.serves())
        until(lambda deaths=deaths: len(_told(own)) == deaths)
        until(lambda: _is_on_disk(own))  # else the next one tells it again, with its id
    own("restart")
    own("stop")
    own("start")
    own.play("x", "sheets: [{name: a, run: 'true'}]\n")
    until(lambda: _is_on_disk(own))
    assert [one["data"]["kind"] for one in _told(own)] == ["conductor", "conductor"]
    assert len({one["id"] for one in _told(own)}) == 2
    assert _told(own)[0]["event"] == "machine_trouble"
    assert _told(own)[0]["job_id"] is None


def test_what_needs_a_person_is_told_and_what_does_not_is_not(own: Marianne) -> None:
    machine_play.configure(own, "needs_me")
    own("start")
    os.kill(own.pids()["heart"], signal.SIGKILL)
    until(lambda: _told(own))
    assert [one["data"]["kind"] for one in _told(own)] == ["heart"]


def test_a_full_disk_is_told_once_though_it_takes_nothing_and_that_it_is_over(
    tmp_path: Path,
) -> None:
    own_mounts.played(machine_play.__file__, tmp_path)
    found = [json.loads(line) for line in (tmp_path / "told").read_text().splitlines()]
    assert [one["event"] for one in found] == ["machine_trouble", "machine_over"]
