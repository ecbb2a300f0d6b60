"""The manager of all jobs, as an actor: who comes in, who is admitted, what became of them.

It owns the jobs that are not admitted: queued, paused and finished ones are rows. An admitted
job's state is its job actor's. The manager starts and watches the jobs' supervisors; a job whose
actors gave up is ended here.

What a restart finds: submitted, not admitted: queued again by its row; admitted, not started:
started; started: found alive by its name and watched again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from actors import Future, Outcome, Promise
from ipc import codec
from ipc.errors import CodecError
from marianne.daemon.context import Context
from marianne.daemon.job import status_bytes
from marianne.daemon.job.actor import Job
from marianne.daemon.jobs import submission
from marianne.daemon.jobs.explain import Explain
from marianne.daemon.jobs.figures import Figures
from marianne.daemon.jobs.hooks import Hooks
from marianne.daemon.jobs.job_life import Happens
from marianne.daemon.jobs.memory import REASON
from marianne.daemon.jobs.pressure import UnderPressure
from marianne.daemon.jobs.roster import Live
from marianne.daemon.services.parser import Parser
from marianne.daemon.services.scheduler import SchedulerActor
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.log import get_logger, set_level
from marianne.daemon.shared.parsed import Parsed
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.status_cache import Packed
from marianne.daemon.shared.unforeseen import question, refusal_of
from marianne.daemon.views import queries, reports
from marianne.schedule.room import admit
from marianne.state.changes import AddEvent
from marianne.state.models import JobStatus
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.daemon.config import DaemonConfig
    from marianne.daemon.types import JobRequest

log = get_logger(__name__)


class ManagerActor(Hooks, UnderPressure, Explain, Figures):
    """All jobs of a conductor. Every method may be called through a handle from any thread.

    A method that returns a Promise answers when its change is on disk. Refusals are raised as
    :class:`~marianne.daemon.shared.refusal.Refused`.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._naming: set[str] = set()

    # -- coming in ------------------------------------------------------------------------------

    def submit_job(
        self, request: JobRequest, request_id: str | None = None
    ) -> Promise[dict[str, Any]]:
        """Takes a job in: reads its score, gives it an id, commits it, admits it if there is room.

        Answers a JobResponse as a map (plus ``warnings``; a dry run adds ``plan`` and leaves no
        trace). Refuses with ``invalid_score``, ``conflict``, ``pressure`` or ``shutting_down``.
        ``request_id`` lets a resent request find its answer.
        """
        return self._once(request_id, self._submit, request)

    def _submit(self, answer: Answer, request: JobRequest) -> None:
        if self._context.stop.mode is not None:
            raise Refused("shutting_down", "the conductor is shutting down")
        if not request.dry_run:
            self._context.backpressure.check_admission()
        wanted = submission.parse_request(request, self._context.home)
        scores = self._context.scores
        known = scores.find(scores.key(wanted), wanted.search_path)
        if known is not None:
            self._name(known, request, answer)
            return
        parsed: Future[Any] = self._context.parser.within(90.0).call(Parser.load, wanted)
        self.pipe(parsed, self.parsed, request, answer)

    def parsed(self, outcome: Outcome[Parsed], request: JobRequest, answer: Answer) -> None:
        """A score was read, or cannot be."""
        if outcome.error is not None or outcome.value is None:
            answer.fail(outcome.error or LookupError("no plan"))
            return
        try:
            self._name(outcome.value, request, answer)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            answer.fail(refusal_of(error))

    def _name(self, parsed: Parsed, request: JobRequest, answer: Answer) -> None:
        """Names the job of a score that was read, and commits it."""
        parsed = submission.as_asked(request, parsed)
        if self._context.stop.mode is not None:
            raise Refused("shutting_down", "the conductor is shutting down")
        submission.check_sheets(request, parsed)
        if request.dry_run:
            answer.set(submission.dry_run_response(parsed))
            return
        shared = submission.check_workspace(request, parsed, self._live)
        job_id = submission.choose_id(request, parsed, self._reader, self._naming)
        now = time.time()
        row = submission.new_row(job_id, request, parsed, now)
        live = Live(row, unsure=True)
        words = self._place(live, now)
        admitted = row.status is JobStatus.RUNNING
        environment = codec.pack(request.environment)
        if admitted:
            self._enter(row, parsed.plan, environment)
        reply = submission.response(row, [*parsed.warnings, *shared], words)
        changes = [*submission.changes(row, parsed, environment, now), *answer.remember(reply)]
        if admitted:
            changes.append(AddEvent(job_id, None, "job.started", {}, now))
        self._naming.add(job_id)
        self._live[job_id] = live
        if admitted:
            self._live.move(live, Happens.ADMIT)
        written = self._ask_to_write(changes)
        # The client is answered in the store's thread, a hand-over sooner; but not before we are
        # told (what was added last is called first), so that what it asks next comes later.
        written.on_done(lambda done: None if done.outcome().error else answer.tell(reply))
        self.pipe(written, self.submitted, job_id, reply, answer)

    def _place(self, live: Live, now: float) -> str | None:
        """Lets a new job run at once, or says in words why it has to wait for memory.

        Where others wait already it gets in line behind them, and is looked at once on disk.
        """
        places = self._room()
        if places <= 0 or self._live.comes or next(self._live.in_line(), None) is not None:
            return None
        room = self._free(places)
        admitted, _ = admit([self._memory.size(live.row, live.size)], room)
        if admitted:
            move(live.row, JobStatus.RUNNING)
            live.row.started_at = now
            return None
        move(live.row, JobStatus.PENDING)
        live.row.reason = REASON
        self._context.resources.awaited = True
        return str(self._memory.why(live.row, live.size, room)["text"])

    def submitted(
        self, outcome: Outcome[Any], job_id: str, reply: dict[str, Any], answer: Answer
    ) -> None:
        """A new job is on disk: acknowledge it and let it go."""
        self._naming.discard(job_id)
        if outcome.error is not None:
            self._drop_entry(job_id)
            del self._live[job_id]
            answer.fail(outcome.error)
        else:
            answer.set(reply)
            live = self._live.decided(job_id)
            if live is not None and live.admitted:
                self.admitted(outcome, job_id)
        if self._room() > 0:
            self._admit(lined_up=True)

    # -- questions ------------------------------------------------------------------------------

    @question
    def wait_job(self, job_id: str) -> Promise[dict[str, Any]]:
        """Answers the job without its sheets once it is over; a paused job is waited for."""
        promise: Promise[dict[str, Any]] = self.promise()
        live = self._live.get(job_id)
        if live is not None:
            live.waiters.append(promise)
        else:
            promise.set(queries.summary(self._reader, job_id))
        return promise

    @question
    def get_job_status(
        self, job_id: str, first: int = 1, last: int = 5_000, *, packed: bool = False
    ) -> Promise[Any]:
        """The job with its sheets ``first`` to ``last`` (1-based), live or from disk.

        A map; ``packed`` as msgpack, for those who send it on.
        """
        promise: Promise[Any] = self.promise()
        live = self._live.get(job_id)
        if live is None or not live.admitted:
            self.status_from_disk(job_id, first, last, packed, promise)
            return promise

        def known(future: Future[Packed]) -> None:
            # In the job actor's thread: a message to us would be one hand-over more.
            status = future.outcome().value
            if status is not None:
                _give(promise, status, packed)
            else:  # it is being restarted
                me = self._context.manager
                me.tell(ManagerActor.status_from_disk, job_id, first, last, packed, promise)

        self._context.job(job_id).call(Job.status, first, last).on_done(known)
        return promise

    def status_from_disk(
        self, job_id: str, first: int, last: int, packed: bool, promise: Promise[Any]
    ) -> None:
        """Answers by what is on disk."""
        shelf = self._context.status_cache
        mark = shelf.mark()
        try:
            status = status_bytes.at_rest(self._reader, job_id, first, last)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            promise.fail(refusal_of(error))
            return
        live = self._live.get(job_id)
        if live is None or not live.admitted:  # what an actor is about to change is its own to keep
            shelf.keep(mark, job_id, first, last, status)
        _give(promise, status, packed)

    @question
    def get_job_errors(self, job_id: str, limit: int = 50) -> dict[str, Any]:
        """The attempts that failed, newest first, and what was skipped for their sake."""
        return reports.errors(self._reader, job_id, limit)

    @question
    def get_diagnostic_report(self, job_id: str) -> dict[str, Any]:
        """State, attempts, last output, resource use, supervision, the likely cause in words."""
        directory = self._context.home.job_dir(job_id)
        return reports.diagnosis(self._reader, directory, job_id, self._context.learned)

    @question
    def get_execution_history(
        self, job_id: str, sheet_num: int | None = None, limit: int = 50
    ) -> dict[str, Any]:
        """``records``: attempts that came to an end, newest first; ``has_history``."""
        return reports.history(self._reader, job_id, sheet_num, limit)

    def apply_config(self, new_config: DaemonConfig) -> None:
        """Puts another configuration in force, for whatever reads it from now on.

        Fields that are in use already are the caller's to leave as they are.
        """
        from marianne.daemon.services.health import HealthActor
        from marianne.daemon.services.monitor import MonitorActor

        self._context.config = self._context.face.config = new_config
        self._context.learned.enabled = new_config.learning.enabled
        self._context.monitor.tell(MonitorActor.update_limits, new_config.resource_limits)
        self._context.health.tell(HealthActor.start_periodic_checks)
        set_level(new_config.log_level)
        self._context.scheduler.tell(
            SchedulerActor.set_limits,
            new_config.max_concurrent_sheets,
            new_config.resource_limits.max_api_calls_per_minute,
        )
        for job_id, live in self._live.items():
            if live.admitted:
                self._context.job(job_id).tell(Job.look_at_clock)
        self._admit()

    def shutdown(self, graceful: bool = True) -> None:
        """Winds the work down, for a conductor that is to end. :meth:`wait_for_shutdown` answers.

        ``graceful``: running sheets finish, nothing more starts, the jobs go on at the next start.
        Otherwise every job is cancelled.
        """
        self._winding_down = True
        if graceful:
            scheduler = self._context.scheduler.within(None)
            drained: Future[Any] = scheduler.call(SchedulerActor.drain)
            self.pipe(drained, self.drained)
            return
        for live in list(self._live.values()):
            self._cancel_live(live, None)
        self._tell_wound_down()

    def drained(self, outcome: Outcome[Any]) -> None:
        """No sheet runs any more; without a scheduler there is nothing to wait for either."""
        self._drained = True
        self._tell_wound_down()

    def wait_for_shutdown(self) -> Promise[None]:
        """Answers when what :meth:`shutdown` began is done."""
        promise: Promise[None] = self.promise()
        self._when_wound_down.append(promise)
        self._tell_wound_down()
        return promise


def _give(promise: Promise[Any], status: Packed, packed: bool) -> None:
    """Answers with the status; fails where it is more than a message holds."""
    try:
        promise.set(status if packed else codec.unpack(status))
    except CodecError as error:
        promise.fail(error)
