"""Taking jobs in: a request's score is read, the job gets an id, is committed and let go."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors import Future, Outcome
from ipc import codec
from marianne.daemon.jobs import submission
from marianne.daemon.jobs.admission import Admission
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.followers import Followers
from marianne.daemon.jobs.job_life import Happens
from marianne.daemon.jobs.roster import Live
from marianne.daemon.services.parser import Parser
from marianne.daemon.shared.fired import Fired
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.parsed import Parsed
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.state.changes import AddEvent
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from marianne.daemon.types import JobRequest
    from marianne.replies.changes import Submitted


class Intake:
    """What a request means is in :mod:`marianne.daemon.jobs.submission`; this is the way of it."""

    def __init__(
        self,
        desk: Desk,
        admission: Admission,
        followers: Followers,
        check_group: Callable[[str | None], None],
    ) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._admission = admission
        self._followers = followers
        self._check_group = check_group
        self._naming: set[str] = set()
        """Ids of jobs that are on their way to the disk."""

    def submit(
        self, answer: Answer[Submitted], request: JobRequest, fired: Fired | None = None
    ) -> None:
        """Has the score read, unless it is known; ``fired`` says that a schedule wants the job."""
        if self._context.stop.mode is not None:
            raise Refused("shutting_down", "the conductor is shutting down")
        if not request.dry_run:
            self._context.backpressure.check_admission()
        wanted = submission.parse_request(request, self._context.home)
        scores = self._context.scores
        known = scores.find(scores.key(wanted), wanted.search_path)
        if known is not None:
            self._name(known, request, answer, fired)
            return
        parsed: Future[Any] = self._context.parser.within(90.0).call(Parser.load, wanted)
        self._desk.turns.pipe(parsed, self.parsed, request, answer, fired)

    def parsed(
        self,
        outcome: Outcome[Parsed],
        request: JobRequest,
        answer: Answer[Submitted],
        fired: Fired | None,
    ) -> None:
        """A score was read, or cannot be."""
        if outcome.error is not None or outcome.value is None:
            answer.fail(outcome.error or LookupError("no plan"))
            return
        try:
            self._name(outcome.value, request, answer, fired)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            answer.fail(refusal_of(error))

    def _name(
        self,
        parsed: Parsed,
        request: JobRequest,
        answer: Answer[Submitted],
        fired: Fired | None,
    ) -> None:
        """Names the job of a score that was read, and commits it."""
        parsed = submission.as_asked(request, parsed)
        if self._context.stop.mode is not None:
            raise Refused("shutting_down", "the conductor is shutting down")
        submission.check_sheets(request, parsed)
        submission.check_executors(request, parsed)
        self._check_group(request.group)
        waits, unneeded = self._followers.wanted(request, time.time())
        if request.dry_run:
            answer.set(submission.dry_run_response(parsed))
            return
        after = dict(waits.jobs)
        shared = submission.check_workspace(request, parsed, self._live, after)
        job_id = submission.choose_id(
            request, parsed, self._live, self._desk.reader, self._naming, fired, after
        )
        parsed = submission.placed(parsed, job_id)
        now = time.time()
        row = submission.new_row(job_id, request, parsed, now, waits)
        live = Live(row, unsure=True)
        held = self._followers.why(live)
        words = self._admission.place(live, now) if held is None else held["text"]
        admitted = row.status is JobStatus.RUNNING
        environment = codec.pack(request.environment)
        if admitted:
            self._context.executor.prepare(row, parsed.plan, environment)
        reply = submission.response(row, [*parsed.warnings, *shared, *unneeded], words)
        changes = [*submission.changes(row, parsed, environment, now), *answer.remember(reply)]
        if fired is not None:
            changes += submission.fired_changes(fired, job_id, now)
        if admitted:
            changes.append(AddEvent(job_id, None, "job.started", {}, now))
        self._naming.add(job_id)
        self._live[job_id] = live
        self._followers.expect(job_id)
        if admitted:
            self._live.move(live, Happens.ADMIT)
        written = self._desk.ask_to_write(changes)
        self._desk.turns.pipe(written, self.submitted, job_id, reply, answer)
        # The client is answered in the store's thread, a hand-over sooner; but not before we are
        # told (what was added first is called first), so that what it asks next comes later.
        written.on_done(lambda done: None if done.outcome().error else answer.tell(reply))

    def submitted(
        self, outcome: Outcome[Any], job_id: str, reply: Submitted, answer: Answer[Submitted]
    ) -> None:
        """A new job is on disk: acknowledge it and let it go."""
        self._naming.discard(job_id)
        if outcome.error is not None:
            self._context.executor.unprepare(job_id)
            del self._live[job_id]
            self._followers.look(job_id)
            answer.fail(outcome.error)
        else:
            answer.set(reply)
            live = self._live.decided(job_id)
            if live is not None and live.admitted:
                self._admission.admitted(outcome, job_id)
            elif live is not None:
                self._followers.follow(job_id)
        if self._admission.places > 0:
            self._admission.admit(lined_up=True)
