"""The sending side of the event stream: never waits for anybody who listens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import zmq

from ipc.codec import pack
from ipc.connections import Connections
from ipc.endpoint import place_of
from ipc.flags import EVENTS, MORE, NOBLOCK, READABLE

if TYPE_CHECKING:
    from ipc.endpoint import Place

# Messages that wait for each listener that reads too slowly; what goes beyond is dropped for that
# listener, which sees the gap and asks for what it missed. About 10 MB at usual sizes.
HIGH_WATER: Final = 20_000

TICK: Final = "daemon.tick"

# What listeners send are subscriptions: a prefix of a topic, which has at most some 100 bytes.
# ZeroMQ keeps about fifty bytes for each of a prefix.
MAX_MESSAGE: Final = 512
MAX_WAITING: Final = 1_000
MAX_SUBSCRIPTIONS: Final = 10_000
MAX_SUBSCRIPTIONS_PER_PEER: Final = 1_000


def topic_of(job_id: str | None, event: str) -> str:
    """The topic an event is published under: `job.<job_id>.<event>` or `daemon.<event>`.

    An event of the daemon that has `daemon.` in its name already keeps it: `daemon.tick`.
    """
    if job_id:
        return f"job.{job_id}.{event}"
    return event if event.startswith("daemon.") else f"daemon.{event}"


class Publisher:
    """An XPUB socket at a path. Owned by the thread that starts it; nothing here ever blocks.

    While nobody listens, publishing costs a look at the socket and packs nothing. A listener that
    subscribes to more than 1,000 topics, or to one that makes them more than 10,000 in all, is cut
    off, and over `max_connections` the one that was silent longest.
    """

    def __init__(
        self,
        path: Place,
        *,
        high_water: int = HIGH_WATER,
        max_connections: int | None = None,
    ) -> None:
        self.endpoint = place_of(path)
        self.connections = Connections(max_connections)
        self.published = 0
        self._high_water = high_water
        self._topics: set[bytes] = set()
        self._subscribed: dict[int, int] = {}  # by the serial of the connection
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None

    def start(self) -> None:
        """Binds. Raises EndpointError if the path must not be used."""
        context = zmq.Context()
        socket = context.socket(zmq.XPUB)
        try:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDHWM, self._high_water)
            socket.setsockopt(zmq.RCVHWM, MAX_WAITING)
            socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
            self.endpoint.arm(context, socket)
            self.connections.watch(context, socket)
            self.endpoint.bind(socket.bind)
            self.connections.bound(self.endpoint.address)
        except BaseException:
            socket.close(0)
            context.term()
            self.endpoint.close()
            raise
        self._context, self._socket = context, socket

    def stop(self, linger: float = 0.2) -> None:
        """Closes; what listeners have not read yet gets at most `linger` seconds to leave."""
        if self._socket is None or self._context is None:
            return
        self._socket.close(int(linger * 1000))
        self._context.term()
        self._socket = self._context = None
        self.endpoint.remove()

    @property
    def wanted(self) -> bool:
        """Whether anybody has subscribed to anything."""
        self._note_subscriptions()
        return bool(self._topics)

    def publish(self, topic: str, body: Mapping[str, Any] | bytes) -> None:
        """Sends one event to everybody who subscribed to a prefix of its topic.

        A body in bytes is msgpack already. Raises CodecError for a body that cannot be packed.
        """
        self.publish_batch(((topic, body),))

    def publish_batch(self, events: Iterable[tuple[str, Mapping[str, Any] | bytes]]) -> None:
        """Sends events in order; cheaper than one call for each."""
        socket = self._socket
        if socket is None:
            raise RuntimeError("publish before start or after stop")
        self._note_subscriptions()
        if not self._topics:
            return
        # Two plain sends: send_multipart costs a third of the whole rate.
        send = socket.send
        count = 0
        for topic, body in events:
            frame = body if isinstance(body, bytes) else pack(body)
            send(topic.encode(), MORE)
            send(frame, NOBLOCK)
            count += 1
        self.published += count

    def _note_subscriptions(self) -> None:
        """Reads who came and went. Unread, these notices would add up without bound."""
        socket = self._socket
        if socket is None:
            return
        while int(socket.getsockopt(EVENTS)) & READABLE:
            frame = socket.recv(NOBLOCK, copy=False)
            notice = frame.bytes
            # The first byte says which; XPUB reports the first to come and the last to go.
            if notice[:1] == b"\x01":
                self._topics.add(notice[1:])
                self._count(frame)
            elif notice[:1] == b"\x00":
                self._topics.discard(notice[1:])

    def _count(self, frame: zmq.Frame) -> None:
        """Cuts the listener off whose subscription this is, if it is one too many."""
        try:
            descriptor = int(frame.get(zmq.SRCFD))
        except zmq.ZMQError:
            return  # it has gone
        serial = self.connections.serial(descriptor)
        if serial is None:
            return
        count = self._subscribed[serial] = self._subscribed.get(serial, 0) + 1
        if count > MAX_SUBSCRIPTIONS_PER_PEER or len(self._topics) > MAX_SUBSCRIPTIONS:
            self.connections.cut(descriptor)
        if len(self._subscribed) > 2 * self.connections.limit:
            living = self.connections.serials()
            self._subscribed = {key: n for key, n in self._subscribed.items() if key in living}
