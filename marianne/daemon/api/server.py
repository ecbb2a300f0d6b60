"""The socket that clients talk to: one handler a verb, and no handler ever waits.

A request is decoded and counted in the I/O thread (:mod:`ipc.server`, which also joins a resent
request to the one under way and answers what is overdue). A quick handler runs right there; what
may take longer (a page of a list, a piece of output) is handed to this actor, so that others are
read and answered meanwhile. A handler answers at once or returns a future, whose answer goes out
whenever it comes. Nothing that a client sends reaches an actor unvalidated, and no request, however
wrong, ends this actor: a failing handler is answered with a coded error and logged.

What comes before the conductor is ready waits here: who has an answer may count on it that the
heart knows this conductor as one that served.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from actors import Actor, ExitReason, Future
from ipc.envelope import Request
from ipc.server import Responder
from ipc.server import Server as Socket
from marianne.crashpoints import crash_point
from marianne.daemon.api import handlers
from marianne.daemon.api.refusals import Refusals
from marianne.daemon.api.request_context import Call, error_of
from marianne.daemon.context import Context
from marianne.daemon.shared.idempotency import RequestId, hash_of
from marianne.daemon.shared.outside import Outside
from marianne.daemon.shared.places import bind_again
from marianne.daemon.shared.status_cache import Packed
from marianne.state.reader import Reader


class Server(Actor):
    """Owns ``conductor.sock``, and its like for other machines where there is one. A mutating
    request that was decided finds its answer on disk."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context
        self._early: list[tuple[Request, Responder]] = []
        self._outside = Outside(
            context.home,
            context.config.listen,
            context.unserved,
            lambda place: Socket(place, self._arrived),
        )
        self._refusals = Refusals()

    def on_start(self) -> None:
        """Binds the socket; the conductor's lock makes us its only owner."""
        self._reader = Reader(self._context.home.db)
        self._quick_reader = Reader(self._context.home.db, any_thread=True)
        self._listen()
        self._outside.look()

    def on_stop(self, reason: ExitReason) -> None:
        """Closes the socket; what was answered is sent, who still waits asks again elsewhere."""
        self._socket.stop()
        self._outside.stop()
        self._quick_reader.close()
        self._reader.close()

    def _listen(self) -> None:
        self._socket = Socket(self._context.home.conductor_sock, self._arrived)
        self._socket.start()

    def look(self) -> None:
        """Binds again where the socket's file was removed; who was connected asks again."""
        if not self._socket.is_there():
            self._socket.stop()
            bind_again(self._context.home.conductor_sock, self._listen)
        self._outside.look()

    def _arrived(self, request: Request, responder: Responder) -> None:
        # In the I/O thread.
        handler = handlers.quick(request.method) if self._context.serving else None
        if handler is None:
            self.ref.tell(Server.request, request, responder)
        else:
            self._handle(handler, request, responder, self._quick_reader)

    def open(self) -> None:
        """The conductor is ready: whoever came before is answered."""
        early, self._early = self._early, []
        for request, responder in early:
            self.request(request, responder)

    def request(self, request: Request, responder: Responder) -> None:
        """Handles one request; every path ends in exactly one answer."""
        if not self._context.serving:
            self._early.append((request, responder))
            return
        self._handle(None, request, responder, self._reader)

    def _handle(
        self, handler: Any | None, request: Request, responder: Responder, reader: Reader
    ) -> None:
        """``handler`` None is not known yet."""
        call = Call(
            self._context, reader, RequestId(request.id, b""), max(0.001, responder.remaining())
        )
        try:
            known = handler is not None
            if handler is None:
                handler = handlers.find(request.method)
            if handler.MUTATING:
                asked = hash_of(request.method, request.params)
                call.request_id = RequestId(request.id, asked)
                if not known:
                    packed = reader.answered(request.id, asked)
                    if packed is not None:
                        responder.ok_packed(packed)
                        return
            params = handlers.validate(handler, request.params)
            value = handler.handle(call, params)
        except Exception as error:  # noqa: BLE001 - answered with its code, logged if unforeseen
            self._refuse(request, responder, call, error)
            return
        if isinstance(value, Future):
            # The socket answers what is overdue.
            value.on_done(partial(self._answer, request, responder, call), timed=False)
        else:
            _send(responder, value)

    def _answer(
        self, request: Request, responder: Responder, call: Call, future: Future[Any]
    ) -> None:
        outcome = future.outcome()
        if outcome.error is not None:
            self._refuse(request, responder, call, outcome.error)
        else:
            crash_point("reply.before-send")
            _send(responder, outcome.value)
            crash_point("reply.after-send")

    def _refuse(
        self, request: Request, responder: Responder, call: Call, error: BaseException
    ) -> None:
        refusal = error_of(error, call)
        responder.error(refusal.code, refusal.message, hint=refusal.hint, data=refusal.data)
        self._refusals.note(request.method, refusal)


def _send(responder: Responder, value: Any) -> None:
    if isinstance(value, Packed):
        responder.ok_packed(value)
    else:
        responder.ok(value)
