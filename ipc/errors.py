"""What can go wrong on the wire, and whose fault it is.

Everything the package raises on purpose is an `IpcError`. The codes are those that travel in an
error reply; a code in `RETRYABLE` says that nothing was done and that the same request, under the
same id, may well succeed a little later.
"""

from __future__ import annotations

from typing import Any, Final

BAD_REQUEST: Final = "bad_request"
UNSUPPORTED_VERSION: Final = "unsupported_version"
UNKNOWN_METHOD: Final = "unknown_method"
INVALID_PARAMS: Final = "invalid_params"
INVALID_SCORE: Final = "invalid_score"
NOT_FOUND: Final = "not_found"
CONFLICT: Final = "conflict"
PRESSURE: Final = "pressure"
SHUTTING_DOWN: Final = "shutting_down"
UNAVAILABLE: Final = "unavailable"
DEADLINE: Final = "deadline"
INTERNAL: Final = "internal"

CODES: Final = frozenset(
    {
        BAD_REQUEST,
        UNSUPPORTED_VERSION,
        UNKNOWN_METHOD,
        INVALID_PARAMS,
        INVALID_SCORE,
        NOT_FOUND,
        CONFLICT,
        PRESSURE,
        SHUTTING_DOWN,
        UNAVAILABLE,
        DEADLINE,
        INTERNAL,
    }
)

RETRYABLE: Final = frozenset({UNAVAILABLE, SHUTTING_DOWN, PRESSURE})


class IpcError(Exception):
    """The root of the package's errors."""


class CodecError(IpcError, ValueError):
    """A value that cannot be sent, or bytes that are no message. The fault of whoever made them."""


class EndpointError(IpcError):
    """A socket path that must not be used as it lies there. The message says what to change."""


class EndpointInUse(EndpointError):  # noqa: N818 - reads as the state it is
    """Somebody is listening at the path. Taking it over would silently deafen a living server."""


class Malformed(IpcError):  # noqa: N818 - what the frame is
    """A frame that is no valid request; `request_id` is set where an answer can be addressed."""

    def __init__(self, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.request_id = request_id


class RemoteError(IpcError):
    """The server refused or failed the request and says why. Not retried any further."""

    def __init__(
        self, code: str, message: str, hint: str | None = None, data: dict[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.hint = hint
        self.data = data if data is not None else {}


class DeadlineExceeded(IpcError, TimeoutError):  # noqa: N818 - the usual word
    """No answer in time. What was asked may or may not have happened, or may still happen.

    Asking again under the same id (`request_id`) is safe: a request never acts twice.
    """

    def __init__(self, method: str, seconds: float, request_id: str, reached: bool) -> None:
        detail = "no answer" if reached else "nobody is listening"
        super().__init__(f"{method}: {detail} within {seconds:g} s")
        self.method = method
        self.request_id = request_id
        self.reached = reached
