"""What a parent remembers about a child over its incarnations; the tree is drawn from these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.cell import Cell
    from actors.reasons import ExitReason


@dataclass(slots=True)
class Node:
    """One place in the tree. `cell` is its present incarnation, None while there is none.

    `kept`: a supervisor's, which stays when the incarnation has ended.
    """

    name: str
    kept: bool = False
    cell: Cell | None = None
    state: str = "down"
    restarts: int = 0
    last_crash: ExitReason | None = None


def draw(nodes: list[Node]) -> list[dict[str, Any]]:
    """The nodes and all below them as plain data.

    Read from outside while the tree works, so that a stuck supervisor can be looked at: each line
    is true of some moment during the call, not all of one and the same.
    """
    return [_draw(node) for node in nodes]


def _draw(node: Node) -> dict[str, Any]:
    cell = node.cell
    crash = node.last_crash
    return {
        "name": node.name,
        "state": node.state if cell is None else cell.state,
        "restarts": node.restarts,
        "mailbox": 0 if cell is None else len(cell.mailbox),
        "last_crash": None if crash is None else str(crash),
        "children": [] if cell is None else draw(list(cell.children.values())),
    }
