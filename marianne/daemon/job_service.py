"""What a conductor's jobs have in common, whoever carries each: who is told of them, and the doors
through which one of them is reached.

The rules of one job in force are :class:`marianne.daemon.job.execution.Execution`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.failures import Delivery
from marianne.daemon.shared.log import get_logger

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.output import OutputProtocol
    from marianne.daemon.pgroup import ProcessGroupManager
    from marianne.learning.hub import LearningHub as GlobalLearningStore
    from marianne.replies.job import Job, Status

log = get_logger(__name__)

RateLimitCallback = Callable[[str, float, str, int], Any]
"""Limit key, seconds, job, sheet: an instrument refused work for so long."""

EventCallback = Callable[[str, int | None, str, Mapping[str, Any]], Any]
"""Job, sheet (None: the job itself), name as ``sheet.completed``, data; on disk by then."""

StatePublishCallback = Callable[[dict[str, Any]], Any]
"""The job without its sheets, each time that its status has changed and is on disk."""

BACKEND = "sqlite"


class Door(Protocol):
    """One job that has actors, from outside of its thread."""

    workspace: Path

    def pause(self) -> Awaitable[Any]:
        """Asks it to pause; raises what it refuses with."""

    def status(self) -> Awaitable[Status | None]:
        """The job with its sheets; None where what is on disk is newer."""


class JobRegistry(Protocol):
    """The jobs on disk."""

    def status(self, job_id: str) -> Status | None:
        """The job with its sheets, as ``job.status`` answers it; None if there is none."""


class JobService:
    """The jobs of one conductor.

    ``output`` and the callbacks are told what happens, in the thread of the job that it happens to:
    they must be quick, and what they raise is logged and stops nothing. ``registry`` has the jobs
    that have no actors, ``global_learning_store`` what is learned, ``pgroup_manager`` the worker
    processes; the two thresholds, in tokens, hold instead of the configuration's ``preflight``,
    after a reload too: ValueError where they do not fit. What is not given is the conductor's
    (:class:`~marianne.daemon.manager.JobManager`).
    """

    def __init__(
        self,
        *,
        output: OutputProtocol | None = None,
        global_learning_store: GlobalLearningStore | None = None,
        rate_limit_callback: RateLimitCallback | None = None,
        event_callback: EventCallback | None = None,
        state_publish_callback: StatePublishCallback | None = None,
        registry: JobRegistry | None = None,
        token_warning_threshold: int | None = None,
        token_error_threshold: int | None = None,
        pgroup_manager: ProcessGroupManager | None = None,
    ) -> None:
        self._outputs = [output] if output is not None else []
        self._event_callback = event_callback
        self._state_publish_callback = state_publish_callback
        self._on_limit = [rate_limit_callback] if rate_limit_callback is not None else []
        self._doors: dict[str, Door] = {}
        self.learned = global_learning_store
        self.registry = registry
        self._thresholds = _given(token_warning_threshold, token_error_threshold)
        self.pgroup = pgroup_manager
        self.delivery = Delivery()

    @property
    def notifications_degraded(self) -> bool:
        """Whether three notices in a row reached nobody."""
        return self.delivery.degraded

    async def pause_job(self, job_id: str, workspace: Path) -> bool:
        """Starts no further sheet; the running ones finish, then the job is paused.

        True when it pauses. Raises JobSubmissionError when no such job runs here, or when it is
        paused, over, or being cancelled.
        """
        door = self._doors.get(job_id)
        if door is None or door.workspace != Path(workspace):
            raise JobSubmissionError(f"job {job_id} does not run here")
        await door.pause()
        return True

    async def get_status(
        self, job_id: str, workspace: Path, backend_type: str = "sqlite"
    ) -> Status | None:
        """The job with its sheets, as ``job.status`` answers it; None when there is none of that
        id that works there. ValueError for another backend: there is only sqlite."""
        if backend_type != BACKEND:
            raise ValueError(f"backend_type {backend_type!r}: there is only {BACKEND!r}")
        door = self._doors.get(job_id)
        found = await door.status() if door is not None else None
        if found is None and self.registry is not None:
            found = self.registry.status(job_id)
        return found if found and Path(found["workspace"]) == Path(workspace) else None

    # -- for who carries jobs -------------------------------------------------------------------

    def open(self, job_id: str, door: Door) -> None:
        """The job has actors."""
        self._doors[job_id] = door

    def close(self, job_id: str) -> None:
        """The job has none any more."""
        self._doors.pop(job_id, None)

    def on_limit(self, callback: RateLimitCallback) -> None:
        """How an instrument's other sheets come to wait: without one a limit delays its own sheet
        alone."""
        self._on_limit.append(callback)

    def tell_too(self, output: OutputProtocol) -> None:
        """This one is told what happens, too."""
        self._outputs.append(output)

    def limits(self, config: DaemonConfig) -> DaemonConfig:
        """The configuration with this service's thresholds."""
        if not self._thresholds:
            return config
        preflight = config.preflight.model_copy(update=self._thresholds)
        return config.model_copy(update={"preflight": preflight})

    def limited(self, key: str, seconds: float, job_id: str, num: int) -> None:
        """An instrument refused work."""
        for callback in self._on_limit:
            _call(callback, key, seconds, job_id, num)

    def state(self, summary: Job) -> None:
        """A job's status has changed, on disk."""
        if self._state_publish_callback is not None:
            _call(self._state_publish_callback, summary)

    def progressed(self, job_id: str, completed: int, total: int) -> None:
        """Sheets have come to their end, on disk."""
        for output in self._outputs:
            _call(output.progress, job_id, completed, total)

    def happened(self, job_id: str, num: int | None, name: str, data: dict[str, Any]) -> None:
        """An event is on disk."""
        kind, _, event = name.partition(".")
        if self._event_callback is not None:
            _call(self._event_callback, job_id, num, name, data)
        for output in self._outputs:
            if kind == "sheet" and num is not None:
                _call(output.sheet_event, job_id, num, event, data)
            else:
                _call(output.job_event, job_id, event, data)


def _call(callback: Callable[..., Any], *args: Any) -> None:
    """A program's own code is no part of the job: its error is said, and the job goes on."""
    try:
        callback(*args)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not the job's
        log.error("callback_failed", callback=repr(callback), error=repr(error))


def _given(warning: int | None, error: int | None) -> dict[str, int]:
    """The thresholds that a program has set, as fields of ``preflight``."""
    both = {"token_warning_threshold": warning, "token_error_threshold": error}
    given = {name: value for name, value in both.items() if value is not None}
    if given:
        from marianne.daemon.config.sections import PreflightConfig

        PreflightConfig.model_validate({**dict.fromkeys(both, 0), **given})
    return given
