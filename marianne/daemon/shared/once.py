"""Letting a request change something, once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from actors import Promise
from marianne.daemon.shared.idempotency import Answer, Requests
from marianne.daemon.shared.storage import Storage
from marianne.daemon.shared.unforeseen import refusal_of

P = ParamSpec("P")
R = TypeVar("R")


def once(
    requests: Requests,
    storage: Storage,
    promise: Promise[R],
    request_id: str | None,
    act: Callable[Concatenate[Answer[R], P], None],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Promise[R]:
    """Lets ``act(answer, *args)`` change something, unless the request was sent before; ``promise``
    is the answer. What ``act`` raises refuses the request and ends nobody."""
    answer: Answer[R] | None = None
    try:
        answer = requests.open(request_id, promise)
        if answer is not None:
            storage.check()
            act(answer, *args, **kwargs)
    except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
        (answer or promise).fail(refusal_of(error))
    return promise
