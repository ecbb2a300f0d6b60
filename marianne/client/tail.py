"""The conductor's events, from a thread of their own into the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final

from ipc.subscriber import Subscriber
from marianne.cli.session import Session

PAGE: Final = 1_000
LOOK_SECONDS: Final = 0.5
"""Between two looks whether it is over."""

AT_ONCE: Final = 1_000

Take = Callable[[list[dict[str, Any]]], None]


class Tail:
    """Gives every event after ``since`` to ``take``, once and in order, in the loop's thread; None
    begins with what happens next.

    Goes on over a conductor's death: what it missed is asked for (ipc.subscriber).
    """

    def __init__(self, session: Session, since: int | None, take: Take) -> None:
        self._session = session.another()
        self._since = since
        self._take = take
        self._over = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="tail", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        place = self._session.events
        with self._session.new_client() as client:

            def fetch(after: int) -> list[Any]:
                params = {"seq": after, "job_id": None, "limit": PAGE}
                return list(client.request("events.since", params)["events"])

            with Subscriber(place, [""], fetch, since=self._since) as events:
                while not self._over.is_set():
                    self._hand_over(events)

    def _hand_over(self, events: Subscriber) -> None:
        first = events.get(LOOK_SECONDS)
        if first is None:
            return
        found = [first]
        while len(found) < AT_ONCE and (event := events.get(0)) is not None:
            found.append(event)
        if not self._over.is_set():
            self._loop.call_soon_threadsafe(self._take, found)
