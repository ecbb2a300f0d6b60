"""Which actor runs in this thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.cell import Cell


class _Current(threading.local):
    cell: Cell | None = None


current = _Current()
