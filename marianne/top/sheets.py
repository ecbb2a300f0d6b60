"""The list of sheets: as many lines are made as are seen, however many sheets there are."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from marianne.cli.render.values import STATUS_STYLE
from marianne.streams import clean
from marianne.top.seen import Sheets


class SheetList(ScrollView, can_focus=True):
    """A line a sheet; the cursor stays on its sheet while others move."""

    DEFAULT_CSS = "SheetList { overflow-x: hidden; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "up", show=False),
        Binding("down", "move(1)", "down", show=False),
        Binding("pageup", "move(-20)", "page up", show=False),
        Binding("pagedown", "move(20)", "page down", show=False),
        Binding("home", "move(-10000000)", "first", show=False),
        Binding("end", "move(10000000)", "last", show=False),
    ]

    class Chosen(Message):
        """The cursor is on another sheet."""

        def __init__(self, num: int) -> None:
            super().__init__()
            self.num = num

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sheets = Sheets()
        self.num: int | None = None

    def show(self) -> None:
        """The sheets have changed."""
        rows = self.sheets.rows
        self.virtual_size = Size(1, len(rows))
        if rows and self.num not in rows:
            self._choose(rows[0])
        self.refresh()

    def action_move(self, by: int) -> None:
        """Moves the cursor by so many lines."""
        rows = self.sheets.rows
        if rows:
            at = rows.index(self.num) if self.num in rows else 0
            place = max(0, min(len(rows) - 1, at + by))
            self._choose(rows[place])
            # Sheets that have just come can be scrolled to after a refresh.
            self.call_after_refresh(self._show_line, place)
            self.refresh()

    def _show_line(self, place: int) -> None:
        self.scroll_to_region(Region(0, place, 1, 1), animate=False, immediate=True)

    def _choose(self, num: int) -> None:
        self.num = num
        self.post_message(self.Chosen(num))

    def render_line(self, y: int) -> Strip:
        """One line of those that are seen."""
        place = y + int(self.scroll_offset.y)
        if place >= len(self.sheets.rows):
            return Strip.blank(self.size.width, self.rich_style)
        num = self.sheets.rows[place]
        status = self.sheets.status(num)
        sign, _, colour = STATUS_STYLE[status]
        line = f"{num:>7}  {sign} {status:<9}  {clean(self.sheets.name(num))}"
        style = self.rich_style + Style.parse(colour)
        if num == self.num:
            style += Style(reverse=True)
        return Strip([Segment(line, style)]).adjust_cell_length(self.size.width, style)
