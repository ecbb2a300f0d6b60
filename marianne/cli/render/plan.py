"""What a dry run would do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marianne.cli.render.out import clean, paint, say


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
