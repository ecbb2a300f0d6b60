"""What happened in a system, for logs and metrics: counted, and told to listeners."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from actors.outside import raised_by, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.cell import Cell
    from actors.reasons import ExitReason
    from actors.runtime import Runtime

EventKind = Literal[
    "started",
    "ended",
    "crashed",
    "restarted",
    "gave_up",
    "start_failed",
    "shutdown_error",
    "killed",
    "zombie",
    "dead_letter",
    "mailbox_high",
    "warning",
    "handled",
]


Listeners = list["Callable[..., object]"]


class SystemEvent(NamedTuple):
    """One thing that happened to the actor `name`.

    `error` and `traceback` are text and empty unless something failed; `detail` says which kind of
    dead letter, which exit reason, how long a mailbox, which method took `seconds`.
    """

    kind: EventKind
    name: str
    incarnation: int = 0
    detail: str = ""
    error: str = ""
    traceback: str = ""
    seconds: float = 0.0


class Events:
    """Counters and listeners of one system."""

    def __init__(self, runtime: Runtime) -> None:
        self._new_lock = runtime.reentrant_lock  # a signal handler may send dead letters
        self.renew()
        self._listeners: Listeners = []
        self.timing: Listeners = []  # those who want to know of each handled message
        self.counts: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()

    def renew(self) -> None:
        """In a forked child: the lock may be held by a thread that is not here."""
        self._lock = self._new_lock()

    def subscribe(
        self, listener: Callable[[SystemEvent], object], handled: bool = False
    ) -> Callable[[], None]:
        """Calls `listener` for each event, in the thread where it happened, until removed.

        It must be cheap and must not raise; one that raises is counted and otherwise ignored.
        Events of the kind `handled` go to those alone who want them. Returns what removes it.
        """
        removes = [listen(self._listeners, listener)]
        if handled:
            removes.append(listen(self.timing, listener))

        def remove_all() -> None:
            while removes:
                removes.pop()()

        return remove_all

    def handled(self, cell: Cell, method: str, seconds: float) -> None:
        """For those who want it: a handler has returned or raised after so many seconds."""
        event = SystemEvent("handled", cell.name, cell.incarnation, method, seconds=seconds)
        self.call_all(self.timing, event)

    def tell(
        self, kind: EventKind, name: str, incarnation: int = 0, detail: str = "", error: str = ""
    ) -> None:
        """Counts an event and tells it to those who listen."""
        with self._lock:
            self.counts[kind] += 1
        if self._listeners:
            self._send(SystemEvent(kind, name, incarnation, detail, error))

    def failed(
        self, kind: EventKind, name: str, reason: ExitReason, incarnation: int = 0, detail: str = ""
    ) -> None:
        """The same for a failure, with its text and its stack."""
        with self._lock:
            self.counts[kind] += 1
        if self._listeners:  # or nobody reads the texts
            text, stack = str(reason), reason.traceback
            self._send(SystemEvent(kind, name, incarnation, detail, text, stack))

    def _send(self, event: SystemEvent) -> None:
        self.call_all(self._listeners, event)

    def call_all(self, listeners: Listeners, *args: Any) -> None:
        """Calls each; counts those that raise."""
        for listener in tuple(listeners):
            if raised_by(listener, *args) is not None:
                with self._lock:
                    self.counts["listener_failed"] += 1

    def dead_letter(self, kind: str, name: str) -> None:
        """A message for `name` that nobody will read."""
        with self._lock:
            self.dead_letters[kind] += 1
        self.tell("dead_letter", name, detail=kind)

    def callback_failed(
        self, name: str, error: BaseException, what: str = "on_done callback raised"
    ) -> None:
        """An `on_done` callback or a timer's action raised."""
        self.tell("warning", name, detail=what, error=shown(error))


def listen(listeners: Listeners, listener: Callable[..., object]) -> Callable[[], None]:
    """Adds a listener; returns what removes it."""
    listeners.append(listener)

    def remove() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return remove
