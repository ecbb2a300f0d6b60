"""Schedules under a real conductor: down over slots, killed at each step, its clock set about."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from e2e_marianne import Marianne, conductor, until

from marianne.crashpoints import SCHEDULE_POINTS

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts" / "chaos_parts"))

from fault_shim import build
from soak_strike import Shim

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
WITNESS = "sheets:\n  - {name: note, run: echo x >> runs.txt}\n"


def runs(program: Marianne, name: str) -> int:
    """How often the score has run, by what it wrote itself."""
    path = program.place / name / "runs.txt"
    return len(path.read_text().split()) if path.exists() else 0


def scheduled(program: Marianne, name: str) -> dict[str, Any]:
    found = program.request("schedule.list")["schedules"]
    return dict(next(one for one in found if one["name"] == name))


def add_soon(program: Marianne, name: str, slots: int, *rules: str) -> float:
    """Has the score run at so many seconds in a row that are just coming, and never again this
    year; returns the first. The machine may be slow: they are later then, so that none is over
    before its schedule can be taken back, and half of the way to them is left."""
    score = program.score(name, WITNESS)
    begun = time.time()
    program("schedule", "list")
    slow = 1 + int(4 * (time.time() - begun))
    for lead in (3 * slow, 6 * slow, 12 * slow):
        first = int(time.time()) + lead
        first += (60 - first % 60) if first % 60 > 60 - slots else 0  # within one minute
        at = datetime.fromtimestamp(first, UTC)
        seconds = ",".join(str(at.second + n) for n in range(slots))
        cron = f"{seconds} {at.minute} {at.hour} {at.day} {at.month} *"
        program("schedule", "add", score, "--cron", cron, "--tz", "UTC", *rules)
        if time.time() < first - lead / 2:
            return float(first)
        program("schedule", "remove", name)
    raise AssertionError("this machine is too slow")


def test_three_slots_while_no_conductor_ran_are_one_run_with_catch_up_one(own: Marianne) -> None:
    own("start")
    first = add_soon(own, "once", 3, "--catch-up", "one")
    for pid in own.pids().values():  # heart and conductor: nobody starts another
        os.kill(pid, signal.SIGKILL)
    assert time.time() < first, "it died before the first slot"
    until(lambda: time.time() > first + 3)
    own("start")
    until(lambda: scheduled(own, "once")["last_slot"])
    own.wait("once")
    assert scheduled(own, "once")["waiting"] == []
    assert [job["job_id"] for job in own("list", "--all", "--json").json] == ["once"]
    assert runs(own, "once") == 1
    missed = [e for e in own.request("events.since", {})["events"] if "missed" in e["event"]]
    assert [event["data"]["slots"] for event in missed] == [2]


def test_a_conductor_that_dies_at_every_step_of_a_firing_fires_once(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    with conductor(tmp_path, env={"MARIANNE_CRASH_POINTS": str(orders)}) as program:
        for point in SCHEDULE_POINTS:
            (orders / point).touch()
        add_soon(program, "steps", 1)
        for point in SCHEDULE_POINTS:
            until(lambda point=point: (orders / f"{point}.hit").exists())
        until(program.serves)
        until(lambda: scheduled(program, "steps")["last_job"])
        program.wait("steps")
        assert scheduled(program, "steps")["waiting"] == []
        assert [job["job_id"] for job in program("list", "--all", "--json").json] == ["steps"]
        assert runs(program, "steps") == 1


@pytest.mark.parametrize("point", ["store.before-commit", "store.after-commit"])
def test_a_conductor_that_dies_at_the_commit_of_a_slot_fires_it_once(
    tmp_path: Path, point: str
) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    with conductor(tmp_path, env={"MARIANNE_CRASH_POINTS": str(orders)}) as program:
        add_soon(program, "commit", 1)
        (orders / point).touch()
        until((orders / f"{point}.hit").exists)
        until(program.serves)
        until(lambda: scheduled(program, "commit")["last_job"])
        program.wait("commit")
        assert [job["job_id"] for job in program("list", "--all", "--json").json] == ["commit"]
        assert runs(program, "commit") == 1


# -- the wall clock -----------------------------------------------------------------------------


class Clock:
    """The conductor's wall clock. It is looked at again within a minute after it was set; a
    schedule that changes has it looked at sooner."""

    def __init__(self, program: Marianne, shim: Shim) -> None:
        self._program, self._shim = program, shim
        self._by = 0.0
        program("schedule", "add", program.score("other", WITNESS), "--cron", "@yearly")

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self._by, UTC)

    def set(self, text: str) -> None:
        self._by = datetime.fromisoformat(f"{text}+00:00").timestamp() - time.time()
        self._shim.clock(self._by)
        self._program("schedule", "pause", "other")
        self._program("schedule", "resume", "other")

    def passes(self, text: str) -> None:
        until(lambda: f"{self.now:%Y-%m-%dT%H:%M:%S}" > text)


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[tuple[Marianne, Clock]]:
    library = build(tmp_path)
    assert library is not None
    shim = Shim(tmp_path / "control")
    faults = {
        "LD_PRELOAD": str(library),
        "FAULT_SHIM_CONTROL": str(tmp_path / "control"),
        "FAULT_SHIM_PLACE": str(tmp_path / "nothing"),
    }
    with conductor(tmp_path, env=faults) as program:
        for name in faults:
            del program.env[name]
        yield program, Clock(program, shim)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_summer_time_in_both_directions_and_a_clock_that_is_set_back(
    clock: tuple[Marianne, Clock],
) -> None:
    program, wall = clock
    rules = ("--cron", "30 2 * * *", "--tz", "Europe/Paris")
    wall.set("2026-10-25T00:20:00")
    program("schedule", "add", program.score("night", WITNESS), *rules)
    wall.set("2026-10-25T00:29:58")  # 02:29:58 before the clocks go back

    def fires(slot: str) -> None:
        until(lambda: scheduled(program, "night")["last_slot"] == f"{slot}.000000Z")
        program.wait(scheduled(program, "night")["last_job"]["job_id"])

    fires("2026-10-25T00:30:00")
    wall.set("2026-10-25T01:29:58")  # 02:29:58 once more
    wall.passes("2026-10-25T01:30:01")
    wall.set("2026-10-25T00:29:58")  # set back
    wall.passes("2026-10-25T00:30:01")
    wall.set("2027-03-28T00:59:58")  # 01:59:58, and the next second but one is 03:00:00
    fires("2027-03-28T01:00:00")
    wall.passes("2027-03-28T01:00:02")
    assert runs(program, "night") == 2


# -- what the score has become ------------------------------------------------------------------


def test_a_score_that_is_gone_is_told_and_the_schedule_lives_on(own: Marianne) -> None:
    score = own.score("often", WITNESS)
    own("schedule", "add", score, "--cron", "* * * * * *", "--overlap", "queue")
    until(lambda: runs(own, "often"))
    os.rename(score, f"{score}.away")
    error = until(lambda: scheduled(own, "often")["last_error"])
    assert "often.yaml" in error
    assert "often.yaml" in own("schedule", "list").out
    os.rename(f"{score}.away", score)
    before = runs(own, "often")
    until(lambda: runs(own, "often") > before)
    until(lambda: scheduled(own, "often")["last_error"] is None)


def test_a_schedule_and_a_person_may_run_the_same_file(own: Marianne) -> None:
    score = own.score("both", "sheets:\n  - {name: wait, run: sleep 60}\n")
    own("schedule", "add", score, "--cron", "@yearly")
    assert own("run", score, "--json").json["job_id"] == "both"
    assert own("schedule", "run-now", "both", "--json").json["job_id"] == "both-2"
    refused = own("schedule", "run-now", "both", code=5)
    assert "both-2" in refused.err
    own("cancel", "--all", "--yes")


# -- as the page says ---------------------------------------------------------------------------


def test_the_commands_of_the_page_print_what_it_says(own: Marianne) -> None:
    section = PAGE[PAGE.index("## Schedules") :].partition("\n## ")[0]
    (score,) = re.findall(r"^```yaml (?:\S+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (own.place / "report.yaml").write_text(score)
    (block,) = re.findall(r"^```console\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    for shown in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, expected = shown.partition("\n")
        program, *words = shlex.split(line)
        assert program == "marianne"
        done = own(*words, code=None)
        said = (done.out + done.err).replace(str(own.place), "/home/you")
        assert _alike(said) == _alike(expected), line


def _alike(text: str) -> list[list[str]]:
    """The words of each line, one time as good as another."""
    times = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [A-Z]+", "TIME", text)
    times = times.replace("completed", "STATUS").replace("running", "STATUS")
    return [line.split() for line in times.splitlines()]
