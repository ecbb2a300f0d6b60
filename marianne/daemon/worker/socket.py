"""The socket that all worker processes talk to.

Whoever is no worker of ours is refused, by its name: see :mod:`marianne.daemon.worker.identity`.
What a worker says is checked here, and not again behind.

Messages are routed to the worker actor of their job. Nothing is kept here: when the actor is
being restarted a message is a dead letter, and the worker says everything again that was not
acknowledged.
"""

from __future__ import annotations

from typing import Any

from actors import Actor, ExitReason, Handle
from ipc import codec
from ipc.errors import CodecError
from ipc.router import Router
from marianne.crashpoints import crash_point
from marianne.daemon.context import Context
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.places import bind_again
from marianne.daemon.worker.fleet import Fleet
from marianne.run.acceptable import UnacceptableError
from marianne.run.said import said

log = get_logger(__name__)


class Link(Actor):
    """Owns ``workers.sock``; its I/O thread only decodes and forwards."""

    def __init__(self, context: Context, fleet: Fleet) -> None:
        super().__init__()
        self._context = context
        self._fleet = fleet

    def on_start(self) -> None:
        """Binds the socket; workers reconnect by themselves."""
        self._listen()

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the socket and ends its thread."""
        self._router.stop()

    def _listen(self) -> None:
        self._fleet.reached.clear()
        self._router = Router(
            self._context.home.workers_sock, self._received, on_connect=self._connected
        )
        self._fleet.post = self._post  # before anybody can be connected
        self._router.start()

    def look(self) -> None:
        """Binds again where the socket's file was removed; workers reconnect by themselves."""
        if not self._router.endpoint.is_ours():
            self._router.stop()
            bind_again(self._context.home.workers_sock, self._listen)

    def _post(self, identity: bytes, message: dict[str, Any]) -> None:
        # From any thread: the router has a thread of its own, and one hand-over is enough.
        crash_point("link.before-send")
        self._router.send(identity, codec.pack(message))
        crash_point("link.after-send")

    def _connected(self, identity: bytes) -> None:
        # In the router's thread. A worker is reached from now on: let it say how it stands. One
        # that has no job yet has nothing to say, and nobody who would hear it.
        job_id = self._fleet.peers.job_of(identity)
        if job_id is None:
            return
        self._fleet.reached.add(identity)
        if job_id:
            self._router.send(identity, codec.pack({"kind": "report"}))

    def _received(self, identity: bytes, payload: bytes) -> None:
        # In the router's thread: decode, check and hand over, nothing that can block.
        job_id = self._fleet.peers.job_of(identity)
        if not job_id:
            # A stranger, or one whose actor is gone: it says all that matters in its hello again.
            self._refuse("its sender is no worker of a job here", identity)
            return
        try:
            message = said(codec.unpack(payload))
        except (CodecError, UnacceptableError) as error:
            self._refuse(str(error), identity, job_id)
            return
        # Imported here: the worker actor sends through this one.
        from marianne.daemon.worker.actor import Worker

        owner: Handle[Any] = self._context.worker(job_id)
        owner.tell(Worker.received, identity, message["kind"], message)

    def _refuse(self, why: str, identity: bytes, job_id: str | None = None) -> None:
        """Counts it; of many a few are logged, and no name: it may be one of ours, too early."""
        so_far = self._fleet.peers.refuse(identity)
        if so_far & (so_far - 1) == 0:
            log.warning("worker_message_refused", why=why, job_id=job_id, so_far=so_far)
