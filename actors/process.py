"""Processes as children (being written)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.system import System


class Processes:
    def __init__(self, system: System) -> None:
        self._system = system

    def watch(self, process: Any, cell: Cell) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass
