"""Names, each of one incarnation at a time; and topics, each of any number of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.errors import Fenced
from actors.events import listen

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from actors.cell import Cell
    from actors.events import Events, Listeners
    from actors.runtime import Runtime


class Registry:
    """Maps names and topics to incarnations, of which none has ended.

    Looking up takes no lock: reading one dict entry is atomic, and so is copying a dict.
    """

    def __init__(self, runtime: Runtime, events: Events) -> None:
        self._events = events
        self._new_lock = runtime.lock
        self._lock = runtime.lock()
        self._cells: dict[str, Cell] = {}
        self._topics: dict[Hashable, dict[Cell, None]] = {}
        self._listeners: Listeners = []
        self.find = self._cells.get

    def register(self, name: str, cell: Cell) -> Cell | None:
        """Takes the name for `cell`; returns the owner instead if it is taken."""
        with self._lock:
            if cell.claimed:
                raise Fenced  # it was killed: what it took now, nobody would free
            owner = self._cells.get(name)
            if owner is not None:
                return None if owner is cell else owner
            # In this order: who finds the cell by its name may kill it at once, which frees it.
            cell.names[name] = None
            self._cells[name] = cell
        if self._listeners:
            self._tell("register", name, cell)
        return None

    def unregister(self, name: str, cell: Cell) -> None:
        """Frees the name if `cell` owns it; nothing otherwise."""
        with self._lock:
            if self._cells.get(name) is not cell:
                return
            del self._cells[name]
            del cell.names[name]
        if self._listeners:
            self._tell("unregister", name, cell)

    def join(self, topic: Hashable, cell: Cell) -> None:
        """Puts `cell` into the topic; it is there once, however often it joins."""
        with self._lock:
            if cell.claimed:
                raise Fenced  # as above
            self._topics.setdefault(topic, {})[cell] = None
            if cell.topics is None:
                cell.topics = {}
            cell.topics[topic] = None

    def leave(self, topic: Hashable, cell: Cell) -> None:
        """Takes it out; nothing if it is not in."""
        with self._lock:
            if cell.topics and topic in cell.topics:
                del cell.topics[topic]
                self._drop(topic, cell)

    def members(self, topic: Hashable) -> tuple[Cell, ...]:
        """Who is in the topic, in the order of their joining."""
        return tuple(self._topics.get(topic, ()))

    def _drop(self, topic: Hashable, cell: Cell) -> None:
        members = self._topics[topic]
        del members[cell]
        if not members:
            del self._topics[topic]

    def forget(self, cell: Cell) -> None:
        """Frees all names of an incarnation that ended, and takes it out of all topics."""
        with self._lock:
            names, cell.names = cell.names, {}
            for name in names:
                del self._cells[name]
            topics, cell.topics = cell.topics, None
            for topic in topics or ():
                self._drop(topic, cell)
        if self._listeners:
            for name in names:
                self._tell("unregister", name, cell)

    def renew(self) -> None:
        """In a forked child: no name is taken."""
        self._lock = self._new_lock()
        self._cells.clear()
        self._topics.clear()

    def names(self) -> list[str]:
        """All names that are taken now."""
        return list(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def subscribe(self, listener: Callable[[str, str, int], object]) -> Callable[[], None]:
        """Calls `listener("register" | "unregister", name, incarnation)` after each change.

        Returns what removes it.
        """
        return listen(self._listeners, listener)

    def _tell(self, change: str, name: str, cell: Cell) -> None:
        self._events.call_all(self._listeners, change, name, cell.incarnation)
