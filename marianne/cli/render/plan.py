"""What would run: the sheets of a score, and what a dry run would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from marianne.cli.render.out import clean, paint, say
from marianne.cli.render.table import print_table
from marianne.cli.render.values import duration


def print_plan(response: Mapping[str, Any]) -> None:
    """Each sheet with what it waits for and the text that its instrument would get."""
    plan = response.get("plan") or {}
    sheets = plan.get("sheets") or []
    names = {sheet["num"]: sheet["name"] for sheet in sheets}
    name = clean(str(plan.get("name") or "job"))
    say(f"{paint(name, 'bold')}: {len(sheets)} sheets; dry run, nothing was started")
    for sheet in sheets:
        after = ", ".join(f"{num} {names.get(num, '')}".strip() for num in sheet["needs"])
        say()
        say(
            f"{sheet['num']:>3}  {paint(clean(sheet['name']), 'bold')}  "
            f"{paint(clean(sheet['instrument']), 'cyan')}"
            + (f"  after {clean(after)}" if after else "")
        )
        for line in str(sheet.get("prompt") or "").rstrip().splitlines():
            say(f"       {clean(line)}")


def print_expansion(sheets: Sequence[Mapping[str, Any]]) -> None:
    """A row a sheet: what it waits for, who plays it, how long and how often, how many checks."""
    rows = [
        (
            sheet["num"],
            sheet["name"],
            ", ".join(map(str, sheet["needs"])),
            sheet["instrument"] + (f"/{sheet['model']}" if sheet["model"] else ""),
            sheet["max_retries"] or "",
            duration(sheet["timeout_seconds"]),
            len(sheet["validations"]) or "",
        )
        for sheet in sheets
    ]
    headings = ("#", "SHEET", "NEEDS", "INSTRUMENT", "RETRIES", "TIMEOUT", "CHECKS")
    print_table(headings, rows, right=(0, 4, 5, 6), indent="  ")
