"""A network between the conductor and one node that can be cut: bytes through a socket of ours."""

from __future__ import annotations

import select
import socket
import threading

CHUNK = 256 * 1024


class Proxy:
    """Listens at ``port`` and passes everything on to ``target``, both on this machine. While it is
    cut nothing passes, and nobody is told: what was sent waits, as behind a dead switch."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open = threading.Event()
        self._open.set()
        self._over = False
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Nothing passes from now on."""
        self._open.clear()

    def mend(self) -> None:
        """All that waited passes, and all that comes."""
        self._open.set()

    def close(self) -> None:
        """Takes no more connections."""
        self._over = True
        self._open.set()
        self._listener.close()

    def _serve(self) -> None:
        while not self._over:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        self._open.wait()
        try:
            far = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            near.close()
            return
        ends = {near: far, far: near}
        try:
            while True:
                ready, _, _ = select.select(list(ends), [], [], 1.0)
                self._open.wait()
                for end in ready:
                    data = end.recv(CHUNK)
                    if not data:
                        return
                    ends[end].sendall(data)
        except OSError:
            return
        finally:
            near.close()
            far.close()
