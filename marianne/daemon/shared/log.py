"""The conductor's log: one JSON object a line, through structlog.

structlog costs as much to import as the rest of the conductor needs to start, so it is imported
when the conductor is ready (:func:`open_log`); what is said before that is kept and written then.
A line below the level costs one comparison.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from marianne.daemon.shared.log_echo import Echo
    from marianne.daemon.shared.log_file import LogFile

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
EARLY_LINES = 1_000

TOGETHER_SECONDS, TOGETHER_LINES = 0.1, 500
"""How long, and how many, lines of sheets wait to be written together."""

_level = 20
_sink: Any = None
_file: LogFile | None = None
_echo: Echo | None = None
# One for all lines: json.dumps would make one for each.
_encode = json.JSONEncoder(default=str).encode
_early: list[tuple[float, str, str, dict[str, Any]]] = []
_lock = threading.Lock()
_importing = threading.Lock()
_together: list[tuple[float, str, str, dict[str, Any]]] = []  # when, logger, event, fields
_some_wait: threading.Event | None = None


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


def tell_often(logger: str, event: str, fields: dict[str, Any], *, soon: bool = False) -> None:
    """An info line of what happens for each of 100,000 sheets: the same line as of a logger, at
    half the cost. ``fields`` are plain data that nobody changes any more.

    ``soon`` lets it wait for others, for ``TOGETHER_SECONDS`` or until the next line that does not
    wait: a write hands the interpreter's lock to whoever wants it, and there are two a sheet.
    """
    if _level > 20:
        return
    now = time.time()
    with _lock:
        if _file is None:
            if len(_early) < EARLY_LINES:
                _early.append((now, "info", event, {"logger": logger, **fields}))
            return
        _together.append((now, logger, event, fields))
        if not soon or _some_wait is None or len(_together) >= TOGETHER_LINES:
            _write_together()
        elif len(_together) == 1:
            _some_wait.set()


def _write_together() -> None:
    if not _together:
        return
    lines = []
    for when, logger, event, fields in _together:
        line = {"event": event, "logger": logger, **fields, "ts": _stamp(when), "level": "info"}
        lines.append(_encode(line))
        if _echo is not None:
            _echo.say(line)
    _together.clear()
    if _file is not None:
        try:
            _file.write("\n".join(lines) + "\n")
        except OSError:
            pass  # as in _emit


def _keep_writing(file: LogFile, some_wait: threading.Event) -> None:
    while _file is file:
        some_wait.wait()
        some_wait.clear()
        time.sleep(TOGETHER_SECONDS)
        with _lock:
            if _file is file:
                _write_together()


def set_level(level: str) -> None:
    """Sets the lowest level that is written: debug, info, warning or error."""
    global _level
    _level = LEVELS[level]


def open_log(path: Path, echo: str | None = None) -> None:
    """Opens the log file (mode 0600, appended, bounded) and writes what was said before.

    ``echo``, plain or json, has each line on standard error, too, in that form.
    """
    from marianne.daemon.shared.log_file import LogFile

    global _sink, _file, _some_wait
    structlog = _structlog()
    _open_echo(echo)
    file = LogFile(path)
    sink = structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=lambda line, **_: _encode(line)),
        ],
        wrapper_class=structlog.BoundLogger,
        cache_logger_on_first_use=True,
    ).bind()  # nothing of it is configured for the rest of the process
    with _lock:
        _sink, _file, _some_wait = sink, file, threading.Event()
        args = (file, _some_wait)
        try:
            threading.Thread(target=_keep_writing, args=args, name="log", daemon=True).start()
        except RuntimeError:
            _some_wait = None  # there is no thread to be had: then no line waits
        early, _early[:] = _early[:], []
        for when, level, event, fields in early:
            _emit(when, level, event, fields)


def _structlog() -> Any:
    """structlog without what it takes along for what we do not use: rich (a console that a
    conductor has not) and asyncio, with OpenSSL (which is there for who asks it for that)."""
    instead = {"rich": None, "asyncio": _late("asyncio")}
    with _importing:
        absent = [name for name in instead if name not in sys.modules]
        for name in absent:
            sys.modules[name] = instead[name]  # type: ignore[assignment]  # None: an ImportError
        try:
            import structlog
        finally:
            for name in absent:
                del sys.modules[name]
    return structlog


def _late(name: str) -> ModuleType:
    """Has what the module of this name has, which is imported when it is asked for any of it.

    While it stands in that module's place it has nothing: other threads look there meanwhile,
    whether the module is loaded.
    """
    late = ModuleType(name)

    def attribute(wanted: str) -> Any:
        if sys.modules.get(name) is late:
            raise AttributeError(f"module {name!r} is not loaded")
        return getattr(import_module(name), wanted)

    late.__getattr__ = attribute  # type: ignore[method-assign]
    return late


def _open_echo(form: str | None) -> None:
    global _echo
    if form is None:
        return
    from marianne.daemon.shared.log_echo import Echo

    try:
        _echo = Echo(form)
    except RuntimeError:
        pass  # there is no thread to be had: the file has it all


def reopen_log() -> None:
    """Goes on in the file that has the log's name now: another program may have put the old one
    away. OSError where it cannot be opened; then it goes on in the old one."""
    with _lock:
        if _file is not None:
            _write_together()
            _file.reopen()


def close_log() -> None:
    """Closes the log file; what is said from now on is kept for the next one."""
    global _sink, _file
    with _lock:
        _write_together()
        file, _sink, _file = _file, None, None
        if _some_wait is not None:
            _some_wait.set()  # its thread ends
    if file is not None:
        file.close()


def close_echo() -> None:
    """The process is about to end: what waits for standard error is written, within a second."""
    if _echo is not None:
        _echo.close()


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
    _write_together()
    if _echo is not None:
        _echo.say({"event": event, **fields, "ts": _stamp(when), "level": level})
    try:
        _sink.msg(event, ts=_stamp(when), level=level, **fields)
    except OSError:
        pass  # a full disk: nobody may fail because of what they say about it


@lru_cache(maxsize=8)
def _second(when: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when))


def _stamp(when: float) -> str:
    return f"{_second(int(when))}.{int(when % 1 * 1e6):06d}Z"
