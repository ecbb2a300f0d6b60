"""Reading what was learned of finished jobs."""

from __future__ import annotations

from marianne.state import rows
from marianne.state.connection import Rows
from marianne.state.models import OutcomeRow, PatternRow


class Learned:
    """What jobs had used, and how estimators have done: of a Reader's connection."""

    def __init__(self, found_in: Rows) -> None:
        self._rows = found_in

    def outcomes(self, config_hash: str | None = None, limit: int = 20_000) -> list[OutcomeRow]:
        """What jobs of one configuration, or of all, had used; newest first."""
        where, values = ("WHERE config_hash = ?", [config_hash]) if config_hash else ("", [])
        found = self._rows.all(
            f"SELECT {rows.OUTCOME_COLUMNS} FROM outcomes {where} ORDER BY num DESC LIMIT ?",
            *values,
            limit,
        )
        return [OutcomeRow(*row) for row in found]

    def patterns(self) -> list[PatternRow]:
        """How all estimators have done."""
        found = self._rows.all(f"SELECT {rows.PATTERN_COLUMNS} FROM patterns")
        return [PatternRow(*row) for row in found]
