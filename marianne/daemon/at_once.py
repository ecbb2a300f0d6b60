"""The documented coroutines where there is no event loop: in an actor's thread.

The documented classes are written for a program's loop, and the conductor's actors carry the same
objects. What such a coroutine would wait for, an actor is told by message; so in here none waits.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, or raises. RuntimeError if it waits for something."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} waits, and an actor must not")
