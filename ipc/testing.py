"""Stand-ins for tests of programs built on this package: no sockets, no threads, no waiting.

Everything that would go over a wire is packed and unpacked on the way, so what works here can be
sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ipc.codec import pack, unpack
from ipc.conversation import new_request_id, remote_error
from ipc.envelope import Reply, Request, decode_reply, decode_request, encode_error, encode_request
from ipc.errors import INTERNAL, RETRYABLE, CodecError, DeadlineExceeded
from ipc.publisher import topic_of
from ipc.server import Dispatch, Responder, Server


class StubServer(Server):
    """A server without a socket: hands requests to its dispatch and keeps the replies."""

    def __init__(self, dispatch: Dispatch, path: str = "/nowhere/stub.sock") -> None:
        super().__init__(path, dispatch)
        self.replies: dict[str, Reply] = {}

    def start(self) -> None:
        """Nothing to bind."""

    def stop(self, timeout: float = 5.0) -> bool:
        """Nothing to close."""
        return True

    def receive(self, frame: bytes) -> None:
        """Takes in a request's frame as if it had just arrived. Raises Malformed."""
        request = decode_request(frame)
        responder = Responder(self, b"stub", request, float("inf"))
        self._open[request.id] = responder
        try:
            self._dispatch(request, responder)
        except Exception as error:  # noqa: BLE001 - as the real one does
            responder.error(INTERNAL, f"{request.method}: {type(error).__name__}: {error}")

    def answer(self, responder: Responder, frame: bytes, *, ok: bool) -> bool:
        """Keeps the reply under the request's id."""
        if self._open.pop(responder.request.id, None) is not responder:
            return False
        self.replies[responder.request.id] = decode_reply(frame)
        return True


class StubClient:
    """Asks a dispatch directly, in the calling thread. No retries: a refusal is raised at once.

    A dispatch that does not answer before it returns is a DeadlineExceeded at once.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self.server = StubServer(dispatch)
        self.requests: list[Request] = []

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        deadline: float | None = None,
        id: str | None = None,  # noqa: A002 - as in Client
        retry: Collection[str] = RETRYABLE,
    ) -> Any:
        """The result of `method(params)`, or the exception that `Client.request` raises."""
        seconds = 5.0 if deadline is None else deadline
        request_id = id or new_request_id()
        request = Request(request_id, method, params or {}, max(1, int(seconds * 1000)))
        self.requests.append(request)
        self.server.receive(encode_request(request))
        reply = self.server.replies.pop(request_id, None)
        if reply is None:
            raise DeadlineExceeded(method, seconds, request_id, reached=True)
        if not reply.ok:
            raise remote_error(reply)
        return reply.result

    def close(self) -> None:
        """Nothing to close."""


class StubResponder:
    """Keeps the one answer to a request: `reply`, as a client would see it, or None so far."""

    def __init__(self, method: str = "test", params: dict[str, Any] | None = None) -> None:
        self.request = Request("stub", method, params or {})
        self.reply: Reply | None = None

    def ok(self, result: Any = None) -> bool:
        """As `Responder.ok`."""
        return self.ok_packed(pack(result))

    def ok_packed(self, packed: bytes) -> bool:
        """As `Responder.ok_packed`."""
        return self._keep(Reply(self.request.id, True, unpack(packed)))

    def error(
        self, code: str, message: str, hint: str | None = None, data: dict[str, Any] | None = None
    ) -> bool:
        """As `Responder.error`."""
        return self._keep(decode_reply(encode_error(self.request.id, code, message, hint, data)))

    @property
    def open(self) -> bool:
        """Whether an answer still counts."""
        return self.reply is None

    def remaining(self) -> float:
        """There is no clock here: for ever."""
        return float("inf")

    def _keep(self, reply: Reply) -> bool:
        if self.reply is not None:
            return False
        self.reply = reply
        return True


class StubPublisher:
    """Keeps what is published: `events`, the bodies, and `topics`, in order."""

    wanted = True

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.events: list[Any] = []

    def start(self) -> None:
        """Nothing to bind."""

    def stop(self, linger: float = 0.2) -> None:
        """Nothing to close."""

    def publish(self, topic: str, body: Mapping[str, Any] | bytes) -> None:
        """As `Publisher.publish`; also checks that the body belongs under the topic."""
        event = unpack(body if isinstance(body, bytes) else pack(body))
        if topic != topic_of(event.get("job_id"), str(event.get("event"))):
            raise CodecError(f"{topic}: not the topic of {event}")
        self.topics.append(topic)
        self.events.append(event)

    def publish_batch(self, events: Any) -> None:
        """As `Publisher.publish_batch`."""
        for topic, body in events:
            self.publish(topic, body)


class StubLink:
    """Both ends of a worker link in one object.

    For code that holds a `Router`: `sent` is what it sent, as (identity, map), and `send` takes
    it. For code that holds a `Dealer`: put maps into `incoming`, and `said` is what it sent.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, dict[str, Any]]] = []
        self.said: list[dict[str, Any]] = []
        self.incoming: list[dict[str, Any]] = []
        self.connected = True

    def start(self) -> None:
        """Nothing to bind."""

    def stop(self, timeout: float = 5.0) -> bool:
        """Nothing to close."""
        return True

    def send(self, *message: Any) -> None:
        """`send(identity, payload)` of a Router, or `send(map)` of a Dealer."""
        if len(message) == 2:
            self.sent.append((message[0], unpack(message[1])))
        else:
            self.said.append(unpack(pack(message[0])))

    def drain(self) -> list[dict[str, Any]]:
        """As `Dealer.drain`."""
        messages, self.incoming = self.incoming, []
        return messages
