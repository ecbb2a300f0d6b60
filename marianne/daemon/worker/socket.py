"""The sockets that all worker processes talk to.

Whoever is no worker of ours is refused, by its name: see :mod:`marianne.daemon.worker.identity`.
What a worker says is checked here, and not again behind.

Messages are routed to the worker actor of their job. Nothing is kept here: when the actor is
being restarted a message is a dead letter, and the worker says everything again that was not
acknowledged.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
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
from marianne.daemon.worker.identity import is_plain
from marianne.daemon.worker.orphans import some_are_plain
from marianne.run.acceptable import UnacceptableError
from marianne.run.said import said

log = get_logger(__name__)


class Link(Actor):
    """Owns the sockets; their I/O threads only decode and forward.

    Workers ask for our proof at ``workers2.sock``. Those of an older version, of which some may
    live when a conductor starts, know nothing but ``workers.sock``, as all do without CURVE.
    """

    def __init__(self, context: Context, fleet: Fleet) -> None:
        super().__init__()
        self._context = context
        self._fleet = fleet
        self._routers: dict[bool, Router] = {}  # by whether its peers are plain

    def on_start(self) -> None:
        """Binds; workers reconnect by themselves."""
        home, proof = self._context.home, self._context.proof
        self._fleet.post = self._post  # before anybody can be connected
        if proof.public is None:
            log.warning("link_unproven", why="ZeroMQ was built without CURVE")
        else:
            self._publish(proof.public)
            self._listen(home.workers_sock, plain=False)
        if proof.public is None or some_are_plain(home):
            self._listen(home.old_workers_sock, plain=True)

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the sockets and ends their threads."""
        for router in self._routers.values():
            router.stop()

    def _listen(self, place: Path, *, plain: bool) -> None:
        def received(identity: bytes, payload: bytes) -> None:
            self._received(identity, payload, self._job_of(identity, plain))

        def connected(identity: bytes) -> None:
            self._connected(identity, self._job_of(identity, plain))

        self._fleet.reached.clear()
        self._clear(place)
        key = None if plain else self._context.proof.secret
        router = Router(place, received, on_connect=connected, secret_key=key)
        self._routers[plain] = router
        router.start()

    def _clear(self, place: Path) -> None:
        """Removes what lies there. Below the lock of the home nobody but us may listen: a sheet
        that does would keep all workers from us."""
        if place.parent == self._context.home.path:
            try:
                place.unlink(missing_ok=True)
            except OSError as error:  # a directory, say: binding says so
                log.warning("socket_not_cleared", place=str(place), error=str(error))

    def _publish(self, key: bytes) -> None:
        """For workers whose conductor and heart are both dead: nobody has the old key any more."""
        place = self._context.home.workers_key
        fresh = f"{place}.new"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with open(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(key.hex().encode())
            os.replace(fresh, place)
        except OSError as error:
            log.warning("key_not_published", place=str(place), error=str(error))

    def look(self) -> None:
        """Binds again where a socket's file was removed; workers reconnect by themselves."""
        for plain, router in self._routers.items():
            if not router.endpoint.is_ours():
                router.stop()
                place = Path(router.endpoint.path)
                bind_again(place, partial(self._listen, place, plain=plain))
        key = self._context.proof.public
        if key is not None and not self._context.home.workers_key.exists():
            self._publish(key)

    def _post(self, identity: bytes, message: dict[str, Any]) -> None:
        # From any thread: the router has a thread of its own, and one hand-over is enough.
        crash_point("link.before-send")
        self._send(identity, message)
        crash_point("link.after-send")

    def _send(self, identity: bytes, message: dict[str, Any]) -> None:
        router = self._routers.get(is_plain(identity))
        if router is not None:
            router.send(identity, codec.pack(message))

    def _job_of(self, identity: bytes, plain: bool) -> str | None:
        """The job of the worker of this name, if it comes to the socket that it should."""
        return self._fleet.peers.job_of(identity) if is_plain(identity) is plain else None

    def _connected(self, identity: bytes, job_id: str | None) -> None:
        # In a router's thread. A worker is reached from now on: let it say how it stands. One
        # that has no job yet has nothing to say, and nobody who would hear it.
        if job_id is None:
            return
        self._fleet.reached.add(identity)
        if job_id:
            self._send(identity, {"kind": "report"})

    def _received(self, identity: bytes, payload: bytes, job_id: str | None) -> None:
        # In a router's thread: decode, check and hand over, nothing that can block.
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
