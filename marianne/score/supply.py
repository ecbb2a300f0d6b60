"""What a conductor has for its sheets, and which of them ask for more than that."""

from __future__ import annotations

from marianne.model.plan import SheetPlan
from marianne.records import dataclass


@dataclass(frozen=True, slots=True)
class Lack:
    """``field`` of a sheet's resources cannot be had; ``hint`` says what to do about it."""

    field: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is in all. Of processors nobody asks for too many: who takes more than there are
    runs alone."""

    gpus: float
    memory_mb: float
    labels: tuple[str, ...] = ()

    def lack(self, sheet: SheetPlan) -> Lack | None:
        """What the sheet can never have here."""
        if sheet.memory_mb > self.memory_mb:
            return Lack(
                "memory_mb",
                f"takes {sheet.memory_mb:,} MB of memory, and the conductor has"
                f" {self.memory_mb:,.0f}",
                "take less, or raise resource_limits.max_memory_mb as far as the machine allows",
            )
        if sheet.gpus > self.gpus:
            return Lack(
                "gpus",
                f"takes {sheet.gpus} gpu{'s' if sheet.gpus > 1 else ''},"
                f" and the conductor has {self.gpus:g}",
                "run it where there are, or set 'gpus' in conductor.yaml",
            )
        missing = [label for label in sheet.labels if label not in self.labels]
        if missing:
            has = f"only {', '.join(self.labels)}" if self.labels else "none"
            return Lack(
                "labels",
                f"wants a machine called '{missing[0]}', and the conductor has {has}",
                "run it where there is one, or add it to 'labels' in conductor.yaml",
            )
        return None
