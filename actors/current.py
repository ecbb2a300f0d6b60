"""Which actor runs in this thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actors.errors import Fenced

if TYPE_CHECKING:
    from actors.cell import Cell


class _Current(threading.local):
    cell: Cell | None = None

    @property
    def fenced(self) -> bool:
        """Whether this thread belongs to an incarnation that was killed."""
        return self.cell is not None and self.cell.fenced

    def check(self) -> None:
        """Ends this thread if it is fenced."""
        cell = self.cell
        if cell is not None and cell.fenced:
            raise Fenced


current = _Current()
