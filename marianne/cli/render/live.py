"""The live picture of one job: a bar, and the sheets in which something happens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from marianne.cli.render.events import details_of
from marianne.cli.render.out import clean
from marianne.cli.render.values import STATUS_STYLE, duration, parse_time
from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.replies.conductor import Event
    from marianne.replies.job import Status

_BY_EVENT = {
    "sheet.started": "running",
    "sheet.completed": "completed",
    "sheet.failed": "failed",
    "sheet.skipped": "skipped",
    "sheet.retrying": "waiting",
    "sheet.rate_limited": "waiting",
    "sheet.interrupted": "pending",
}
PACED = 3
"""Sheets whose pace says how long the others take."""

_ORDER = {"running": 0, "waiting": 1, "failed": 2, "completed": 3, "skipped": 4, "cancelled": 4}
_OVER = ("completed", "failed", "skipped", "cancelled")


@dataclass(slots=True)
class Line:
    """What is known of one sheet."""

    num: int
    name: str
    status: str = "pending"
    attempt: int = 0
    started: float | None = None
    took: float | None = None
    """By its attempts that have ended, together."""
    note: str = ""


@dataclass(slots=True)
class Work:
    """How long at least one sheet ran: ``seconds`` of what is over, and ``since`` when one runs."""

    running: set[int] = field(default_factory=set)
    seconds: float = 0.0
    since: float | None = None

    def stands(self, num: int, runs: bool, when: float | None) -> None:
        """A sheet runs from then on, or not."""
        (self.running.add if runs else self.running.discard)(num)
        if self.running and self.since is None:
            self.since = when
        elif not self.running and self.since is not None:
            self.seconds += max(0.0, (when or self.since) - self.since)
            self.since = None

    def hold(self, on: bool, when: float) -> None:
        """What runs stands still from then on, or goes on."""
        self.seconds, self.since = self.until(when), when if self.running and not on else None

    def until(self, now: float) -> float:
        """In all."""
        return self.seconds + (max(0.0, now - self.since) if self.since is not None else 0.0)


@dataclass(slots=True)
class Picture:
    """A job as its events tell it. Every sheet begins as pending; the events say the rest."""

    job_id: str
    lines: dict[int, Line] = field(default_factory=dict)
    started: float | None = None
    state: str = "queued"
    work: Work = field(default_factory=Work)
    held: float | None = None
    """since when what runs stands still"""

    @classmethod
    def of(cls, status: Status) -> Picture:
        """The picture before the first event."""
        lines = {row["num"]: Line(row["num"], row["name"]) for row in status.get("sheets") or ()}
        return cls(status["job_id"], lines)

    def add(self, status: Status) -> None:
        """Sheets that it did not have: a list has made them."""
        for row in status.get("sheets") or ():
            self.lines.setdefault(row["num"], Line(row["num"], row["name"]))

    def apply(self, event: Event) -> None:
        """Takes one event in."""
        what, num = event["event"], event.get("sheet_num")
        when = parse_time(event.get("ts"))
        if what.startswith("job."):
            self._apply_job(what.removeprefix("job."), when)
        if num not in self.lines or num is None:
            return
        line, data = self.lines[num], event.get("data") or {}
        line.attempt = data.get("attempt", line.attempt)
        if what not in _BY_EVENT:
            return
        line.status = _BY_EVENT[what]
        self.work.stands(num, line.status == "running", when)
        if what == "sheet.started":
            line.started, line.note = when, ""
            return
        ran = data.get("duration", data.get("duration_seconds"))
        line.took = line.took if ran is None else (line.took or 0.0) + ran
        line.note = "" if what == "sheet.completed" else _without_attempt(event)

    def _apply_job(self, word: str, when: float | None) -> None:
        if word == "held":
            self.state, self.held = "pausing", when
            self.work.hold(True, when or 0.0)
        if word == "resumed" and self.held is not None:
            self._go_on(self.held, when or self.held)
        if word in ("started", "resumed"):
            self.started, self.state = self.started or when, "running"
        elif word in ("paused", "completed", "failed", "cancelled"):
            self.state = word
        if word == "cancelled":
            for line in self.lines.values():
                if line.status not in _OVER:
                    line.status = "cancelled"
                    self.work.stands(line.num, False, when)

    def _go_on(self, since: float, when: float) -> None:
        """What runs stood still until then, which was no work."""
        self.held = None
        self.work.hold(False, when)
        for line in self.lines.values():
            if line.status == "running" and line.started is not None:
                line.started += when - since

    def draw(self, height: int, now: float) -> RenderableType:
        """The picture in at most ``height`` lines."""
        over = sum(line.status in _OVER for line in self.lines.values())
        failed = sum(line.status == "failed" for line in self.lines.values())
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(clean(self.job_id), style="bold"),
            Text(self.state, style=STATUS_STYLE.get(self.state, ("", "", "dim"))[2]),
            self._bar(over),
            Text(f"{over}/{len(self.lines)} sheets"),
            Text(f"{failed} failed" if failed else "", style="red"),
            Text(duration(self.work.until(now)) if self.started else "", style="dim"),
            Text(self._left(over, now), style="dim"),
        )
        table = Table.grid(padding=(0, 1))
        shown = self._shown(max(1, height - 3))
        for line in shown:
            sign, _, colour = STATUS_STYLE.get(line.status, ("?", "?", ""))
            took = line.took
            if line.status == "running" and line.started:
                took = (took or 0.0) + max(0.0, (self.held or now) - line.started)
            table.add_row(
                Text(sign, style=colour),
                Text(f"{line.num}", style="dim", justify="right"),
                Text(clean(line.name), overflow="ellipsis", no_wrap=True),
                Text(line.status, style=colour),
                Text(duration(took), justify="right"),
                Text(f"try {line.attempt}" if line.attempt > 1 else "", style="yellow"),
                Text(clean(line.note), style="dim", overflow="ellipsis", no_wrap=True),
            )
        hidden = len(self.lines) - len(shown)
        foot = [Text(f"… and {hidden} more", style="dim")] if hidden else []
        return Group(head, table, *foot)

    def words(self, now: float) -> str:
        """What the head says, as text."""
        over = sum(line.status in _OVER for line in self.lines.values())
        failed = sum(line.status == "failed" for line in self.lines.values())
        running = sum(line.status == "running" for line in self.lines.values())
        counts = f"{over}/{len(self.lines)} sheets"
        parts = [
            f"{self.job_id} {self.state}",
            counts + (f", {running} running" if running else ""),
            f"{failed} failed" if failed else "",
            duration(self.work.until(now)) if self.started else "",
            self._left(over, now),
        ]
        return "  ".join(part for part in parts if part)

    def _left(self, over: int, now: float) -> str:
        """How long it takes yet, if the rest goes as those that have worked: in words, or nothing
        while nobody could know, as of those that run when none is to begin."""
        worked = sum(line.status in ("completed", "failed") for line in self.lines.values())
        if self.state != "running" or worked < PACED:
            return ""
        if len(self.lines) <= over + len(self.work.running):
            return ""
        left = self.work.until(now) / worked * (len(self.lines) - over)
        return f"about {duration(left)} left" if left else ""

    def _bar(self, over: int) -> ProgressBar:
        good = not any(line.status == "failed" for line in self.lines.values())
        return ProgressBar(
            total=max(1, len(self.lines)),
            completed=over,
            width=24,
            complete_style="cyan" if good else "red",
            finished_style="green" if good else "red",
        )

    def _shown(self, room: int) -> list[Line]:
        """All sheets when there is room; else first those in which something happens."""
        lines = list(self.lines.values())
        if len(lines) <= room:
            return lines
        lines.sort(key=lambda line: (_ORDER.get(line.status, 9), -(line.started or 0), line.num))
        return sorted(lines[:room], key=lambda line: line.num)


def show_live(status: Status, events: Iterable[Event | None], again: Callable[[], Status]) -> None:
    """Draws the picture anew with each event, and between them so that its clocks go on. ``again``
    gets the status anew, with the sheets that a list has made."""
    console = Console()
    picture = Picture.of(status)
    drawn = 0.0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        for event in events:
            if event is not None:
                if event["event"] == "sheet.listed":
                    picture.add(again())
                picture.apply(event)
            if event is not None and time.monotonic() - drawn < 0.04:
                continue  # thousands of events a second need no picture each
            live.update(picture.draw(console.height, time.time()), refresh=True)
            drawn = time.monotonic()
        live.update(picture.draw(console.height, time.time()), refresh=True)


def _without_attempt(event: Event) -> str:
    data = {k: v for k, v in (event.get("data") or {}).items() if k not in ("attempt", "duration")}
    return details_of({**event, "data": data})
