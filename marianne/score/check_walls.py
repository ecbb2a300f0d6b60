"""Whether this machine can keep every sheet from what it is to be kept from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from marianne.model.document import PathPart
from marianne.model.placement import LOCAL, executor_of
from marianne.model.plan import Plan, SheetPlan
from marianne.score.expand import Expansion
from marianne.score.report import Report
from marianne.walls.asked import Sandbox, asked_for, from_map, stricter, to_map

if TYPE_CHECKING:
    from marianne.walls.offers import Offers

HINT = "'marianne doctor' lists what there is; 'when_missing: best-effort' takes what there is"


def keep_all_from(expansion: Expansion, conductor: Mapping[str, Any]) -> None:
    """The conductor's sandbox over those of the sheets."""
    above, merged = from_map(conductor), _Merged()
    expansion.sheets[:] = [
        replace(sheet, sandbox=merged.of(above, sheet.sandbox)) for sheet in expansion.sheets
    ]
    for num, source in expansion.lists.items():
        each = replace(source.sheet, sandbox=merged.of(above, source.sheet.sandbox))
        expansion.lists[num] = replace(source, sheet=each)


def check_walls(plan: Plan, report: Report, walls: Callable[[], Offers]) -> None:
    """An error for each sandbox that needs a wall this machine has not, a warning where it does
    without. Asks what there is only if there is one."""
    offers: Offers | None = None
    seen: set[Sandbox] = set()
    for sheet in plan.written:
        for fallback in range(len(sheet.fallbacks) + 1):
            if executor_of(plan, sheet, fallback) != LOCAL:
                continue  # the node says what it has
            instrument = sheet.instrument_at(fallback)
            asked = asked_for(sheet.sandbox, instrument.sandbox if instrument else None)
            if asked is None or asked in seen:
                continue
            seen.add(asked)
            offers = offers or walls()
            _check(sheet, asked, offers, report)


def _check(sheet: SheetPlan, asked: Sandbox, offers: Offers, report: Report) -> None:
    from marianne.walls.standing import refusal, standing  # late: few scores ask for walls

    stands = standing(asked, offers)
    why = refusal(asked, stands)
    if why is not None:
        path = _place(sheet, report)
        report.error(path, f"sheet '{sheet.name}' cannot be kept so here: {why}", HINT)
    elif stands.missing:
        report.warn(f"sheet '{sheet.name}' runs without: {'; '.join(stands.missing)}")


def _place(sheet: SheetPlan, report: Report) -> list[PathPart]:
    """Where its sandbox is said: by itself, else by the score."""
    own = (report.document.data or {}).get("sheets")
    entry = own[sheet.stage - 1] if isinstance(own, list) and len(own) >= sheet.stage else None
    if isinstance(entry, dict) and "sandbox" in entry:
        return ["sheets", sheet.stage - 1, "sandbox"]
    return ["sandbox"] if "sandbox" in report.document.data else []


class _Merged:
    """Equal ones stay one object: a plan packs each once."""

    def __init__(self) -> None:
        self._made: dict[int, dict[str, Any] | None] = {}

    def of(self, above: Sandbox | None, own: dict[str, Any] | None) -> dict[str, Any] | None:
        key = id(own)
        if key not in self._made:
            self._made[key] = to_map(stricter(above, from_map(own)))
        return self._made[key]
