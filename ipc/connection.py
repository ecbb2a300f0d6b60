"""A DEALER on its way to an endpoint: the options that clients and workers share."""

from __future__ import annotations

import zmq

from ipc.codec import CUT_OFF
from ipc.endpoint import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipc.network import Remote

# A server that restarts is back within a tenth of a second; one that is gone costs five looks a
# second.
RECONNECT_FIRST_MS = 10
RECONNECT_LAST_MS = 200


def connect(
    context: zmq.Context[zmq.Socket[bytes]],
    endpoint: Endpoint | Remote,
    identity: bytes | None = None,
    announce: bool = False,
    server_key: bytes | None = None,
) -> zmq.Socket[bytes]:
    """The connecting socket. Raises EndpointError if the place is in foreign hands.

    With `announce`, each new connection begins with an empty message; with `server_key` none comes
    about but with who has its secret (see `ipc.curve`).
    """
    address = endpoint.checked_address()
    socket = context.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, CUT_OFF)
    socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_FIRST_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_LAST_MS)
    # Nothing is queued for a server that is not there: sending fails instead, which is how a
    # lost connection is noticed, and a new server gets no stale copies of one request. What came
    # in the instant before the connection went may go with it: it is asked for again.
    socket.setsockopt(zmq.IMMEDIATE, 1)
    if identity is not None:
        socket.setsockopt(zmq.ROUTING_ID, identity)
    if announce:
        socket.setsockopt(zmq.PROBE_ROUTER, 1)
    if server_key is not None:
        from ipc import curve  # a client of this machine does without

        curve.ask_for(socket, server_key)
    if not isinstance(endpoint, Endpoint):
        endpoint.arm(socket)
    socket.connect(address)
    return socket
