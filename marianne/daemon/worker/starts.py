"""Starts worker processes in a thread of its own, so that no actor waits for the forkserver.

A forkserver that is stopped, or that a loaded machine does not let run, keeps whoever starts a
process through it waiting (:meth:`actors.processes.Processes.start`). An actor that waits hears no
cancel and no stop, and its supervisor serves nobody meanwhile. What is asked for here comes back as
a message; the starts queue, as they do in the forkserver.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from actors import Future

if TYPE_CHECKING:
    from actors import System

T = TypeVar("T")

_Asked = tuple[Callable[[], Any], Future[Any]]


class Starts:
    """One thread, which begins with the first start. Any thread may ask."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._asked: queue.SimpleQueue[_Asked] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running = False

    def ask(self, start: Callable[[], T], name: str) -> Future[T]:
        """Calls ``start`` when it is its turn; the future has what it returned or raised.

        ``name`` is for the record of answers that nobody wants any more. A thread that cannot be
        had is an OSError in the future: another try may succeed.
        """
        future: Future[T] = Future(self._system, name, None, None)
        try:
            self._begin()
        except RuntimeError as error:
            future.refuse(OSError(str(error)))
            return future
        self._asked.put((start, future))
        return future

    def _begin(self) -> None:
        with self._lock:
            if not self._running:
                threading.Thread(target=self._run, name="starts", daemon=True).start()
                self._running = True

    def _run(self) -> None:
        while True:
            start, future = self._asked.get()
            try:
                future.answer(start())
            except Exception as error:  # noqa: BLE001 - whatever it is, the asker judges it
                future.refuse(error)
            del start, future  # while it waits for the next it keeps nothing of the last alive
