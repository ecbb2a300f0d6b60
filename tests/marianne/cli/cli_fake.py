"""A conductor of paper: the real sockets and the real lock, answers as the test writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from ipc.envelope import Request
from ipc.publisher import Publisher
from ipc.server import Responder, Server
from marianne.home import Home

Answer = Callable[[dict[str, Any]], Any]


class Refuse(Exception):  # noqa: N818 - it reads as what it does
    """Raised by an answer: becomes a coded error."""

    def __init__(self, code: str, message: str, hint: str | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.arguments = (code, message, hint, data)


class FakeConductor:
    """``answers[method]`` is a value, or a function of the parameters; ``asked`` is what came.

    Requests of ``silent`` methods are never answered.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {"events.since": self._since}
        self.silent: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self._server = Server(home.conductor_sock, self._dispatch)
        self._publisher = Publisher(home.events_sock)

    def __enter__(self) -> Self:
        lock = self.home.lock()
        assert lock is not None
        lock.write(os.getpid())
        self._lock = lock
        self._locked = True
        self._server.start()
        self._publisher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._publisher.stop()
        self._server.stop()
        self.leave()

    def leave(self) -> None:
        """Lets the lock go, as a conductor does at its end."""
        if self._locked:
            self._locked = False
            self._lock.release()

    def params(self, method: str) -> dict[str, Any]:
        """The parameters of the last request for a method."""
        return next(params for asked, params in reversed(self.asked) if asked == method)

    def happen(self, event: str, sheet: int | None = None, job: str = "wc", **data: Any) -> None:
        """An event that is kept and can be asked for."""
        seq = len(self.events) + 1
        body = {
            "seq": seq,
            "prev": seq - 1,
            "ts": "2026-11-24T08:45:58.000000Z",
            "job_id": job,
            "sheet_num": sheet,
            "event": event,
            "data": data,
        }
        self.events.append(body)

    def publish(self) -> None:
        """Sends the last event to whoever listens."""
        body = self.events[-1]
        self._publisher.publish(f"job.{body['job_id']}.{body['event']}", body)

    def _since(self, params: dict[str, Any]) -> dict[str, Any]:
        found = [
            event
            for event in self.events
            if event["seq"] > params["seq"] and params["job_id"] in (None, event["job_id"])
        ]
        return {"events": found[: params["limit"]], "first": 1, "last": len(self.events)}

    def _dispatch(self, request: Request, responder: Responder) -> None:
        self.asked.append((request.method, request.params))
        if request.method in self.silent:
            return
        if request.method not in self.answers:
            responder.error("unknown_method", f"no method {request.method}")
            return
        answer = self.answers[request.method]
        try:
            responder.ok(answer(request.params) if callable(answer) else answer)
        except Refuse as refusal:
            responder.error(*refusal.arguments)
