"""Answers that many pages ask for at once: made once, sent to each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

MOST: Final = 64
"""Answers that are kept; the oldest go first."""


class SharedAnswers:
    """For one event loop. An answer is as old as it was told it may be, at most."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: dict[str, tuple[float, asyncio.Future[bytes]]] = {}

    async def get(self, key: str, seconds: float, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """The answer under this key, which is made if none is younger than ``seconds``. Who asks
        while it is made waits for it; what making it raises is told to all of them, and not kept.
        """
        now = self._clock()
        begun, making = self._made.get(key, (0.0, None))
        if making is None or now - begun >= seconds:
            making = asyncio.ensure_future(make())
            self._made.pop(key, None)
            self._made[key] = (now, making)
            while len(self._made) > MOST:
                del self._made[next(iter(self._made))]
            making.add_done_callback(lambda done: self._forget_error(key, done))
        return await asyncio.shield(making)

    def _forget_error(self, key: str, done: asyncio.Future[bytes]) -> None:
        failed = done.cancelled() or done.exception() is not None
        if failed and self._made.get(key, (0.0, None))[1] is done:
            del self._made[key]
