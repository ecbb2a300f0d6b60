"""Names. A name belongs to one incarnation at a time; taking one is atomic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import Fenced

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.cell import Cell
    from actors.runtime import Runtime


class Registry:
    """Maps names to incarnations.

    Looking up takes no lock: reading one dict entry is atomic.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._cells: dict[str, Cell] = {}
        self._listeners: list[Callable[[str, str, int], object]] = []
        self.find = self._cells.get

    def register(self, name: str, cell: Cell) -> Cell | None:
        """Takes the name for `cell`; returns the owner instead if it is taken."""
        with self._lock:
            if cell.reason is not None:
                raise Fenced  # it was killed: what it took now, nobody would free
            owner = self._cells.setdefault(name, cell)
            if owner is not cell:
                return owner
            if name in cell.names:
                return None
            cell.names.append(name)
        self._tell("register", name, cell)
        return None

    def unregister(self, name: str, cell: Cell) -> None:
        """Frees the name if `cell` owns it; nothing otherwise."""
        with self._lock:
            if self._cells.get(name) is not cell:
                return
            del self._cells[name]
            cell.names.remove(name)
        self._tell("unregister", name, cell)

    def forget(self, cell: Cell) -> None:
        """Frees all names of an incarnation that ended."""
        for name in tuple(cell.names):
            self.unregister(name, cell)

    def names(self) -> list[str]:
        """All names that are taken now."""
        return list(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def subscribe(self, listener: Callable[[str, str, int], object]) -> None:
        """Calls `listener("register" | "unregister", name, incarnation)` after each change."""
        self._listeners.append(listener)

    def _tell(self, change: str, name: str, cell: Cell) -> None:
        for listener in self._listeners:
            listener(change, name, cell.incarnation)
