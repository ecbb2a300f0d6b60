"""What another score changes in a job, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.cli.render.out import clean, paint, say

if TYPE_CHECKING:
    from marianne.replies.changes import Modified

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def print_changes(answer: Modified) -> None:
    """The difference of the texts, then one line a sheet that is not what it was."""
    for line in answer["diff"].splitlines():
        colour = _COLOURS.get(line[:1])
        say(paint(clean(line), colour) if colour else clean(line))
    for change in answer["changes"]:
        where = "the job" if change["sheet"] is None else f"sheet {change['sheet']}"
        name = f" ({clean(change['name'])})" if change["name"] else ""
        what = f": {', '.join(change['fields'])}" if change["fields"] else ""
        kept = "; it is completed and does not run again" if change["kept"] else ""
        say(f"{where}{name} {change['change']}{what}{kept}")
