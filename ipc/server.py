"""The answering side of requests: every request gets one reply, and none can hurt another.

The thread that reads requests only checks their envelope, counts them and hands them on. The
answer comes through a `Responder`, from any thread, when it is ready. What is not answered by its
deadline is answered with the error `deadline`, so nothing stays open for ever.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipc.codec import pack
from ipc.envelope import (
    Request,
    decode_request,
    encode_error,
    encode_result,
)
from ipc.errors import (
    BAD_REQUEST,
    DEADLINE,
    INTERNAL,
    UNAVAILABLE,
    CodecError,
    Malformed,
)
from ipc.router import Router

if TYPE_CHECKING:
    from ipc.endpoint import Place

Dispatch = Callable[[Request, "Responder"], object]


def _ask_the_same(one: Request, other: Request) -> bool:
    """Whether a request is another one sent again."""
    if one.method != other.method:
        return False
    try:
        # Packed, NaN is like itself.
        return one.params == other.params or pack(one.params) == pack(other.params)
    except (CodecError, RecursionError):
        return False


class Responder:
    """The one answer to one request. Thread-safe; each method returns whether its answer counted.

    False means that the request was answered before, for instance by its deadline; the answer is
    dropped and counted as late. `deadline` is that moment on the monotonic clock.
    """

    __slots__ = ("_identities", "_server", "deadline", "request")

    def __init__(self, server: Server, identity: bytes, request: Request, deadline: float) -> None:
        self.request = request
        self.deadline = deadline
        self._server = server
        self._identities = [identity]

    def __repr__(self) -> str:
        return f"<Responder {self.request.method} {self.request.id}>"

    @property
    def open(self) -> bool:
        """Whether an answer still counts."""
        return self._server.is_open(self)

    def remaining(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.deadline - time.monotonic()

    def ok(self, result: Any = None) -> bool:
        """Answers with a result. One that cannot be packed becomes the error `internal`."""
        try:
            packed = pack(result)
        except CodecError as error:
            return self.error(INTERNAL, f"the result of {self.request.method} {error}")
        return self.ok_packed(packed)

    def ok_packed(self, packed: bytes) -> bool:
        """Answers with a result that is msgpack already; it is sent as it is."""
        try:
            frame = encode_result(self.request.id, packed)
        except CodecError as error:
            return self.error(INTERNAL, str(error), hint="ask for less at once, page by page")
        return self._server.answer(self, frame, ok=True)

    def error(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> bool:
        """Answers with a refusal; `code` is one of those in `ipc.errors`."""
        frame = encode_error(self.request.id, code, message, hint, data)
        return self._server.answer(self, frame, ok=False)


class Server:
    """Requests at a path, each handed to `dispatch(request, responder)`.

    `dispatch` runs in the I/O thread and must not block; it answers at once or keeps the responder
    for later. If it raises, the request is answered with `internal`. Over `max_open` unanswered
    requests in all, or `max_open_per_client`, further ones are answered with `unavailable`, which
    clients retry.

    A request whose id is open already is a resend: it is not dispatched again, and its answer goes
    to the connection that asked last as well. An id that is open for a different question is
    refused.
    """

    def __init__(
        self,
        path: Place,
        dispatch: Dispatch,
        *,
        max_open: int = 4096,
        max_open_per_client: int = 256,
        max_connections: int | None = None,
        name: str = "ipc-server",
    ) -> None:
        self._dispatch = dispatch
        self._max_open = max_open
        self._max_open_per_client = max_open_per_client
        self._router = Router(
            path,
            self._on_message,
            timer=self._expire,
            max_connections=max_connections,
            name=name,
        )
        self._lock = threading.Lock()
        self._open: dict[str, Responder] = {}
        self._per_client: dict[bytes, int] = {}
        self._deadlines: list[tuple[float, str]] = []
        self._counts = {
            "requests": 0,
            "answered": 0,
            "refused": 0,
            "malformed": 0,
            "overloaded": 0,
            "resent": 0,
            "late": 0,
            "expired": 0,
            "failures": 0,
        }

    @property
    def last_error(self) -> BaseException | None:
        """The last exception that came out of `dispatch`, for diagnosis."""
        return self._router.last_error

    def start(self) -> None:
        """Binds and serves. Raises EndpointError if the path must not be used."""
        self._router.start()

    def stop(self, timeout: float = 5.0) -> bool:
        """Stops serving; answers that were given are sent first. Open requests stay unanswered."""
        return self._router.stop(timeout)

    def is_there(self) -> bool:
        """Whether clients find us: nobody has removed or replaced the socket's file."""
        return self._router.endpoint.is_ours()

    def counters(self) -> dict[str, int]:
        """How often what has happened since the start, and how many requests are open now."""
        router = self._router
        counts = dict(self._counts)
        counts["malformed"] += router.malformed
        counts["open"] = len(self._open)
        counts["dropped_absent"] = router.dropped_absent
        counts["dropped_slow"] = router.dropped_slow
        counts["connections"] = len(router.connections)
        counts["cut_off"] = router.connections.cut_off
        return counts

    def is_open(self, responder: Responder) -> bool:
        """Whether this responder's request still waits for its answer."""
        return self._open.get(responder.request.id) is responder

    def answer(self, responder: Responder, frame: bytes, *, ok: bool) -> bool:
        """Sends the reply of a responder, unless the request has been answered."""
        with self._lock:
            if self._open.get(responder.request.id) is not responder:
                self._counts["late"] += 1
                return False
            del self._open[responder.request.id]
            identities = responder._identities
            left = self._per_client[identities[0]] - 1
            if left > 0:
                self._per_client[identities[0]] = left
            else:
                del self._per_client[identities[0]]
            self._counts["answered" if ok else "refused"] += 1
        for identity in identities:
            self._router.send(identity, frame)
        return True

    def _on_message(self, identity: bytes, payload: bytes) -> None:
        try:
            request = decode_request(payload)
        except Malformed as error:
            self._counts["malformed"] += 1
            if error.request_id is not None:
                frame = encode_error(error.request_id, error.code, error.message)
                self._router.send(identity, frame)
            return
        deadline = time.monotonic() + request.deadline_ms / 1000
        with self._lock:
            known = self._open.get(request.id)
            if known is None:
                refusal = self._refusal(identity)
                if refusal is None:
                    responder = Responder(self, identity, request, deadline)
                    self._open[request.id] = responder
                    self._per_client[identity] = self._per_client.get(identity, 0) + 1
                    self._counts["requests"] += 1
            elif _ask_the_same(known.request, request):
                self._counts["resent"] += 1
                if identity not in known._identities:
                    # The first is kept for its count; of the others only the latest can be alive.
                    known._identities[1:] = [identity]
                return
            else:
                refusal = (BAD_REQUEST, "this id is in use by another request: ids are unique")
        if refusal is not None:
            self._router.send(identity, encode_error(request.id, *refusal))
            return
        heapq.heappush(self._deadlines, (deadline, request.id))
        try:
            self._dispatch(request, responder)
        except Exception as error:  # noqa: BLE001 - the request fails, the server lives
            self._counts["failures"] += 1
            self._router.last_error = error
            responder.error(INTERNAL, f"{request.method}: {type(error).__name__}: {error}")

    def _refusal(self, identity: bytes) -> tuple[str, str] | None:
        if len(self._open) >= self._max_open:
            self._counts["overloaded"] += 1
            return UNAVAILABLE, f"busy: {len(self._open)} requests are being answered"
        if self._per_client.get(identity, 0) >= self._max_open_per_client:
            self._counts["overloaded"] += 1
            return UNAVAILABLE, f"this client has {self._max_open_per_client} requests open"
        return None

    def _expire(self) -> float | None:
        """Answers what is overdue; the seconds to the next deadline, None when nothing is open."""
        heap = self._deadlines
        if not self._open:
            heap.clear()
            return None
        now = time.monotonic()
        while heap:
            deadline, request_id = heap[0]
            responder = self._open.get(request_id)
            if responder is not None and responder.deadline == deadline:
                if deadline > now:
                    break
                self._counts["expired"] += 1
                waited = responder.request.deadline_ms
                responder.error(
                    DEADLINE, f"{responder.request.method}: no answer within {waited:,} ms"
                )
            heapq.heappop(heap)
        if len(heap) > 2 * len(self._open) + 1024:
            # Answered requests lie in the heap until their deadline; they must not add up.
            heap[:] = sorted((item.deadline, key) for key, item in list(self._open.items()))
        return heap[0][0] - now if heap else None
