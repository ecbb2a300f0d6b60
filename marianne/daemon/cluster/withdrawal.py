"""A job's wish to have back what it granted ahead: answered when every node has given back its."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Withdrawal:
    """None is under way at first."""

    def __init__(self) -> None:
        self._left: set[str] | None = None
        self._returned: list[list[int]] = []

    def begin(self, nodes: Iterable[str], returned: Iterable[Sequence[int]]) -> None:
        """These nodes were asked; ``returned`` (sheet and attempt) none of them had."""
        self._left, self._returned = set(nodes), [list(pair) for pair in returned]

    def forget(self) -> None:
        """Nobody waits for it any more."""
        self._left = None

    def heard(self, node: str, returned: Iterable[Sequence[int]] = ()) -> list[list[int]] | None:
        """A node has given back these, or is gone; returns all, once no other is asked."""
        self._returned += [list(pair) for pair in returned]
        if self._left is None:
            return None
        self._left.discard(node)
        if self._left:
            return None
        self._left = None
        return self._returned
