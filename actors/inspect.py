"""Looking into a running actor, and holding it, through its system lane; and the tree as data.

What is asked goes before all user messages and is served while the actor is suspended. It
waits only for the message in hand.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from actors.current import current
from actors.errors import Fenced, NoSuchActor
from actors.future import Future
from actors.reasons import KILLED, NO_ACTOR

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.address import Address
    from actors.cell import Cell
    from actors.reasons import ExitReason

TIMEOUT = 5.0


class Inspection(NamedTuple):
    """A question for the system lane."""

    future: Future[Any]
    look: Callable[[Cell], Any]


class Inspector:
    """One incarnation, seen from outside. Its questions raise what an ask would."""

    def __init__(self, address: Address[Any]) -> None:
        cell = address.cell()
        if cell is None:
            raise NoSuchActor(address.name)
        self._cell = cell

    def state(self) -> dict[str, Any]:
        """A shallow copy of the actor's attributes, those of this package left out."""
        return dict(self._ask(_state))

    def replace_state(self, change: Callable[[Any], object]) -> None:
        """Runs `change(actor)` in the actor's thread, between two messages."""
        self._ask(lambda cell: change(cell.actor) and None)

    def suspend(self) -> None:
        """Messages, timers and DOWNs wait until `resume`; a stop and these questions do not."""
        self._ask(lambda cell: setattr(cell, "suspended", True))

    def resume(self) -> None:
        """Goes on with what has waited."""
        self._ask(lambda cell: setattr(cell, "suspended", False))

    def trace(self, length: int) -> None:
        """Remembers the last `length` user messages from now on; 0 stops and forgets."""
        self._ask(lambda cell: setattr(cell, "trace", deque(maxlen=length) if length else None))

    def traced(self) -> list[tuple[float, str]]:
        """(time on the system's clock, method) of the remembered messages, the oldest first."""
        return list(self._ask(lambda cell: list(cell.trace or ())))

    def statistics(self) -> dict[str, Any]:
        """Counts, read from outside without asking: it works on a stuck actor, too."""
        cell = self._cell
        return {
            "state": cell.state,
            "incarnation": cell.incarnation,
            "handled": cell.handled,
            "mailbox": len(cell.mailbox.user),
            "system_lane": len(cell.mailbox.system),
            "promises": len(cell.promises),
            "timers": len(cell.timers),
            "watchers": len(cell.monitors),
            "waits_for": None if cell.awaits is None else cell.awaits[0].name,
        }

    def _ask(self, look: Callable[[Cell], Any]) -> Any:
        current.check()
        cell = self._cell
        future: Future[Any] = Future(cell.system, cell.name, cell, TIMEOUT)
        if not cell.mailbox.put_system((_look, Inspection(future, look))):
            future.died(cell.dying or NO_ACTOR)
        return future.get()


def _look(cell: Cell, inspection: Inspection) -> None:
    try:
        inspection.future.answer(inspection.look(cell))
    except Fenced:
        inspection.future.died(KILLED)
        raise
    except BaseException as error:  # noqa: BLE001  # the fault is the asker's
        inspection.future.refuse(error)


def _state(cell: Cell) -> dict[str, Any]:
    ours = {"_cell", "actor_urn", "actor_inbox", "actor_stopped", "_actor_ref"}
    if not cell.cls.is_plain:
        ours |= {"system", "name", "incarnation", "ref"}
    return {name: value for name, value in vars(cell.actor).items() if name not in ours}


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


class TreeNode(TypedDict):
    """A node of the tree as it is drawn."""

    name: str
    state: str
    """`idle` `busy` `starting` `suspended` `stopping` `ended` `zombie` (killed, but its thread goes
    on); without an incarnation `down` or `restarting`"""
    restarts: int
    mailbox: int
    """messages that wait"""
    last_crash: str | None
    children: list[TreeNode]


def draw(nodes: list[Node]) -> list[TreeNode]:
    """The nodes and all below them as plain data.

    Read from outside while the tree works, so that a stuck supervisor can be looked at: each line
    is true of some moment during the call, not all of one and the same.
    """
    return [_draw(node) for node in nodes]


def _draw(node: Node) -> TreeNode:
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
