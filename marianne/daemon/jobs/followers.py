"""Jobs that begin after others (``--after``) or at a time (``--at``): held, then in line.

What is waited for stands in the job's row, so a restart finds a follower as it was, and looks at
the rows of the others: one that ended meanwhile is seen then. The end of a job that is waited for
cannot be deleted before it was seen. A follower whose wait has come to nothing is cancelled, with
the reason. Whether it waits is decided once and committed; then it is a queued job like any other,
so it is started once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from actors import Outcome
from marianne.crashpoints import crash_point
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.roster import Live
from marianne.daemon.jobs.supervision import LOOK_AGAIN
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.turns import raise_error
from marianne.daemon.views.wire import timestamp
from marianne.schedule.waits import AFTER, AT, NOTHING, OPTION, Waits, look, sleep
from marianne.state.changes import UpdateJob
from marianne.state.errors import AmbiguousJob, NoSuchJob
from marianne.state.models import JobRow, JobStatus

if TYPE_CHECKING:
    from marianne.daemon.types import JobRequest
    from marianne.replies.reports import Reason

log = get_logger(__name__)


class Followers:
    """``admit`` looks whom a change lets in, ``cancel`` cancels a job that has no actors, and says
    why, ``pending`` says whether hooks of a job that has ended are left."""

    def __init__(
        self,
        desk: Desk,
        admit: Callable[[], None],
        cancel: Callable[[Live, str], None],
        pending: Callable[[JobRow], bool],
    ) -> None:
        self._desk = desk
        self._live = desk.live
        self._admit = admit
        self._cancel = cancel
        self._pending = pending
        self._followers: dict[str, set[str]] = {}  # by the job that is waited for
        self._awaited: dict[str, set[str]] = {}  # by the job that waits
        self._asleep: set[str] = set()
        desk.when_over.append(self.ended)

    def take_up(self) -> None:
        """After a start: all that wait."""
        for job_id in [one for one, live in self._live.items() if OPTION in live.row.options]:
            self.follow(job_id)

    # -- what a request waits for ---------------------------------------------------------------

    def wanted(self, request: JobRequest, now: float) -> tuple[Waits, list[str]]:
        """What a new job is to wait for, and warnings. Refuses with ``not_found`` a job that is
        unknown, with ``conflict`` one whose end is known already and is not the one wanted."""
        asked = [(one, False) for one in request.after] + [(one, True) for one in request.after_any]
        jobs: dict[str, bool] = {}
        warnings = []
        for name, any_end in asked:
            job_id = self._resolve(name)
            end = self._end_of(job_id)
            if end is None:
                jobs[job_id] = any_end and jobs.get(job_id, True)
            elif end != "completed" and not any_end:
                raise Refused(
                    "conflict",
                    f"--after {name}: job {job_id} is {end} already, nothing can follow it",
                    hint=f"`marianne retry {job_id}` first, or begin after any end of it with "
                    f"`--after {job_id}:any`",
                    data={"job_id": job_id, "status": end},
                )
            elif newer := self._desk.newer(job_id):
                warnings.append(f"--after {name}: job {job_id} is {end} already; {newer}")
        at = request.at if request.at is not None and request.at > now else None
        return Waits(tuple(jobs.items()), at), warnings

    def _resolve(self, name: str) -> str:
        try:
            job_id = self._desk.reader.resolve(name)
        except NoSuchJob:
            raise not_found(name) from None
        except AmbiguousJob as error:
            raise Refused("not_found", str(error), hint="give more of the id") from None
        self._desk.known(job_id)
        return job_id

    def _end_of(self, job_id: str) -> str | None:
        """How a job ended; None while it, or what follows its end, is not over. In a stop that is
        left to the next conductor."""
        if job_id in self._live:
            return None
        row = self._desk.reader.job(job_id)
        if row is not None and self._pending(row):
            return None
        return "gone" if row is None else str(row.status)

    # -- waiting --------------------------------------------------------------------------------

    def expect(self, job_id: str) -> None:
        """A job that may have to wait is on its way to the disk: nothing of what it waits for may
        be deleted from now on. :meth:`follow`, or a :meth:`look` where it does not get there, has
        to come."""
        for awaited, _ in Waits.read(self._live[job_id].row.options).jobs:
            self._awaited.setdefault(job_id, set()).add(awaited)
            self._followers.setdefault(awaited, set()).add(job_id)

    def follow(self, job_id: str) -> None:
        """A job that may have to wait is on disk: ends and times are looked for from now on."""
        live = self._live.get(job_id)
        if live is not None and OPTION in live.row.options:
            self.expect(job_id)
            self.look(job_id)

    def awaited(self, job_ids: Iterable[str]) -> set[str]:
        """Those of these jobs whose end a follower has still to see."""
        return {one for one in job_ids if one in self._followers}

    def ended(self, job_id: str) -> None:
        """A job is over, and all that followed its completion."""
        for follower in sorted(self._followers.get(job_id, ())):
            self.look(follower)

    def woken(self, job_id: str) -> None:
        """It may be time."""
        self._asleep.discard(job_id)
        self.look(job_id)

    def look(self, job_id: str) -> None:
        """What of that for which a job waits has come."""
        live = self._live.get(job_id)
        waits = Waits.read(live.row.options) if live is not None else Waits()
        if live is None or live.admitted or live.row.status.terminal or not waits:
            self._forget(job_id)
            return
        if live.unsure:
            self._desk.turns.after(LOOK_AGAIN, self.look, job_id)
            return
        now = time.time()
        found = look(waits, self._end_of, now)
        if found.spoiled is not None:
            self._forget(job_id)
            awaited, end = found.spoiled
            crash_point("follower.before-cancel")
            log.info("follower_cancelled", job_id=job_id, awaited=awaited, end=end)
            self._cancel(live, f"it was to follow {awaited}, which {_ENDS.get(end, 'is ' + end)}")
        elif found.left != waits:
            self._forget(job_id, found.left)
            self._keep(live, found.left)
        self._sleep_until(job_id, found.left, now)

    def _forget(self, job_id: str, left: Waits = NOTHING) -> None:
        """Of what this job waited for only so much is left."""
        kept = {awaited for awaited, _ in left.jobs}
        for awaited in self._awaited.pop(job_id, set()) - kept:
            self._followers[awaited].discard(job_id)
            if not self._followers[awaited]:
                del self._followers[awaited]
        if kept:
            self._awaited[job_id] = kept

    def _sleep_until(self, job_id: str, left: Waits, now: float) -> None:
        seconds = sleep(left, now)
        if seconds is not None and job_id not in self._asleep:
            self._asleep.add(job_id)
            self._desk.turns.after(seconds, self.woken, job_id)

    def _keep(self, live: Live, left: Waits) -> None:
        row = live.row
        row.options = left.into(row.options)
        fields: dict[str, Any] = {"options": row.options}
        if row.status is JobStatus.QUEUED:
            row.reason = fields["reason"] = left.reason
        self._live.change(live)
        crash_point("follower.before-keep")
        written = self._desk.write([UpdateJob(row.job_id, fields)])
        self._desk.turns.pipe(written, self.kept, row.job_id)

    def kept(self, outcome: Outcome[Any], job_id: str) -> None:
        """What is left is on disk; nothing left: it is in line."""
        raise_error(outcome)
        crash_point("follower.after-keep")
        self._live.decided(job_id)
        self.look(job_id)  # what ended meanwhile was not looked at
        self._admit()

    # -- explained ------------------------------------------------------------------------------

    def why(self, live: Live) -> Reason | None:
        """What a job waits for; None for one that waits for nothing."""
        waits = Waits.read(live.row.options)
        if not waits or live.row.status is not JobStatus.QUEUED:
            return None
        until = timestamp(waits.at)
        jobs = {job_id: self._status(job_id) for job_id, _ in waits.jobs}
        told = [f"{job_id} ({status})" for job_id, status in jobs.items()]
        if until is not None:
            told.append(until)
        data = {"jobs": list(jobs), **({"until": until} if until else {})}
        return {
            "code": AFTER if jobs else AT,
            "text": f"it waits for {', '.join(told)}",
            "data": data,
        }

    def _status(self, job_id: str) -> str:
        row = self._desk.reader.job(job_id)
        if row is None:
            return "gone"
        return f"{row.status}, but for its hooks" if self._pending(row) else str(row.status)


_ENDS = {"failed": "has failed", "cancelled": "was cancelled", "gone": "is gone"}
