"""Whether a server of the network can be reached, and why not: ZeroMQ itself tries for ever."""

from __future__ import annotations

import struct
import time
from typing import Final

import zmq

from ipc.network import Remote

_EVENT: Final = struct.Struct("=HI")
_REFUSED: Final = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_STRANGE: Final = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
_CUT: Final = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_DISCONNECTED

CUTS: Final = 3
"""Connections that end before a greeting until it is no restart of the server's any more."""

UNKNOWN_KEY: Final = "it does not know this key: it was revoked, or never made there"
OTHER_SERVER: Final = "another than this key was made for answers there, or no conductor at all"
SILENT: Final = "nobody answers there"


def why_not(remote: Remote, seconds: float) -> str | None:
    """Why the server is not reached within so many seconds; None: it is, and knows this key."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.DEALER)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        remote.arm(socket)
        monitor = socket.get_monitor_socket()
        socket.connect(remote.address)
        return _judge(monitor, time.monotonic() + seconds)
    finally:
        socket.disable_monitor()
        context.destroy(0)


def _judge(monitor: zmq.Socket[bytes], until: float) -> str | None:
    cuts = 0
    while (left := until - time.monotonic()) > 0:
        if not monitor.poll(int(left * 1000) + 1):
            break
        event, _ = _EVENT.unpack(monitor.recv_multipart()[0])
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return None
        if event == _REFUSED:
            return UNKNOWN_KEY
        cuts += bool(event & (_CUT | _STRANGE))
        if cuts >= CUTS:
            return OTHER_SERVER
    return OTHER_SERVER if cuts else SILENT
