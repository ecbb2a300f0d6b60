"""Which limits of a sheet can be kept where it is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from marianne.model.plan import SheetPlan
from marianne.records import dataclass
from marianne.score.supply import Lack
from marianne.walls.bounds import CONTROLLER, unkept


@dataclass(frozen=True, slots=True)
class Keepers:
    """``missing`` says why each controller that cannot be had on the conductor's machine is not,
    ``away`` the same of a cluster; ``limits`` are the conductor's own, for every sheet that says
    nothing else."""

    missing: Mapping[str, str]
    limits: Mapping[str, Any]
    away: Mapping[str, str] = field(default_factory=dict)

    def on_a_cluster(self) -> Keepers:
        """Those of sheets that run there."""
        return Keepers(self.away, self.limits)

    def lack(self, sheet: SheetPlan) -> Lack | None:
        """The first limit of the sheet that nobody would keep, unless it is none that must be."""
        asked, lost = self._lost(sheet)
        if not lost or asked.get("best_effort"):
            return None
        return Lack(lost[0], f"cannot be kept: {self._why(lost[0])}", HINT)

    def remark(self, sheet: SheetPlan) -> str | None:
        """The limits that are let go, in words."""
        asked, lost = self._lost(sheet)
        if not (lost and asked.get("best_effort")):
            return None
        return f"limits that are not kept here: {', '.join(lost)} ({self._why(lost[0])})"

    def _lost(self, sheet: SheetPlan) -> tuple[dict[str, Any], list[str]]:
        """What the sheet may use, and what of that nobody would keep."""
        asked = {**self.limits, **sheet.instrument.limits, **(sheet.limits or {})}
        if not unkept(asked, ()):
            return asked, []  # few ask: what there is need not be found out
        there = {name for name in CONTROLLER.values() if name not in self.missing}
        return asked, unkept(asked, there)

    def _why(self, limit: str) -> str:
        return self.missing[CONTROLLER[limit]]


HINT = "have it offered (`marianne doctor`), leave it away, or write 'best_effort: true' beside it"
