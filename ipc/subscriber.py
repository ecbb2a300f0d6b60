"""The receiving side of the event stream: every event once, in order, also over restarts.

A publisher drops events for a listener that is slow or not connected. All of them are in the
sender's log before they are published, and numbered; so a tail needs only to notice that something
is missing and to ask for it (`fetch_since`). It notices in four ways: a number that does not
follow, a new connection, the tick, which repeats the highest number once the stream is quiet, and
the lack of a tick.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import zmq

from ipc.codec import unpack
from ipc.connection import RECONNECT_FIRST_MS, RECONNECT_LAST_MS
from ipc.endpoint import Endpoint, way_to
from ipc.errors import CodecError, EndpointError, IpcError
from ipc.publisher import TICK, topic_of

if TYPE_CHECKING:
    from ipc.endpoint import Way

Event = dict[str, Any]
FetchSince = Callable[[int], "list[Event]"]

HIGH_WATER: Final = 20_000
# A tick follows the last event after a second. One that has not come by then was dropped.
TICK_PATIENCE = 2.0
_RETRY_SECONDS: Final = 0.2
_BATCH: Final = 1000


class Subscriber:
    """A tail of the events under `topics`, an iterator of event maps. For one thread.

    `topics` are prefixes: `[""]` is everything, `["job.<job_id>."]` one job. Of these two a gap is
    noticed, by `seq` for everything and by `prev` for one job; of any other choice it is not, so
    take everything and choose from it.

    `since` is the number of the last event that is known already: all later ones are delivered.
    None begins with whatever is published next. `fetch_since(n)` returns the events after `n`, of
    these topics, in order, as many as it likes at a time; an empty list says that there are no
    more. It may raise an IpcError (the server is away): it is asked again. Without it, gaps are
    counted in `missed` and passed over.

    The tick itself is not delivered.
    """

    def __init__(
        self,
        path: Way,
        topics: Iterable[str] = ("",),
        fetch_since: FetchSince | None = None,
        since: int | None = None,
        *,
        high_water: int = HIGH_WATER,
    ) -> None:
        self.topics = tuple(topics)
        self._position = since  # up to here everything is delivered or in _ready
        self._heard = 0  # the highest number that was heard of
        self.fetches = self.missed = self.repeated = self.malformed = 0
        self._fetch = fetch_since
        self._ready: deque[Event] = deque()
        # Up to where to ask: a number, or infinity for as long as there is more.
        self._fill_to: float | None = None
        self._fill_at = 0.0
        self._tick_due: float | None = None
        self._endpoint = way_to(path)
        address = self._endpoint.checked_address()
        self._follows = _rule_for(self.topics)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._socket = self._context.socket(zmq.SUB)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.RCVHWM, high_water)
            socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_FIRST_MS)
            socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_LAST_MS)
            for topic in {*self.topics, TICK}:
                socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
            # Only this one event is asked for, so whatever the monitor says means: connected.
            self._monitor = socket.get_monitor_socket(zmq.Event.HANDSHAKE_SUCCEEDED)
            if not isinstance(self._endpoint, Endpoint):
                self._endpoint.arm(socket)
            socket.connect(address)
        except BaseException:
            self._context.destroy(0)
            raise
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._monitor, zmq.POLLIN)
        self._made = True

    def __del__(self) -> None:
        if getattr(self, "_made", False):  # before the context is collected: as in Client
            self.close()

    @property
    def position(self) -> int | None:
        """Up to this number everything has been delivered: the `since` of a later Subscriber."""
        if self._ready:
            return int(self._ready[0]["seq"]) - 1
        return self._position

    def close(self) -> None:
        """Ends the subscription."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close(0)
            self._socket.close(0)
            self._context.term()
            self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self.get()
            if event is not None:
                yield event

    def get(self, timeout: float | None = None) -> Event | None:
        """The next event; None if there is none within `timeout` seconds (None: for ever)."""
        if self._ready:
            return self._ready.popleft()
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            now = time.monotonic()
            if self._fill_to is not None and now >= self._fill_at:
                self._fill(now)
            else:
                self._listen(self._wait(now, until))
            if self._ready:
                return self._ready.popleft()
            if until is not None and time.monotonic() >= until:
                return None

    def _wait(self, now: float, until: float | None) -> float | None:
        """Seconds to listen before something else is due; None for as long as it takes."""
        if self._tick_due is not None and now >= self._tick_due and self._position is not None:
            # This tail was so slow that the tick was dropped for it as well.
            self._tick_due = None
            self._missing(math.inf)
        due = self._tick_due if self._fill_to is None else self._fill_at
        moments = [moment for moment in (until, due) if moment is not None]
        return max(0.0, min(moments) - now) if moments else None

    def _listen(self, seconds: float | None) -> None:
        """Waits for something to arrive and takes it in."""
        timeout = None if seconds is None else int(seconds * 1000) + 1
        arrived = dict(self._poller.poll(timeout))
        if self._monitor in arrived:
            self._monitor.recv_multipart()
            # What was published while there was no connection can only be asked for; what comes
            # before the new subscription counts is found by the next number, or by the tick.
            if self._position is not None:
                self._missing(math.inf)
        if self._socket in arrived:
            for _ in range(_BATCH):
                try:
                    frames = self._socket.recv_multipart(zmq.NOBLOCK)
                except zmq.Again:
                    return
                self._take(frames)

    def _take(self, frames: list[bytes]) -> None:
        try:
            event = unpack(frames[-1])
        except CodecError:
            event = None
        if len(frames) != 2 or not isinstance(event, dict) or type(event.get("seq")) is not int:
            self.malformed += 1
            return
        seq: int = event["seq"]
        self._heard = max(self._heard, seq)
        if event.get("event") == TICK:
            self._tick_due = None
            if self._position is None:
                self._position = seq
            elif seq > self._position:
                self._missing(seq)
                if self._fetch is None:
                    self._position = seq
            return
        self._tick_due = time.monotonic() + TICK_PATIENCE
        if self._fill_to is not None:
            # Older ones are on their way through fetch_since, and this one will come with them.
            self._fill_to = max(self._fill_to, seq)
        elif self._position is None or self._follows(event, self._position):
            self._deliver(event)
        elif seq <= self._position:
            self.repeated += 1
        else:
            self._missing(seq)
            if self._fetch is None:
                self._deliver(event)

    def _deliver(self, event: Event) -> None:
        self._position = event["seq"]
        self._ready.append(event)

    def _missing(self, up_to: float) -> None:
        """Notes that events up to this number have to be asked for, or cannot be had."""
        if self._fetch is not None:
            self._fill_to = max(up_to, self._fill_to or 0)
        elif up_to != math.inf:
            self.missed += 1

    def _fill(self, now: float) -> None:
        """Asks for one page of what is missing."""
        assert self._fetch is not None
        assert self._fill_to is not None
        position = self._position or 0
        self.fetches += 1
        try:
            page = self._fetch(position)
        except EndpointError:
            raise
        except IpcError:
            self._fill_at = now + _RETRY_SECONDS
            return
        for event in page:
            if event["seq"] > position and self._wanted(event):
                self._ready.append(event)
            position = max(position, event["seq"])
        if not page or position >= self._fill_to:
            # Numbers that the log does not have, of these topics or any more, are passed over.
            position = max(position, self._heard)
            self._fill_to = None
        self._position = position

    def _wanted(self, event: Event) -> bool:
        return topic_of(event.get("job_id"), str(event.get("event"))).startswith(self.topics)


def _rule_for(topics: tuple[str, ...]) -> Callable[[Event, int], bool]:
    """How to tell that an event is the next one after a position."""
    if "" in topics:
        return _follows_all
    if len(topics) == 1 and topics[0].startswith("job.") and topics[0].endswith("."):
        return _follows_in_job
    return _follows_nothing


def _follows_all(event: Event, position: int) -> bool:
    return bool(event["seq"] == position + 1)


def _follows_in_job(event: Event, position: int) -> bool:
    prev = event.get("prev")
    return bool(event["seq"] > position) and (prev is None or prev <= position)


def _follows_nothing(event: Event, position: int) -> bool:
    return bool(event["seq"] > position)
