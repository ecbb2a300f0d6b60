"""What happened in a system, for logs and metrics: counted, and told to listeners."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

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
]


@dataclass(frozen=True, slots=True)
class SystemEvent:
    """One thing that happened to the actor `name`.

    `error` and `traceback` are text and empty unless something failed; `detail` says which kind of
    dead letter, which exit reason, how long a mailbox.
    """

    kind: EventKind
    name: str
    incarnation: int = 0
    detail: str = ""
    error: str = ""
    traceback: str = ""


class Events:
    """Counters and listeners of one system."""

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._listeners: list[Callable[[SystemEvent], object]] = []
        self.counts: Counter[str] = Counter()
        self.dead_letters: Counter[str] = Counter()

    def subscribe(self, listener: Callable[[SystemEvent], object]) -> None:
        """Calls `listener` for each event, in the thread where it happened.

        It must be cheap and must not raise; one that raises is counted and otherwise ignored.
        """
        self._listeners.append(listener)

    @property
    def heard(self) -> bool:
        """Whether anybody listens; spares making texts that nobody reads."""
        return bool(self._listeners)

    def emit(self, event: SystemEvent) -> None:
        with self._lock:
            self.counts[event.kind] += 1
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # a broken listener must not kill a bystander
                with self._lock:
                    self.counts["listener_failed"] += 1

    def dead_letter(self, kind: str, name: str) -> None:
        """A message for `name` that nobody will read."""
        with self._lock:
            self.dead_letters[kind] += 1
        self.emit(SystemEvent("dead_letter", name, detail=kind))

    def callback_failed(self, name: str, error: BaseException) -> None:
        """An `on_done` callback raised."""
        self.emit(SystemEvent("warning", name, detail="on_done callback raised", error=repr(error)))
