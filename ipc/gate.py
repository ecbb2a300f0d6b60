"""Who may connect to a socket that others than its owner can reach, by their public keys.

ZeroMQ asks for each connection whose client has proved itself by CURVE, by a protocol of its own
(ZAP, RFC 27): whoever answers at one address of the context decides. Who is not known is told so,
and gets nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import zmq

_PLACE: Final = "inproc://zeromq.zap.01"
_VERSION: Final = b"1.0"
_FRAMES: Final = 7
"""Version, request, domain, address, identity, mechanism, and the client's public key."""

Allowed = Callable[[bytes], bool]


class Gate:
    """Decides for all sockets of one context, in a thread of its own that ends with the context.

    `allowed(public_key)` says who may; it is called in that thread, for each new connection.
    """

    def __init__(self, allowed: Allowed) -> None:
        self.refused = 0
        self._allowed = allowed

    def guard(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        """Begins; before any socket of the context is bound. Leaves nothing open where it fails."""
        socket = context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        thread = threading.Thread(target=self._run, args=(socket,), name="ipc-gate", daemon=True)
        try:
            socket.bind(_PLACE)
            thread.start()
        except BaseException:
            socket.close(0)  # else the end of the context waits for it for ever
            raise

    def _run(self, socket: zmq.Socket[bytes]) -> None:
        try:
            while True:
                socket.send_multipart(self._answer(socket.recv_multipart()))
        except zmq.ContextTerminated:
            pass
        finally:
            socket.close(0)

    def _answer(self, question: list[bytes]) -> list[bytes]:
        known = len(question) == _FRAMES and question[0] == _VERSION and self._may(question)
        self.refused += not known
        code, text = (b"200", b"OK") if known else (b"400", b"this key is not known here")
        number = question[1] if len(question) > 1 else b""
        return [_VERSION, number, code, text, b"", b""]

    def _may(self, question: list[bytes]) -> bool:
        try:
            return question[5] == b"CURVE" and self._allowed(question[6])
        except Exception:  # noqa: BLE001 - unanswered, ZeroMQ would let nobody in any more
            return False
