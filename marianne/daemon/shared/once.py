"""Letting a request change something, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from actors import Promise
from marianne.daemon.shared.idempotency import Answer, Requests
from marianne.daemon.shared.storage import Storage
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.state.reader import Reader

P = ParamSpec("P")
R = TypeVar("R")


class Once:
    """Lets the requests of one actor change something, each once. ``promise`` makes the answer to
    the message in hand."""

    def __init__(
        self, reader: Reader, storage: Storage, promise: Callable[[], Promise[Any]]
    ) -> None:
        self._requests = Requests(reader)
        self._storage = storage
        self._promise = promise

    def __call__(
        self,
        request_id: str | None,
        act: Callable[Concatenate[Answer[R], P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Promise[R]:
        """Lets ``act(answer, *args)`` change something, unless the request was sent before. What it
        raises refuses the request and ends nobody."""
        promise: Promise[R] = self._promise()
        answer: Answer[R] | None = None
        try:
            answer = self._requests.open(request_id, promise)
            if answer is not None:
                self._storage.check()
                act(answer, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            (answer or promise).fail(refusal_of(error))
        return promise
