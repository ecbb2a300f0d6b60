"""The socket that all worker processes talk to.

Messages are routed to the worker actor of their job. Nothing is kept here: when the actor is
being restarted a message is a dead letter, and the worker says everything again that was not
acknowledged.
"""

from __future__ import annotations

from typing import Any

from actors import Actor, ExitReason
from ipc import codec
from ipc.errors import CodecError
from ipc.router import Router
from marianne.crashpoints import crash_point
from marianne.daemon.context import Context
from marianne.daemon.log import get_logger
from marianne.daemon.peers import job_of

log = get_logger(__name__)


class Link(Actor):
    """Owns ``workers.sock``; its I/O thread only decodes and forwards."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def on_start(self) -> None:
        """Binds the socket; workers reconnect by themselves."""
        self._context.reached.clear()
        self._router = Router(
            self._context.home.workers_sock, self._received, on_connect=self._connected
        )
        self._context.post = self._post  # before anybody can be connected
        self._router.start()

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the socket and ends its thread."""
        self._router.stop()

    def _post(self, identity: bytes, message: dict[str, Any]) -> None:
        # From any thread: the router has a thread of its own, and one hand-over is enough.
        crash_point("link.before-send")
        self._router.send(identity, codec.pack(message))
        crash_point("link.after-send")

    def _connected(self, identity: bytes) -> None:
        # In the router's thread. A worker is reached from now on: let it say how it stands. One
        # that has no job yet has nothing to say, and nobody who would hear it.
        self._context.reached.add(identity)
        if self._job_of(identity) is not None:
            self._router.send(identity, codec.pack({"kind": "report"}))

    def _received(self, identity: bytes, payload: bytes) -> None:
        # In the router's thread: decode and hand over, nothing that can block.
        try:
            message = codec.unpack(payload)
            job_id, kind = self._job_of(identity), message["kind"]
        except (CodecError, KeyError, TypeError):
            log.warning("worker_message_unreadable", identity=repr(identity), size=len(payload))
            return
        if job_id is None:
            # Of one that nobody has taken over yet: it says all that matters in its hello again.
            log.info("unknown_worker_message", identity=repr(identity), kind=kind)
            return
        # Imported here: the worker actor sends through this one.
        from marianne.daemon.worker import Worker

        self._context.worker(job_id).tell(Worker.received, identity, kind, message)

    def _job_of(self, identity: bytes) -> str | None:
        """The job that this process works for, if its actor has it."""
        pid = identity.partition(b"-")[0]
        process = self._context.workers.get(int(pid)) if pid.isdigit() else None
        return None if process is None else job_of(process)
