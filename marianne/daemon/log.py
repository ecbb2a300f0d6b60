"""The conductor's log: one JSON object a line, through structlog.

structlog costs as much to import as the rest of the conductor needs to start, so it is imported
when the conductor is ready (:func:`open_log`); what is said before that is kept and written then.
A line below the level costs one comparison.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Protocol

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
EARLY_LINES = 1_000

_level = 20
_sink: Any = None
_early: list[tuple[float, str, str, dict[str, Any]]] = []
_lock = threading.Lock()


class Logger(Protocol):
    """What :func:`get_logger` returns. The first argument names the event, in snake_case."""

    def debug(self, event: str, **fields: Any) -> None: ...
    def info(self, event: str, **fields: Any) -> None: ...
    def warning(self, event: str, **fields: Any) -> None: ...
    def error(self, event: str, **fields: Any) -> None: ...


class _Named:
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **fields: Any) -> None:
        if _level <= 10:
            _write("debug", event, {"logger": self._name, **fields})

    def info(self, event: str, **fields: Any) -> None:
        if _level <= 20:
            _write("info", event, {"logger": self._name, **fields})

    def warning(self, event: str, **fields: Any) -> None:
        if _level <= 30:
            _write("warning", event, {"logger": self._name, **fields})

    def error(self, event: str, **fields: Any) -> None:
        _write("error", event, {"logger": self._name, **fields})


def get_logger(name: str) -> Logger:
    """A logger for one module; cheap, and usable before :func:`open_log`."""
    return _Named(name)


def set_level(level: str) -> None:
    """Sets the lowest level that is written: debug, info, warning or error."""
    global _level
    _level = LEVELS[level]


def open_log(path: Path) -> None:
    """Opens the log file (mode 0600, appended) and writes what was said before."""
    import os

    import structlog

    global _sink
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    stream = os.fdopen(descriptor, "a", buffering=1, encoding="utf-8")
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=True,
    )
    with _lock:
        _sink = structlog.get_logger()
        early, _early[:] = _early[:], []
        for when, level, event, fields in early:
            _emit(when, level, event, fields)


def early_lines() -> list[str]:
    """What was said and not written yet, for a conductor that fails before its log is open."""
    return [f"{level}: {event} {fields}" for _, level, event, fields in _early]


def _write(level: str, event: str, fields: dict[str, Any]) -> None:
    now = time.time()
    with _lock:
        if _sink is None:
            if len(_early) < EARLY_LINES:
                _early.append((now, level, event, fields))
            return
        _emit(now, level, event, fields)


def _emit(when: float, level: str, event: str, fields: dict[str, Any]) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when % 1 * 1e6):06d}Z"
    try:
        _sink.msg(event, ts=stamp, level=level, **fields)
    except OSError:
        pass  # a full disk: nobody may fail because of what they say about it
