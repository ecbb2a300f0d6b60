"""A socket as an address of the network: always by CURVE keys, on both sides, never plain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import zmq

from ipc import curve
from ipc.errors import EndpointError, EndpointInUse
from ipc.gate import Allowed, Gate

Bind = Callable[[str], object]

_DOMAIN: Final = b"ipc"

BEAT_MS: Final = 10_000
"""Between two signs of life on a connection; one that gives none for three of them is dead."""


class NetworkEndpoint:
    """A place to listen at, as `ipc.endpoint.Endpoint` is: `tcp://HOST:PORT`.

    `secret` is the server's key; `allowed` says by their public keys which clients may.
    """

    def __init__(self, address: str, secret: bytes, allowed: Allowed) -> None:
        self.address = self.path = address
        self.gate = Gate(allowed)
        self._secret = secret

    def arm(self, context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes]) -> None:
        """Before the socket is bound: nobody gets in without a key."""
        self.gate.guard(context)
        socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
        curve.serve_by(socket, self._secret)
        _watch_peers(socket)

    def bind(self, bind: Bind) -> None:
        """Calls `bind(address)`. Raises EndpointInUse, or EndpointError for an address that is
        none of this machine's."""
        try:
            bind(self.address)
        except zmq.ZMQError as error:
            if error.errno == zmq.EADDRINUSE:
                raise EndpointInUse(f"{self.address}: another program listens there") from error
            raise EndpointError(f"{self.address}: {error.strerror}") from error

    def is_ours(self) -> bool:
        """A port cannot be taken away from who has it."""
        return True

    def remove(self) -> None:
        """Nothing is left of a port that was closed."""

    def close(self) -> None:
        """Nothing to give back."""


class Remote(NamedTuple):
    """Where a client finds a server of the network: what `Client` and the others take for a path.

    `server` is the server's public key, `secret` the client's own.
    """

    address: str
    server: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Remote({self.address!r})"  # no secret

    def checked_address(self) -> str:
        """The address: that it is the right server is what the key says."""
        return self.address

    def arm(self, socket: zmq.Socket[bytes]) -> None:
        """Before the socket connects."""
        curve.ask_for(socket, self.server, self.secret)
        _watch_peers(socket)

    def close(self) -> None:
        """Nothing to give back."""


def _watch_peers(socket: zmq.Socket[bytes]) -> None:
    """A peer whose machine is gone says nothing of it."""
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.HEARTBEAT_IVL, BEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * BEAT_MS)
