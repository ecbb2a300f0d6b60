"""``marianne top`` before a real conductor, driven by its keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from e2e_marianne import Marianne
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import DataTable, RichLog, Static

from marianne.cli.session import Session
from marianne.home import Home
from marianne.top.app import Top
from marianne.top.sheets import SheetList

SECONDS = 60.0
HELD = """sheets:
  - name: first
    run: |
      printf "begun \\033[31mred\\033[0m \\033[2J\\n"
      until test -e go; do sleep 0.05; done
  - {name: other, run: 'echo other; until test -e go; do sleep 0.05; done'}
  - {name: after, needs: [first], run: echo after}
"""

Play = Callable[[Top, Pilot[None]], Awaitable[None]]


async def until(pilot: Pilot[None], condition: Callable[[], Any]) -> None:
    """Waits for it; fails when it does not come in time."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited too long; it says {said(pilot.app)!r}"
        await pilot.pause(0.05)


def drive(marianne: Marianne, job: str | None, play: Play) -> None:
    """Opens the screen, plays, and leaves it by its key."""

    async def run() -> None:
        app = Top(Session.at(Home(marianne.home)), job)
        async with app.run_test(size=(120, 40)) as pilot:
            await play(app, pilot)
            await pilot.press("q")
        assert app.return_code == 0

    asyncio.run(run())


def printed(app: Top) -> str:
    return "\n".join(line.text for line in app.query_one(RichLog).lines)


def said(app: App[None]) -> str:
    return str(app.query_one("#why", Static).render())


def listed(app: Top) -> list[str]:
    """The names of the sheets that are shown."""
    sheets = app.query_one(SheetList).sheets
    return [sheets.name(num) for num in sheets.rows]


@pytest.fixture
def job(shared: Marianne) -> str:
    return shared.submit("held", HELD)


def test_it_attaches_to_a_job_follows_its_output_and_leaves_it_alone(
    shared: Marianne, job: str
) -> None:
    async def play(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: listed(app) == ["first", "other", "after"])
        await until(pilot, lambda: "begun red" in printed(app))
        assert "\x1b" not in printed(app)
        await pilot.press("a")
        await until(pilot, lambda: "other │ other" in printed(app))
        assert "first │ begun red" in printed(app)
        await pilot.press("y")
        assert "lines copied" in said(app)

    drive(shared, job, play)
    assert shared.status(job)["status"] == "running"
    (shared.place / "held" / "go").touch()
    shared.wait(job)


def test_the_filter_chooses_and_why_is_said(shared: Marianne, job: str) -> None:
    async def play(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(listed(app)) == 3)
        await pilot.press("slash", *"after", "enter")
        await until(pilot, lambda: listed(app) == ["after"])
        await pilot.press("e")
        await until(pilot, lambda: "it waits for sheet 1" in said(app))
        table = app.query_one(DataTable)
        table.focus()
        await pilot.press("slash", *"nosuchjob")
        await until(pilot, lambda: table.row_count == 0)
        await pilot.press("enter")
        assert app.job == job
        assert listed(app) == ["after"]

    drive(shared, job, play)


def test_a_job_is_paused_and_cancelled_by_its_keys_and_only_when_that_is_confirmed(
    shared: Marianne, job: str
) -> None:
    async def play(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(listed(app)) == 3)
        await pilot.press("c")
        await pilot.press("n")
        await pilot.press("p")
        await until(pilot, lambda: f"{job}: pausing" in said(app))
        assert shared.status(job)["status"] == "pausing"
        await pilot.press("c")
        await pilot.press("y")
        await until(pilot, lambda: f"{job}: cancelled" in said(app))

        def shown() -> str:
            return str(app.query_one(DataTable).get_row(job)[1])

        await until(pilot, lambda: shown() == "cancelled")

    drive(shared, job, play)
    assert shared.status(job)["status"] == "cancelled"


def test_a_list_of_ten_thousand_sheets_is_moved_through(shared: Marianne) -> None:
    score = "sheets: [{name: s, fan_out: 10000, run: 'true'}]\n"
    path = shared.score("many", score)
    later = shared("run", path, "--at", "23:59:59", "--json", code=None)
    job = str(later.json["job_id"])

    async def play(app: Top, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(listed(app)) == 10_000)
        sheets = app.query_one(SheetList)
        sheets.focus()
        await pilot.press("end")
        await until(pilot, lambda: sheets.num == 10_000)
        await until(pilot, lambda: "s-10000" in sheets.render_line(sheets.size.height - 1).text)
        await pilot.press("home")
        assert sheets.num == 1

    drive(shared, job, play)
