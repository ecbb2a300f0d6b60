"""Who connects to a warden: a sheet of its own is none that it is ordered about by."""

from __future__ import annotations

import os
import socket
import struct

from marianne.run import procfs

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: unix(7)


def is_sheet(connection: socket.socket) -> bool:
    """Whether the process that connected stands below us, or is gone and cannot be judged.

    What a sheet starts stays below its worker, which is a subreaper, and so below us.
    """
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid = _CREDENTIALS.unpack(told)[0]
    peer = procfs.stat(pid)
    return peer is None or procfs.stands_below(peer, {os.getpid()})
