"""Where what happens to a job is told: to nobody, to the log, or to a person at a terminal."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from marianne.daemon.shared.log import get_logger, tell_often
from marianne.streams import clean

if TYPE_CHECKING:
    from marianne.daemon.event_bus import EventBus

LOGGER = "marianne.job"
STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}


class OutputProtocol(ABC):
    """What whoever runs a job tells of it. No method may raise or wait."""

    @abstractmethod
    def log(self, level: str, message: str, **context: Any) -> None:
        """A line; ``level`` is debug, info, warning, error or critical."""

    @abstractmethod
    def progress(
        self, job_id: str, completed: int, total: int, eta_seconds: float | None = None
    ) -> None:
        """How far the job is, in sheets."""

    @abstractmethod
    def sheet_event(
        self, job_id: str, sheet_num: int, event: str, data: dict[str, Any] | None = None
    ) -> None:
        """Something happened to a sheet: started, completed, failed, …"""

    @abstractmethod
    def job_event(self, job_id: str, event: str, data: dict[str, Any] | None = None) -> None:
        """Something happened to the job: started, completed, failed, …"""


class NullOutput(OutputProtocol):
    """Tells nobody."""

    def log(self, level: str, message: str, **context: Any) -> None:
        """Nothing."""

    def progress(
        self, job_id: str, completed: int, total: int, eta_seconds: float | None = None
    ) -> None:
        """Nothing."""

    def sheet_event(
        self, job_id: str, sheet_num: int, event: str, data: dict[str, Any] | None = None
    ) -> None:
        """Nothing."""

    def job_event(self, job_id: str, event: str, data: dict[str, Any] | None = None) -> None:
        """Nothing."""


class StructuredOutput(OutputProtocol):
    """One log line each: ``job.<event>``, ``sheet.<event>``, ``job.progress``.

    All at the level info; the log is bounded (:mod:`marianne.daemon.shared.log_file`).
    ``event_bus`` gets the same.
    """

    def __init__(self, *, event_bus: EventBus | None = None) -> None:
        self._bus = event_bus
        self._log = get_logger(LOGGER)

    def log(self, level: str, message: str, **context: Any) -> None:
        """One line."""
        known = level if level in ("debug", "info", "warning") else "error"
        getattr(self._log, known)(message, **context)

    def progress(
        self, job_id: str, completed: int, total: int, eta_seconds: float | None = None
    ) -> None:
        """``job.progress``."""
        data = {"completed": completed, "total": total, "eta_seconds": eta_seconds}
        self._say("job.progress", {"job_id": job_id, **data}, soon=True)

    def sheet_event(
        self, job_id: str, sheet_num: int, event: str, data: dict[str, Any] | None = None
    ) -> None:
        """``sheet.<event>``."""
        fields = {"job_id": job_id, "sheet_num": sheet_num, "data": data or {}}
        self._say(f"sheet.{event}", fields, soon=True)

    def job_event(self, job_id: str, event: str, data: dict[str, Any] | None = None) -> None:
        """``job.<event>``."""
        self._say(f"job.{event}", {"job_id": job_id, "data": data or {}})

    def _say(self, event: str, fields: dict[str, Any], *, soon: bool = False) -> None:
        tell_often(LOGGER, event, fields, soon=soon)
        if self._bus is not None:
            self._bus.publish(event, fields)


class ConsoleOutput(OutputProtocol):
    """For a person: through a Rich console if one is given, else plain lines on standard error."""

    def __init__(self, console: Any | None = None) -> None:
        self._console = console

    def log(self, level: str, message: str, **context: Any) -> None:
        """A line in the level's style."""
        more = "".join(f" {name}={value}" for name, value in context.items())
        self._print(message + more, STYLES.get(level))

    def progress(
        self, job_id: str, completed: int, total: int, eta_seconds: float | None = None
    ) -> None:
        """``job: 3 of 7 sheets``."""
        eta = f", {eta_seconds:.0f} s left" if eta_seconds is not None else ""
        self._print(f"{job_id}: {completed} of {total} sheets{eta}", "dim")

    def sheet_event(
        self, job_id: str, sheet_num: int, event: str, data: dict[str, Any] | None = None
    ) -> None:
        """``job: sheet 3 failed: why``."""
        style = {"failed": "red", "retrying": "yellow", "completed": "green"}.get(event)
        self._print(f"{job_id}: sheet {sheet_num} {event}{_why(data)}", style)

    def job_event(self, job_id: str, event: str, data: dict[str, Any] | None = None) -> None:
        """``job: completed``."""
        style = {"failed": "bold red", "completed": "bold green"}.get(event)
        self._print(f"{job_id}: {event}{_why(data)}", style)

    def _print(self, text: str, style: str | None) -> None:
        text = clean(text.replace("\n", " "))  # programs have a say in it
        if self._console is not None:
            self._console.print(text, style=style, markup=False, highlight=False)
            return
        try:
            print(text, file=sys.stderr, flush=True)
        except BrokenPipeError:
            raise
        except OSError:
            pass  # a full disk behind a redirect: it is lost, and the job goes on


def _why(data: dict[str, Any] | None) -> str:
    why = (data or {}).get("message") or (data or {}).get("error")
    return f": {why}" if why else ""
