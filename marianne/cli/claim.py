"""Which ``run --local`` works on a path: known to all runs of a user, and gone with the last of it.

A claim is a name among the kernel's abstract sockets. It is taken in one step, needs no file, and
is free again when the last process that holds its socket has ended. Who listens says who took it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import struct
import time
from typing import Any

from marianne.cli.errors import CliError
from marianne.cli.render.out import note
from marianne.run import procfs

WAITING = 128
"""Looks at a claim that its holder need not answer."""

ENDING_SECONDS = 60.0
"""Beyond the sheets' grace an earlier run has so long to be gone."""

PAUSE = 0.05


def claim(kind: str, path: str) -> socket.socket | None:
    """Takes the path, for as long as the socket is open anywhere; None when it is taken."""
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        taken.bind(_name(kind, path))
        taken.listen(WAITING)
    except OSError as error:
        taken.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return taken


def claimant(kind: str, path: str) -> int | None:
    """The pid of who took the path; 0 when it does not say, None when it is free or foreign."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(_name(kind, path))
        except ConnectionRefusedError:
            return None
        except BlockingIOError:
            return 0  # many have asked
        raw = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", raw)
    return pid if uid == os.geteuid() else None


def claim_score(params: dict[str, Any], grace: float) -> socket.socket | None:
    """The claim on a request's score; None when it has no file, or goes beside by an id of its own.

    A run of the same file that still lives is a conflict, as under a conductor; one whose client
    was killed is waited for until its sheets have ended, ``grace`` seconds and some.
    """
    path = params["config_path"]
    if path is None:
        return None
    until = None
    while (taken := claim("score", path)) is None:
        pid = claimant("score", path)
        if params["id"] is not None:
            return None
        if pid is None:
            if not _free(path):
                return None  # another user's: no run of ours
            continue
        if pid == 0 or not procfs.ending(pid):
            raise CliError(
                "conflict",
                f"{path} has a --local run that is not over: pid {pid or 'unknown'}",
                "wait for it or end it, or run it beside with: --id NEW",
            )
        if until is None:
            until = time.monotonic() + grace + ENDING_SECONDS
            note("an earlier run of this score was killed; waiting for the end of its sheets")
        if time.monotonic() >= until:
            raise CliError("unavailable", f"an earlier run of {path} does not end")
        time.sleep(PAUSE)
    return taken


def claim_workspace(workspace: str, *, alone: bool) -> tuple[socket.socket | None, str | None]:
    """The claim on a workspace, and else a warning of who works there; a conflict if ``alone``."""
    taken = claim("workspace", workspace)
    pid = claimant("workspace", workspace) if taken is None else None
    if pid is None:
        return taken, None
    told = f"another --local run (pid {pid}) works in the same directory: {workspace}"
    if alone:
        raise CliError("conflict", told, "wait for it, or choose another --workspace")
    return taken, told


def _free(path: str) -> bool:
    """Whether the name could be taken at this moment."""
    if (taken := claim("score", path)) is None:
        return False
    taken.close()
    return True


def _name(kind: str, path: str) -> str:
    told = os.fsencode(os.path.realpath(path))
    return f"\0marianne-local/{os.geteuid()}/{kind}/{hashlib.sha256(told).hexdigest()[:32]}"
