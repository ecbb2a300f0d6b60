"""What the parts of an actor need of it: to be called again, each time in a turn of the actor.

A part is a plain object that an actor holds. What comes to it later (an answer, a timer)
goes through the actor's mailbox, so that it needs no lock; and it ends with its actor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from actors import Actor, Address, Future, Outcome, Promise

P = ParamSpec("P")
R = TypeVar("R")


class Turns:
    """The turns of ``actor``.

    ``heard`` and ``woken`` are methods of the actor that call a part: with ``(outcome, method,
    *args)`` for what :meth:`pipe` waits for, ``(method, *args)`` for a timer.
    """

    def __init__(
        self, actor: Actor, heard: Callable[..., None], woken: Callable[..., None]
    ) -> None:
        self._actor = actor
        self._heard = heard
        self._woken = woken

    def pipe(
        self,
        future: Future[R],
        method: Callable[Concatenate[Outcome[R], P], None],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Calls ``method(outcome, *args)`` when the future is done."""
        self._actor.pipe(future, self._heard, method, *args, **kwargs)

    def after(
        self, seconds: float, method: Callable[P, None], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Calls ``method(*args)`` in so many seconds."""
        self._actor.send_after(seconds, self._woken, method, *args, **kwargs)

    def soon(self, method: Callable[P, None], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Calls ``method(*args)`` in the next turn. From any thread; after the actor's end nothing
        is called."""
        self._actor.ref.tell(self._woken, method, *args, **kwargs)

    def promise(self) -> Promise[Any]:
        """Takes over the answer of the message in hand."""
        return self._actor.promise()

    def monitor(self, target: Address[Any]) -> None:
        """The actor's ``on_down`` will be told of its end."""
        self._actor.monitor(target)


def raise_error(outcome: Outcome[Any]) -> None:
    """For what must be: it is, or the actor ends and begins anew by what is on disk."""
    if outcome.error is not None:
        raise outcome.error
