"""Which requests were refused, for who reads the log."""

from __future__ import annotations

import threading

from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused

log = get_logger(__name__)

KINDS = 1_000
"""Pairs of a method and a code that are told apart: a client can think of any number."""


class Refusals:
    """Logs refusals: of those of one method and code the first, second, fourth, eighth, … Any
    thread."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def note(self, method: str, refusal: Refused) -> None:
        """A request got this instead of what it asked for."""
        kind = (method, refusal.code)
        with self._lock:
            if kind not in self._counts and len(self._counts) >= KINDS:
                return
            so_far = self._counts[kind] = self._counts.get(kind, 0) + 1
        if so_far & (so_far - 1) == 0:
            words = {"code": refusal.code, "message": refusal.message, "so_far": so_far}
            log.info("request_refused", method=method, **words)
