"""The asking side: one request at a time, without a thread, as quick as the socket allows."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Collection
from types import TracebackType
from typing import Any, Final, Self

import zmq

from ipc.codec import CUT_OFF
from ipc.endpoint import Endpoint
from ipc.envelope import Reply, Request, decode_reply, encode_request
from ipc.errors import DEADLINE, RETRYABLE, CodecError, DeadlineExceeded, RemoteError

# Whether the server went away is looked at this often while a request waits. ZeroMQ says nothing.
_LOOK_SECONDS: Final = 0.1
# A request is sent again after this much silence (it doubles up to the last): it may have been in
# a server that was killed and came back between two looks.
RESEND_FIRST: Final = 0.5
RESEND_LAST: Final = 5.0
# Pause before a refused request is tried again (it doubles up to the last).
BACKOFF_FIRST: Final = 0.02
BACKOFF_LAST: Final = 1.0
_RECONNECT_MS: Final = (10, 200)


def new_request_id() -> str:
    """An id that no other request has: 128 random bits in hexadecimal."""
    return os.urandom(16).hex()


def connect(context: zmq.Context[zmq.Socket[bytes]], endpoint: Endpoint) -> zmq.Socket[bytes]:
    """A DEALER on its way to the endpoint. Raises EndpointError if that is in foreign hands."""
    endpoint.check_owner()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, CUT_OFF)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS[0])
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MS[1])
    # Nothing is queued for a server that is not there: sending fails instead, which is how a
    # lost connection is noticed, and a new server gets no stale copies of one request.
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.connect(endpoint.address)
    return socket


def pause_before_retry(attempt: int, error: RemoteError) -> float:
    """Seconds to wait before the attempt after `attempt` (0 is the first), jittered.

    A server that knows better says so in the error's data, as `retry_after` in seconds.
    """
    asked = error.data.get("retry_after")
    if isinstance(asked, (int, float)) and asked >= 0:
        return float(asked)
    pause: float = min(BACKOFF_FIRST * 2**attempt, BACKOFF_LAST)
    return pause * random.uniform(0.75, 1.25)


class Client:
    """Asks the server at `path`. Not for use by two threads at once.

    The connection is made by the first request and comes back by itself after a server's restart.
    """

    def __init__(self, path: str | os.PathLike[str], timeout: float = 5.0) -> None:
        self._endpoint = Endpoint(path)
        self._timeout = timeout
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection. The next request makes a new one."""
        if self._socket is not None and self._context is not None:
            self._socket.close(0)
            self._context.term()
            self._socket = self._context = None
            self._endpoint.close()

    def request(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        deadline: float | None = None,
        id: str | None = None,  # noqa: A002 - the field's name in the protocol
        retry: Collection[str] = RETRYABLE,
    ) -> Any:
        """The result of `method(params)`, within `deadline` seconds (the client's timeout if None).

        Until then the request is repeated under the same id: after silence, after the server came
        back, and after a refusal whose code is in `retry`. Raises RemoteError for any other
        refusal, and for the last one when time runs out; DeadlineExceeded if there was no answer;
        CodecError, before anything is sent, for what cannot be sent.
        """
        seconds = self._timeout if deadline is None else deadline
        request_id = id or new_request_id()
        expires = time.monotonic() + seconds
        refusals = 0
        silence = RESEND_FIRST
        last: RemoteError | None = None
        reached = False
        while (left := expires - time.monotonic()) > 0:
            request = Request(request_id, method, params or {}, max(1, int(left * 1000)))
            if not self._send(encode_request(request), left):
                break
            reached = True
            reply = self._receive(request_id, min(silence, expires - time.monotonic()))
            if reply is None:
                silence = min(silence * 2, RESEND_LAST)
                continue
            if reply.ok:
                return reply.result
            error = remote_error(reply)
            if error.code == DEADLINE:
                break
            if error.code not in retry:
                raise error
            last = error
            pause = pause_before_retry(refusals, error)
            refusals += 1
            if time.monotonic() + pause >= expires:
                raise error
            time.sleep(pause)
        if last is not None:
            raise last
        raise DeadlineExceeded(method, seconds, request_id, reached)

    def _connected(self) -> zmq.Socket[bytes]:
        if self._socket is None:
            context = zmq.Context()
            try:
                self._socket = connect(context, self._endpoint)
            except BaseException:
                context.term()
                raise
            self._context = context
        return self._socket

    def _send(self, frame: bytes, seconds: float) -> bool:
        """Hands the frame to a living connection; False if there was none in time."""
        socket = self._connected()
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            if not socket.poll(max(1, int(seconds * 1000)), zmq.POLLOUT):
                return False
            try:
                socket.send(frame, zmq.NOBLOCK)
            except zmq.Again:  # lost between the two calls: the caller's loop comes again
                pass
        return True

    def _receive(self, request_id: str, seconds: float) -> Reply | None:
        """The reply to this request; None after silence, or once the connection is gone."""
        socket = self._connected()
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if left <= 0:
                return None
            # Waiting inside recv is one call; a poll before it would be three.
            socket.setsockopt(zmq.RCVTIMEO, max(1, int(min(left, _LOOK_SECONDS) * 1000)))
            try:
                frame = socket.recv()
            except zmq.Again:
                if not socket.getsockopt(zmq.EVENTS) & zmq.POLLOUT:
                    return None
                continue
            try:
                reply = decode_reply(frame)
            except CodecError:
                continue  # nothing that can be matched to a request; the resend covers it
            if reply.id == request_id:
                return reply


def remote_error(reply: Reply) -> RemoteError:
    """The exception that a refusal becomes; tolerant of what a newer server may leave out."""
    error = reply.error or {}
    data = error.get("data")
    hint = error.get("hint")
    return RemoteError(
        str(error.get("code", "internal")),
        str(error.get("message", "")),
        hint if isinstance(hint, str) else None,
        data if isinstance(data, dict) else None,
    )
