"""One request from the client's view: when it is sent, sent again, given up.

Pure decisions over a clock. `Client` and `AsyncClient` only carry them out, each in its own way of
waiting.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Collection
from typing import Any, Final

from ipc.envelope import Reply, Request, encode_request
from ipc.errors import DEADLINE, INTERNAL, RETRYABLE, DeadlineExceeded, RemoteError

# A request is sent again after this much silence (doubled up to the last): the server that had it
# may have been killed and replaced without ZeroMQ saying a word. A server that is merely slow joins
# the copies, so this costs a message now and then.
RESEND_FIRST: Final = 0.5
RESEND_LAST: Final = 5.0
# Pause before a refused request is tried again (doubled up to the last).
BACKOFF_FIRST: Final = 0.02
BACKOFF_LAST: Final = 1.0


def new_request_id() -> str:
    """An id that no other request has: 128 random bits in hexadecimal."""
    return os.urandom(16).hex()


class Conversation:
    """A request and its deadline, from the first frame to the result.

    The carrier repeats: send `frame()`, wait `patience()` for a reply; then either `silent()`, or
    `answered(reply)`: the pause before the next round, or None when `result` is there.
    """

    __slots__ = (
        "_begun",
        "_clock",
        "_expires",
        "_last_refusal",
        "_refusals",
        "_retry",
        "_silence",
        "id",
        "method",
        "params",
        "reached",
        "result",
        "seconds",
    )

    def __init__(
        self,
        method: str,
        params: dict[str, Any] | None,
        seconds: float,
        request_id: str | None = None,
        retry: Collection[str] = RETRYABLE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.method = method
        self.params = params or {}
        self.seconds = seconds
        self.id = request_id or new_request_id()
        self.result: Any = None
        self.reached = False
        """Whether the request was ever handed to a living connection."""
        self._retry = retry
        self._clock = clock
        self._begun = clock()
        self._expires = self._begun + seconds
        self._silence = RESEND_FIRST
        self._refusals = 0
        self._last_refusal: RemoteError | None = None

    def left(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self._expires - self._clock())

    def patience(self) -> float:
        """How long to wait for a reply before sending again."""
        return min(self._silence, self.left())

    def frame(self) -> bytes:
        """The request as it has to be sent now. Raises what ended it if its time is up."""
        left = self.left()
        if left <= 0:
            raise self._given_up()
        # The server is told how long somebody still waits, not how long it was at first.
        milliseconds = max(1, int(left * 1000))
        return encode_request(Request(self.id, self.method, self.params, milliseconds))

    def silent(self) -> None:
        """Notes that no reply came in time."""
        self._silence = min(self._silence * 2, RESEND_LAST)

    def answered(self, reply: Reply) -> float | None:
        """Takes the reply: None if it is the result, else seconds to wait. Raises a refusal."""
        if reply.ok:
            self.result = reply.result
            return None
        error = remote_error(reply)
        if error.code == DEADLINE:
            raise self._given_up()
        if error.code not in self._retry:
            raise error
        self._last_refusal = error
        pause = self._pause(error)
        self._refusals += 1
        if pause >= self.left():
            raise error
        return pause

    def _pause(self, error: RemoteError) -> float:
        # A server that knows better says so, in seconds.
        asked = error.data.get("retry_after")
        if isinstance(asked, int | float) and asked >= 0:
            return float(asked)
        pause: float = min(BACKOFF_FIRST * 2.0 ** min(self._refusals, 10), BACKOFF_LAST)
        return pause * random.uniform(0.75, 1.25)

    def abandoned(self) -> DeadlineExceeded:
        """What a request ends with that nobody will answer, before its time is up."""
        return DeadlineExceeded(self.method, self._clock() - self._begun, self.id, self.reached)

    def _given_up(self) -> Exception:
        if self._last_refusal is not None:
            return self._last_refusal
        return DeadlineExceeded(self.method, self.seconds, self.id, self.reached)


def remote_error(reply: Reply) -> RemoteError:
    """The exception that a refusal becomes; tolerant of what another server may leave out."""
    error = reply.error or {}
    data = error.get("data")
    hint = error.get("hint")
    return RemoteError(
        str(error.get("code", INTERNAL)),
        str(error.get("message", "")),
        hint if isinstance(hint, str) else None,
        data if isinstance(data, dict) else None,
    )
