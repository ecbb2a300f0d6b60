"""All pages that are open: each gets its parts whenever they change, and every event.

A browser that comes back says the number of the last event that it has; what it missed comes first,
over deaths of the conductor and of this server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from marianne.cli.errors import CliError
from marianne.client.conductor import Conductor
from marianne.client.presence import Presence
from marianne.client.tail import PAGE, Tail
from marianne.web.hub import Hub, log_message, message
from marianne.web.views import view_of
from marianne.web.watch import Seen, View, Watch

WRITE_SECONDS: Final = 0.25
"""Between two writes to one page."""

ALIVE_SECONDS: Final = 20.0
"""A page that is gone without a word is noticed by a write."""

AGAIN_SECONDS: Final = 1.0

BEGIN: Final = b"retry: 1000\n\n"
NOTHING: Final = b":\n\n"

Write = Callable[[bytes], Awaitable[None]]
Key = tuple[tuple[str, str], ...]
"""What a page asks for: pages of one key show the same."""


class Page:
    """One that is open. ``gone`` says so when it is no more."""

    def __init__(self, key: Key, view: View, since: int | None) -> None:
        self.key = key
        self.view = view
        self._position = since
        self._life = 0
        self._seen: Seen = {}
        self._said = b""
        self._bell = asyncio.Event()
        self.is_gone = False

    def ring(self) -> None:
        """There may be something for it."""
        self._bell.set()

    def gone(self) -> None:
        """It is no more."""
        self.is_gone = True
        self.ring()

    async def rung(self, seconds: float) -> bool:
        """Whether somebody has rung since the last time, within some seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return False
        self._bell.clear()
        return True

    async def news(self, hub: Hub, conductor: Conductor, watch: Watch, said: bytes) -> bytes:
        """What it has not had yet; empty: nothing."""
        self._bell.clear()
        found = b"" if said == self._said else said
        self._said = said
        return found + watch.since(self._seen) + await self._events(hub, conductor)

    async def _events(self, hub: Hub, conductor: Conductor) -> bytes:
        if not hub.life:
            return b""
        if self._life not in (0, hub.life):
            self._position = None  # what it has is of another state
        self._life = hub.life
        if self._position is None:
            self._position = hub.last
            return message("begin", {"seq": hub.last}, hub.last)
        last, job = hub.last, self.view.job
        if self._position >= last:
            return b""
        found = hub.after(self._position, job)
        if found is not None:
            self._position = last
            return found
        return await self._missed(conductor, last, job)

    async def _missed(self, conductor: Conductor, last: int, job: str | None) -> bytes:
        """A page of what is not kept here any more."""
        params = {"seq": self._position, "job_id": job, "limit": PAGE}
        try:
            events = (await conductor.ask("events.since", **params))["events"]
        except CliError:  # asked again: the events are on disk
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self.ring)
            return b""
        newest = events[-1]["seq"] if events else last
        self._position = newest if len(events) == PAGE else max(newest, last)
        return b"".join(map(log_message, events))


class Live:
    """Lives in one event loop, from :meth:`begin` to :meth:`end`."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._hub = Hub()
        self._watches: dict[Key, Watch] = {}
        self._pages: set[Page] = set()
        self._presence = Presence(conductor, self._presence_changed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._tail: Tail | None = None
        self._over = self._asks_last = False

    def begin(self) -> None:
        """Watches the conductor from now on."""
        self._start(self._presence.watch())

    def close(self) -> None:
        """Ends all streams."""
        self._over = True
        self._ring()

    async def end(self) -> None:
        """Ends all streams, and watches nothing any more."""
        self.close()
        for task in self._tasks:
            task.cancel()
        if self._tail is not None:
            await asyncio.to_thread(self._tail.stop)

    def open(self, asked: dict[str, str], since: int | None) -> Page:
        """A page of a view, which has every event up to ``since``. Raises CliError for no view."""
        return Page(tuple(sorted(asked.items())), view_of(self._conductor, asked), since)

    async def serve(self, page: Page, write: Write) -> None:
        """Writes to the page until it is gone, or all is over."""
        watch = self._watches.get(page.key)
        if watch is None:
            watch = self._watches[page.key] = Watch(page.view, self._ring)
        self._pages.add(page)
        watch.enter()
        try:
            await write(BEGIN)
            while not (self._over or page.is_gone):
                piece = await page.news(self._hub, self._conductor, watch, self._said())
                if piece:
                    await write(piece)
                    await asyncio.sleep(WRITE_SECONDS)
                elif not await page.rung(ALIVE_SECONDS):
                    await write(NOTHING)
        finally:
            self._pages.discard(page)
            watch.leave()
            if not watch.viewers:
                del self._watches[page.key]

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _said(self) -> bytes:
        state, pid = self._presence.state, self._presence.pid
        home = str(self._conductor.session.home.path)
        return message("conductor", {"state": state, "pid": pid, "home": home})

    def _ring(self) -> None:
        for page in self._pages:
            page.ring()

    def _presence_changed(self) -> None:
        if self._presence.state == "there":
            if not self._asks_last:
                self._start(self._listen())
            for watch in self._watches.values():
                watch.touch()
        self._ring()

    async def _listen(self) -> None:
        """Hears all events from now on; anew where the conductor has fewer than it had."""
        self._asks_last = True
        had = self._hub.last  # more may be heard before the answer is
        try:
            last = await self._last()
        finally:
            self._asks_last = False
        if self._over or (self._tail is not None and last >= had):
            return
        if self._tail is not None:
            await asyncio.to_thread(self._tail.stop)
        self._hub.begin(last)
        self._tail = Tail(self._conductor.session, last, self._take)
        self._ring()

    async def _last(self) -> int:
        """The number of the newest event."""
        while True:
            try:
                told = await self._conductor.ask("events.since", seq=0, job_id=None, limit=1)
                return int(told["last"])
            except CliError:
                await asyncio.sleep(AGAIN_SECONDS)

    def _take(self, events: list[dict[str, Any]]) -> None:
        self._hub.add(events)
        jobs = {event["job_id"] for event in events}
        for watch in self._watches.values():
            if watch.view.job is None or watch.view.job in jobs:
                watch.touch()
        self._ring()
