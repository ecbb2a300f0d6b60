"""Several answers that are waited for as one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from actors import Future

if TYPE_CHECKING:
    from actors import System

T = TypeVar("T")


def gathered(system: System, name: str, futures: Sequence[Future[T]]) -> Future[list[T]]:
    """Done when all are, with their values in this order; with the first error if one has failed,
    but not before the others are done."""
    whole: Future[list[T]] = Future(system, name, None, None)
    lock, left = threading.Lock(), [len(futures)]

    def one_is_done(_: Future[T]) -> None:
        with lock:
            left[0] -= 1
            if left[0]:
                return
        outcomes = [future.outcome() for future in futures]
        errors = [one.error for one in outcomes if one.error is not None]
        if errors:
            whole.refuse(errors[0])
        else:
            whole.answer([one.value for one in outcomes])  # type: ignore[misc]

    for future in futures:
        future.on_done(one_is_done)
    return whole
