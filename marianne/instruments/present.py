"""Whether the programs of a plan's instruments are there: looked at when a score is read, and
again when its job starts, since they may have been installed in between."""

from __future__ import annotations

import shutil
from dataclasses import replace

from marianne.model.plan import Instrument, Plan, SheetPlan


def why_missing(executable: str, search_path: str | None) -> str | None:
    """Why a program cannot be started, or None. ``search_path`` is the PATH that sheets will have.

    One given by a relative path is looked for when its sheet starts: an earlier one may make it.
    """
    if "/" in executable and not executable.startswith("/"):
        return None
    if shutil.which(executable, path=search_path) is None:
        return f"the program '{executable}' is not installed"
    return None


def look_again(plan: Plan, search_path: str | None) -> Plan:
    """The plan, with the instruments available whose programs were missing and are there now."""
    found: dict[int, Instrument] = {}

    def now(instrument: Instrument) -> Instrument:
        if instrument.unavailable is None or not instrument.command:
            return instrument
        known = found.get(id(instrument))
        if known is None:
            reason = why_missing(str(instrument.command["executable"]), search_path)
            known = found[id(instrument)] = replace(instrument, unavailable=reason)
        return known

    def of(sheet: SheetPlan) -> SheetPlan:
        players = (sheet.instrument, *sheet.fallbacks)
        if all(player.unavailable is None for player in players):
            return sheet
        first, *rest = map(now, players)
        return replace(sheet, instrument=first, fallbacks=tuple(rest))

    lists = {num: replace(one, sheet=of(one.sheet)) for num, one in plan.lists.items()}
    return replace(plan, sheets=tuple(map(of, plan.sheets)), lists=lists)
