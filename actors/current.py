"""Which actor runs in this thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from actors.errors import Fenced

if TYPE_CHECKING:
    from actors.cell import Cell


class _Current(threading.local):
    cell: Cell | None = None

    def check(self) -> None:
        """Ends the calling thread if it belongs to an incarnation that was killed."""
        if self.cell is not None and self.cell.fenced:
            raise Fenced


current = _Current()
