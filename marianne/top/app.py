"""The screen. Everything on it is redrawn at most four times a second, however much happens."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import DataTable, Footer, Input, RichLog, Static

from marianne.cli.errors import CliError
from marianne.cli.render.terminal import harmless
from marianne.cli.render.values import STATUS_STYLE, at_work, duration
from marianne.cli.session import Session
from marianne.client.conductor import Conductor
from marianne.client.presence import Presence
from marianne.client.tail import Tail
from marianne.top.actions import ACTIONS, Confirm, act
from marianne.top.output import Follower
from marianne.top.seen import headline, progress, shown_jobs
from marianne.top.sheets import SheetList

DRAW_SECONDS: Final = 0.25
OUTPUT_SECONDS: Final = 0.5
JOBS: Final = 200
AT_ONCE: Final = 16
"""Running sheets whose output is followed together."""

LINES: Final = 2_000
NAMED: Final = 100_000


class Top(App[None]):
    """Jobs on the left, sheets of the chosen one on the right, output below."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = "#sheets"
    TITLE = "marianne top"
    CSS = """
    #head { height: 1; padding: 0 1; background: $panel; }
    #lists { height: 1fr; min-height: 8; }
    #jobs { width: 5fr; }
    #sheets { width: 4fr; border-left: solid $panel; }
    #why { height: auto; max-height: 4; padding: 0 1; color: $text-muted; }
    #output { height: 1fr; border-top: solid $panel; }
    #filter { display: none; height: 3; }
    #filter.on { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "leave"),
        Binding("slash", "filter", "filter"),
        Binding("a", "all_output", "all output"),
        Binding("e", "explain", "why"),
        *(Binding(key, f"act('{name}')", name) for key, name in ACTIONS.items()),
        Binding("y", "copy", "copy"),
    ]

    def __init__(self, session: Session, job: str | None = None) -> None:
        super().__init__()
        # Kept here: what is asked may be answered when the screen is being left.
        self._head = Static(id="head")
        self._filter = Input(placeholder="part of a name, a number or a status", id="filter")
        self._table: DataTable[Any] = DataTable(id="jobs", cursor_type="row")
        self._sheets = SheetList(id="sheets")
        self._why = Static(id="why")
        self._output = RichLog(id="output", max_lines=LINES, wrap=True, markup=False)
        self.job = job
        self.jobs: list[dict[str, Any]] = []
        self.wanted = ""
        """What of the jobs is shown; the sheets have their own."""
        self._of_jobs = False
        self.all_output = False
        self._conductor = Conductor(session)
        self._session = session
        self._presence = Presence(self._conductor, self._presence_changed)
        self._tail: Tail | None = None
        self._dirty = {"jobs", "map", "plan"}
        self._drawing = self._reading = False
        self._followers: dict[int, Follower] = {}
        self._names: list[str] = []
        self.lines: list[str] = []

    def compose(self) -> ComposeResult:
        """The parts of the screen, from above."""
        yield self._head
        yield self._filter
        with Vertical():
            with Horizontal(id="lists"):
                yield self._table
                yield self._sheets
            yield self._why
            yield self._output
        yield Footer()

    def on_mount(self) -> None:
        """Begins to look."""
        self._table.add_columns("JOB", "STATUS", "SHEETS", "TIME")
        self.run_worker(self._presence.watch(), name="presence")
        self.set_interval(DRAW_SECONDS, self._draw)
        self.set_interval(OUTPUT_SECONDS, self._read)

    async def on_unmount(self) -> None:
        """Lets go of the conductor; its jobs go on."""
        if self._tail is not None:
            await asyncio.to_thread(self._tail.stop)
        self._conductor.close()

    # -- what happens ---------------------------------------------------------------------------

    def _presence_changed(self) -> None:
        if self._presence.state == "there":
            self._dirty |= {"jobs", "map", "plan"}
            if self._tail is None:
                self._tail = Tail(self._session, None, self._take)
        else:
            self._dirty.add("head")

    def _take(self, events: list[dict[str, Any]]) -> None:
        self._dirty.add("jobs")
        for event in events:
            if event["job_id"] == self.job:
                self._dirty.add("map")
                if event["event"] in ("sheet.listed", "job.modified", "job.resumed"):
                    self._dirty.add("plan")

    async def _draw(self) -> None:
        if self._drawing:
            return
        self._drawing = True
        dirty, self._dirty = self._dirty, set()
        try:
            if "jobs" in dirty:
                told = await self._conductor.ask("job.list", limit=JOBS, all=True)
                self.jobs = told["jobs"]
            self._show_jobs()
            if self.job is not None and dirty & {"map", "plan"}:
                await self._show_sheets("plan" in dirty)
        except CliError as error:
            self._dirty |= dirty
            self._say(error.message)
        finally:
            self._drawing = False
        self._head.update(headline(self._presence.state, self.jobs))

    # -- jobs and sheets ------------------------------------------------------------------------

    def _show_jobs(self) -> None:
        table, jobs = self._table, shown_jobs(self.jobs, self.wanted)
        keys = [job["job_id"] for job in jobs]
        if [key.value for key in table.rows] != keys:
            table.clear()
            for job in jobs:
                table.add_row(*_cells(job), key=job["job_id"])
            if self.job in keys:
                table.move_cursor(row=keys.index(self.job))
            return
        for job in jobs:
            for column, value in zip(table.columns, _cells(job), strict=True):
                if table.get_cell(job["job_id"], column) != value:
                    table.update_cell(job["job_id"], column, value, update_width=True)

    async def _show_sheets(self, names: bool) -> None:
        job = self.job
        told = await self._conductor.ask("job.map", job_id=job)
        if names or len(self._names) != len(told["states"]):
            plan = await self._conductor.ask("job.plan", job_id=job, sheets=[1, NAMED])
            self._names = plan["names"]
        if job == self.job:  # nobody has chosen another meanwhile
            self._sheets.sheets.take(told["states"], self._names)
            self._sheets.show()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Another job is chosen."""
        job = event.row_key.value
        moved = event.data_table.has_focus or self.job is None  # else rows have come or gone
        if job is not None and job != self.job and moved:
            self.job, self._sheets.num = job, None
            self._dirty |= {"map", "plan"}
            self._say("")
            self._follow_anew()

    def on_sheet_list_chosen(self, _event: SheetList.Chosen) -> None:
        """Another sheet is chosen."""
        if not self.all_output:
            self._follow_anew()

    # -- output ---------------------------------------------------------------------------------

    def _follow_anew(self) -> None:
        self._followers = {}
        self.lines = []
        self._output.clear()

    def _followed(self, job: str) -> dict[int, Follower]:
        sheets = self._sheets
        wanted = sheets.sheets.running()[:AT_ONCE] if self.all_output else [sheets.num]
        for num in wanted:
            if num is not None and num not in self._followers:
                self._followers[num] = Follower(self._conductor, job, num)
        return self._followers

    async def _read(self) -> None:
        job = self.job
        if self._reading or job is None or self._presence.state != "there":
            return
        self._reading = True
        try:
            for num, follower in list(self._followed(job).items()):
                if follower.ended and self._sheets.sheets.status(num) != "running":
                    continue
                lines = await follower.more()
                if follower is self._followers.get(num):
                    self._write(num, lines)
        except (CliError, IndexError):  # the conductor is away, or the job has other sheets now
            return
        finally:
            self._reading = False

    def _write(self, num: int, lines: list[str]) -> None:
        for line in lines:
            text = Text.from_ansi(harmless(line))
            if self.all_output:
                text = Text(f"{self._sheets.sheets.name(num)} │ ", "dim") + text
            self._output.write(text)
        self.lines = (self.lines + lines)[-LINES:]

    # -- keys -----------------------------------------------------------------------------------

    def action_all_output(self) -> None:
        """The output of the chosen sheet, or of all that run."""
        self.all_output = not self.all_output
        self._follow_anew()

    def action_filter(self) -> None:
        """Asks what of the list that is in use is to be shown."""
        self._of_jobs = self._table.has_focus
        box = self._filter
        box.value = self.wanted if self._of_jobs else self._sheets.sheets.wanted
        box.add_class("on")
        box.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Shows what fits."""
        if self._of_jobs:
            self.wanted = event.value.lower()
            self._show_jobs()
        else:
            self._sheets.sheets.wanted = event.value.lower()
            self._sheets.sheets.arrange()
            self._sheets.show()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the lists; an empty filter goes."""
        event.input.set_class(bool(event.value), "on")
        (self._table if self._of_jobs else self._sheets).focus()

    async def action_explain(self) -> None:
        """Says why the chosen sheet, or else the job, does not run."""
        if self.job is None:
            return
        with contextlib.suppress(CliError):
            told = await self._conductor.ask("job.explain", job_id=self.job, sheet=self._sheets.num)
            sheets = [f"{one['name']}: {one['text']}" for one in told["sheets"][:1]]
            self._say("; ".join([told["text"], *sheets]))

    def action_act(self, name: str) -> None:
        """Does something to the chosen job; what ends or repeats work is asked for first."""
        if self.job is None:
            return
        job = self.job
        if name == "pause":
            self.run_worker(self._act(name, job))
        else:

            def answered(yes: bool | None) -> None:
                if yes:
                    self.run_worker(self._act(name, job))

            self.push_screen(Confirm(f"{name} {job}?"), answered)

    async def _act(self, name: str, job: str) -> None:
        self._say(f"{name} {job}: asked")
        try:
            self._say(f"{job}: {await act(self._conductor, name, job)}")
        except CliError as error:
            self._say(error.message)
        self._dirty |= {"jobs", "map"}

    def action_copy(self) -> None:
        """The output that is shown goes to the terminal's clipboard."""
        self.copy_to_clipboard("\n".join(self.lines))
        self._say(f"{len(self.lines)} lines copied")

    def _say(self, text: str) -> None:
        self._why.update(Text(harmless(text)))


def _cells(job: dict[str, Any]) -> tuple[str, Text, str, str]:
    status = Text(job["status"], STATUS_STYLE.get(job["status"], ("", "", ""))[2])
    took = duration(at_work(job))
    return (harmless(job["job_id"]), status, progress(job), took)
