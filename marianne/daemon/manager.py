"""The documented job manager: one conductor, as a program sees it.

It decides nothing. Its methods ask the actors of its tree (:mod:`marianne.daemon.jobs.actor` and
those beside it) without blocking the program's event loop; its properties are read from what they
publish. The tree is that of :class:`~marianne.daemon.boot.conductor.Conductor`, in the program's
own process or, for ``marianne start``, in one of its own. docs/embedding.md shows a program.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marianne.clock import steady
from marianne.daemon import asking
from marianne.daemon.job_service import JobService
from marianne.daemon.jobmeta import DaemonJobStatus, JobMeta
from marianne.daemon.monitor import ResourceMonitor
from marianne.daemon.pgroup import ProcessGroupManager
from marianne.daemon.shared.exceptions import JobSubmissionError
from marianne.daemon.shared.refusal import Refused
from marianne.learning.hub import LearningHub

if TYPE_CHECKING:
    from marianne.daemon.backpressure import BackpressureController
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.context import Context
    from marianne.daemon.event_bus import EventBus
    from marianne.daemon.scheduler import GlobalSheetScheduler
    from marianne.daemon.shared.rate_limits import RateLimitCoordinator
    from marianne.daemon.types import JobRequest, JobResponse
    from marianne.home import Home
    from marianne.replies.conductor import Hindrances, Troubles

__all__ = ["DaemonJobStatus", "JobManager", "JobMeta", "NotRunningError"]

PAGE = 500


class NotRunningError(RuntimeError):
    """The manager was not started, or has been shut down: ``await manager.start()`` first."""


class JobManager:
    """All jobs of a conductor. For one event loop; its properties for any thread.

    ``home`` is the conductor's directory: by default ``MARIANNE_HOME``, else one of embedded
    conductors, apart from the user's own. ``service`` has the program's callbacks. ``start_time``
    is in seconds since the epoch, of the start by default; ``monitor`` and ``pgroup`` are the
    program's, if it wants to see what they see.

    A job that is unknown, or in no state for what is asked, is a JobSubmissionError; where a
    documented method returns a bool or a response, the answer says it.
    """

    def __init__(
        self,
        config: DaemonConfig,
        *,
        start_time: float | None = None,
        monitor: ResourceMonitor | None = None,
        pgroup: ProcessGroupManager | None = None,
        home: Home | Path | str | None = None,
        service: JobService | None = None,
    ) -> None:
        self.service = service or JobService()
        self.config = self.service.limits(config)
        self.home = home
        self.start_time = start_time
        self.learned = (service.learned if service is not None else None) or LearningHub()
        self.monitor = monitor or ResourceMonitor(config.resource_limits)
        given = pgroup or self.service.pgroup or self.monitor.group
        self.group = given or ProcessGroupManager()
        self.monitor.set_manager(self)
        self.monitor.group = self.group
        self._bound: Context | None = None
        self._embedded: Any = None

    # -- its life -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts the conductor's tree in this process; returns when it takes jobs.

        Jobs that an earlier conductor of this home left go on. Raises HomeError where the home
        must not be used or another conductor holds it, and what else keeps the tree from starting.
        """
        from marianne.daemon.boot.embedded import Embedded

        if self._embedded is not None:
            raise RuntimeError("this manager was started before: make another")
        self._embedded = Embedded(self)
        await self._embedded.start()

    async def shutdown(self, graceful: bool = True) -> None:
        """Ends the tree; returns when no process of its jobs is left.

        ``graceful``: running sheets finish, for ``shutdown_timeout_seconds`` at most, nothing more
        starts, and unfinished jobs go on at the next start. Otherwise every job is cancelled.
        """
        if self._embedded is None:
            return
        await self._embedded.end("drain" if graceful else "cancel")

    async def wait_for_shutdown(self) -> None:
        """Returns when the tree has ended, whoever asked for it (``marianne stop``, too)."""
        if self._embedded is not None:
            await self._embedded.ended()

    def bind(self, context: Context) -> None:
        """The tree that this is the face of; None of the above is asked of a bound one."""
        self._bound = context

    def unbind(self) -> None:
        """The tree has ended."""
        self._bound = None

    @property
    def context(self) -> Context:
        """What the tree's actors share. Raises NotRunningError before the start."""
        if self._bound is None:
            raise NotRunningError("the manager does not run: await manager.start() first")
        return self._bound

    # -- jobs -----------------------------------------------------------------------------------

    async def submit_job(self, request: JobRequest) -> JobResponse:
        """Takes a job in: reads its score, gives it an id, commits it, admits it if there is room.

        What the request leaves open is this program's: its environment and its directory. A
        refused one is ``rejected``, with the reason as the message.
        """
        from marianne.daemon.types import JobResponse

        try:
            answer = await self._once("submit_job", asking.completed(request))
        except Refused as refusal:
            return JobResponse(job_id="", status="rejected", message=asking.words(refusal))
        return JobResponse.model_validate(answer)

    async def get_job_status(self, job_id: str, workspace: Path | None = None) -> dict[str, Any]:
        """The job with its sheets. ``workspace``, if given, must be the job's."""
        await self._check_place(job_id, workspace)
        return await self._asked("get_job_status", job_id, 1, asking.ALL_SHEETS)

    async def pause_job(self, job_id: str) -> bool:
        """Running sheets finish, nothing new starts. False where nothing is left to pause."""
        try:
            await self._once("pause_job", job_id)
        except Refused as refusal:
            if refusal.code == "conflict":
                return False
            raise asking.submission_error(refusal) from None
        return True

    async def resume_job(
        self,
        job_id: str,
        workspace: Path | None = None,
        config_path: Path | None = None,
        no_reload: bool = False,
    ) -> JobResponse:
        """Lets a paused job go on, and runs a failed or cancelled one's unfinished sheets again.

        The score is read again if its file has changed since, or is that of ``config_path``;
        ``no_reload`` goes on with what is stored.
        """
        places = asking.place(workspace), asking.place(config_path)
        return await self._responds(job_id, "resume_job", job_id, *places, no_reload)

    async def modify_job(
        self, job_id: str, config_path: Path, workspace: Path | None = None
    ) -> JobResponse:
        """Lets a job go on by another score; completed sheets stay. A running job pauses first; one
        that a person has paused stays so."""
        places = asking.place(config_path), asking.place(workspace)
        return await self._responds(job_id, "modify_job", job_id, *places, None, False)

    async def cancel_job(self, job_id: str) -> bool:
        """Cancels a job; returns when no process of it is left. False where it is over, or none."""
        try:
            answer = await self._once("cancel_job", job_id)
        except Refused as refusal:
            if refusal.code in ("conflict", "not_found"):
                return False
            raise asking.submission_error(refusal) from None
        return bool(answer["status"] == "cancelled")  # else its end came first

    async def list_jobs(self) -> list[dict[str, Any]]:
        """All jobs with their progress, newest first, as committed."""
        from marianne.daemon.views import queries
        from marianne.state.reader import JobFilter

        found: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await asking.read(self.context, queries.page, JobFilter(), PAGE, cursor)
            found += map(dict, page["jobs"])
            cursor = page["cursor"]
            if cursor is None:
                return found

    async def clear_jobs(
        self,
        statuses: list[str] | None = None,
        older_than_seconds: float | None = None,
        job_ids: list[str] | None = None,
    ) -> dict[str, Any]:
        """Deletes finished jobs, their history and their files: ``deleted`` and ``jobs``."""
        return await self._told("clear_jobs", statuses, older_than_seconds, job_ids)

    async def clear_rate_limits(self, instrument: str | None = None) -> dict[str, Any]:
        """Ends the rate limits of an instrument, or all; what waits for them goes on at once."""
        return await asking.clear_limits(self.context, instrument)

    async def get_job_errors(self, job_id: str, workspace: Path | None = None) -> dict[str, Any]:
        """The attempts that failed, newest first, and what was skipped for their sake."""
        from marianne.daemon.views import reports

        await self._check_place(job_id, workspace)
        return dict(await asking.read(self.context, reports.errors, job_id))

    async def get_diagnostic_report(
        self, job_id: str, workspace: Path | None = None
    ) -> dict[str, Any]:
        """State, attempts, last output, resource use, supervision, the likely cause in words."""
        from marianne.daemon.views import reports

        await self._check_place(job_id, workspace)
        given = self.context.home.job_dir(job_id), job_id, self.learned
        return dict(await asking.read(self.context, reports.diagnosis, *given))

    async def get_execution_history(
        self,
        job_id: str,
        workspace: Path | None = None,
        sheet_num: int | None = None,
        limit: int = 50,
    ) -> dict[str, Any]:
        """``records``: attempts that came to an end, newest first; ``has_history``."""
        from marianne.daemon.views import reports

        await self._check_place(job_id, workspace)
        return dict(await asking.read(self.context, reports.history, job_id, sheet_num, limit))

    async def recover_job(
        self,
        job_id: str,
        workspace: Path | None = None,
        sheet_num: int | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Makes the checks of failed sheets again; those whose checks pass now are completed."""
        await self._check_place(job_id, workspace)
        return await self._told("recover_job", job_id, sheet_num, dry_run)

    async def get_daemon_status(self) -> dict[str, Any]:
        """DaemonStatus as a map, with what else ``marianne conductor-status`` shows."""
        return await self._asked("get_daemon_status")

    def apply_config(self, new_config: DaemonConfig) -> None:
        """Puts another configuration in force, for whatever reads it from now on."""
        self.config = self.service.limits(new_config)
        self.context.manager.tell(asking.method("apply_config"), self.config)

    def update_job_config_metadata(
        self, job_id: str, *, config_path: Path | None = None, workspace: Path | None = None
    ) -> None:
        """Puts another score file or workspace into what is known of a job that has no actors."""
        method = asking.method("update_job_config_metadata")
        self.context.manager.tell(method, job_id, config_path=config_path, workspace=workspace)

    # -- figures --------------------------------------------------------------------------------

    @property
    def uptime_seconds(self) -> float:
        """Seconds since this conductor started; 0 before."""
        if self._bound is None:
            return 0.0
        return max(0.0, steady() - self._bound.started_at)

    @property
    def shutting_down(self) -> bool:
        """Whether the conductor was asked to end."""
        return self._bound is not None and self._bound.stop.mode is not None

    @property
    def running_count(self) -> int:
        """Admitted jobs."""
        roster = self._bound.roster if self._bound is not None else None
        return 0 if roster is None else roster.admitted

    @property
    def active_job_count(self) -> int:
        """Sheets of all jobs that hold a slot: what fair share is measured by."""
        return self.monitor.active_sheets

    @property
    def failure_rate_elevated(self) -> bool:
        """Whether more than three jobs failed unexpectedly within the last 60 s."""
        return self._bound is not None and self._bound.failures.elevated(time.monotonic())

    @property
    def notifications_degraded(self) -> bool:
        """Whether three notices in a row reached nobody."""
        return self._bound is not None and self._bound.service.notifications_degraded

    @property
    def scheduler(self) -> GlobalSheetScheduler:
        """Who grants sheets their turn, of all jobs."""
        from marianne.daemon.scheduler import GlobalSheetScheduler

        return GlobalSheetScheduler(self.config, tree=self.context)

    @property
    def rate_coordinator(self) -> RateLimitCoordinator:
        """The rate limits in force, of all jobs."""
        return self.context.rate_limits

    @property
    def backpressure(self) -> BackpressureController:
        """How much is taken on."""
        return self.context.backpressure

    @property
    def learning_hub(self) -> LearningHub:
        """What was learned from how jobs ended."""
        return self.context.learned

    @property
    def observer_recorder(self) -> None:
        """Nobody: what happens is recorded as events, by the store."""
        return

    @property
    def event_bus(self) -> EventBus:
        """What happens to the jobs, for listeners in this process."""
        return self.context.bus

    def troubles(self) -> Troubles:
        """What is ok, or in words what is not: ``storage``, ``starts``, ``workers``."""
        if self._bound is None:
            return {
                "storage": "ok",
                "starts": "ok",
                "listen": "ok",
                "metrics": "ok",
                "workers": "ok",
                "refused_worker_messages": 0,
            }
        return self._bound.troubles()

    def hindrances(self) -> tuple[bool, Hindrances]:
        """Whether anything but load keeps it from taking jobs; and ``heart_lost``, ``storage``,
        ``scores``."""
        if self._bound is None:
            return True, {"heart_lost": False, "storage": "ok", "scores": "ok"}
        return self._bound.hindrances()

    # -- asking ---------------------------------------------------------------------------------

    async def _asked(self, name: str, *args: Any) -> dict[str, Any]:
        return await asking.as_submitter(self._once_or_again(name, args, None))

    async def _told(self, name: str, *args: Any) -> dict[str, Any]:
        return await asking.as_submitter(self._once(name, *args))

    async def _once(self, name: str, *args: Any) -> dict[str, Any]:
        """Asks for a change: again under the same id where an actor was being restarted."""
        return await self._once_or_again(name, args, asking.new_id())

    async def _once_or_again(
        self, name: str, args: tuple[Any, ...], request_id: str | None
    ) -> dict[str, Any]:
        handle, method = self.context.manager, asking.method(name)
        answer: dict[str, Any] = await asking.ask(handle, method, args, request_id)
        return answer

    async def _responds(self, job_id: str, name: str, *args: Any) -> JobResponse:
        from marianne.daemon.types import JobResponse

        try:
            answer = await self._once(name, *args)
        except Refused as refusal:
            return JobResponse(job_id=job_id, status="rejected", message=asking.words(refusal))
        message = answer.get("message") or str(answer["status"])
        return JobResponse(job_id=job_id, status="accepted", message=message)

    async def _check_place(self, job_id: str, workspace: Path | None) -> None:
        if workspace is None:
            return
        status = await self._asked("get_job_status", job_id, 1, 0)
        if Path(status["workspace"]) != Path(workspace):
            raise JobSubmissionError(f"job {job_id} works in {status['workspace']}")
