"""A stand-in for the conductor's process: serves below the heart, ends as a conductor does.

``python cli_standin.py --home DIR --ready-fd N``; STANDIN=fail, silent or slow make it misbehave.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from ipc.server import Server
from marianne.home import Home


def _crash(depth: int) -> None:
    if depth:
        _crash(depth - 1)
    raise RuntimeError("the reason")


def main() -> int:
    """One stand-in conductor, until it is asked to stop."""
    home = Home(sys.argv[sys.argv.index("--home") + 1])
    ready = int(sys.argv[sys.argv.index("--ready-fd") + 1])  # the heart's, as the lock is
    how = os.environ.get("STANDIN", "")
    if how == "fail":
        print("conductor.yaml:3:1: unknown key 'portt'", file=sys.stderr)
        return 2
    if how == "crash":
        _crash(20)
    if how == "silent":
        signal.pause()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())

    def dispatch(request, responder) -> None:
        if request.method == "hello":
            responder.ok({"protocol": 1, "version": "0", "pid": os.getpid(), "ready": True})
        elif request.method == "daemon.shutdown" and how != "deaf":
            responder.ok({"stopping": True})
            over.set()
        elif request.method == "test.environment":
            responder.ok(dict(os.environ))

    server = Server(home.conductor_sock, dispatch)
    server.start()
    os.write(ready, b"1")
    os.close(ready)
    over.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
