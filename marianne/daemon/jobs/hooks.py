"""What follows a job: the hooks of its score for that end, one after the other.

A job is not over before its hooks are: who waits for it waits for them. What a restart finds: the
number of the first hook that has not ended, in the job's row; that one runs again. So does the
writing of a line of the concert's log that was under way.
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import ActorDied, Future, Outcome
from ipc import codec
from marianne.daemon.jobmeta import JobMeta
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.desk import Desk
from marianne.daemon.jobs.following import LOG_DUE, SUCCESS, Place, next_hook, options_after
from marianne.daemon.jobs.next_job import next_job
from marianne.daemon.jobs.roster import Live
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.shared.start_delays import passing
from marianne.daemon.shared.turns import raise_error
from marianne.daemon.views import queries
from marianne.daemon.views.wire import timestamp
from marianne.executors.beside import CommandEnd, SideCommand
from marianne.score.placeholders import fill, fill_command
from marianne.state.changes import AddEvent, Change, UpdateJob
from marianne.state.models import TERMINAL_JOB, JobRow, JobStatus
from marianne.state.reader import JobFilter
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.daemon.types import JobRequest
    from marianne.replies.changes import Changed, Submitted
    from marianne.replies.reports import Reason

log = get_logger(__name__)

REASON = "chain"
"""Why a job is paused that is completed, and whose next job waits for a person."""

MAX_CHAIN_DEPTH = 5
LOG = "concert-log"
LOG_SECONDS = 30.0
APPEND = 'mkdir -p -- "$(dirname -- "$1")" && cat >> "$1"'
"""A process of the job's appends to its log: the file is the user's, and may be slow."""

LOSSES = 3
"""So often a hook whose process is lost is run; one that ends it each time has failed."""

PAGE = 200
"""So many jobs at a time are looked at by a start, for hooks that have not run."""


class Hooks:
    """``submit`` takes a job in for the manager, ``away`` is told of a job that nothing follows any
    more."""

    def __init__(
        self,
        desk: Desk,
        commands: Commands,
        submit: Callable[[JobRequest, str], Future[Submitted]],
        away: Callable[[str], None],
    ) -> None:
        self._desk = desk
        self._context = desk.context
        self._live = desk.live
        self._commands = commands
        self._submit = submit
        self._away = away
        self._losses: Counter[str] = Counter()  # by job, of the hook that runs
        desk.hooks_left = self.pending

    def take_up(self) -> None:
        """Takes up hooks that did not come to their end: those of the newest jobs at once, of all
        others soon. A conductor that is to stop leaves them to the next one."""
        for status in TERMINAL_JOB:
            self.take_page(status, None)

    def take_page(self, status: JobStatus, cursor: int | None) -> None:
        """Looks at the next jobs that ended so."""
        if self._context.stop.mode is not None:
            return
        page = self._desk.reader.jobs(JobFilter(frozenset({status})), limit=PAGE, cursor=cursor)
        for row in [view.row for view in page.jobs]:
            if row.job_id not in self._live and self.pending(row):
                self._live[row.job_id] = Live(row)
                self._run_hook(row)
        if page.cursor is not None:
            self._desk.turns.soon(self.take_page, status, page.cursor)

    def over(self, job_id: str) -> None:
        """The job is over but for its hooks."""
        row = self._desk.reader.job(job_id)
        if row is None or self._context.stop.mode is not None or not self.pending(row):
            self._away(job_id)
            return
        self._live.leave(self._live[job_id], row)
        self._run_hook(row)

    def pending(self, row: JobRow) -> bool:
        """Whether something of what follows the job's end has still to come, here or in the next
        conductor."""
        left = LOG_DUE in row.options or self._next_hook(row) is not None
        return row.status.terminal and left

    def why(self, live: Live) -> Reason | None:
        """What of that which follows its end keeps a job from being over; None for one that is."""
        place = self._next_hook(live.row) if live.over else None
        if place is None:
            return None
        text = f"it is {live.row.status}, but for its {place.name}"
        return {"code": "hooks", "text": text, "data": {"on": place.list, "hook": place.index + 1}}

    def _next_hook(self, row: JobRow) -> Place | None:
        """The hook that is to run; None when there is none (any more)."""
        return next_hook(row, lambda: self._has_new_work(row))

    def _has_new_work(self, row: JobRow) -> bool:
        newest = self._desk.reader.attempts(row.job_id, limit=50)
        return any(a.outcome == "completed" for a in newest)

    def resume(self, answer: Answer[Changed], job_id: str) -> None:
        """Lets a paused job go on: one whose chain waits for a person, with its next job."""
        live = self._live.get(job_id)
        if live is None or live.admitted or live.row.reason != REASON:
            self._commands.resume(answer, job_id)
            return
        row = live.row
        row.options = {**row.options, "chain_agreed": row.options.get("hooks_done") or 0}
        fields = {"options": row.options}
        self._commands.set(
            live, JobStatus.COMPLETED, None, "job.resumed", answer, self.agreed, **fields
        )

    def agreed(
        self, outcome: Outcome[Any], job_id: str, reply: Changed, answer: Answer[Changed]
    ) -> None:
        """It is completed again, on disk, and goes on with its chain."""
        self._commands.was_set(outcome, job_id, reply, answer)
        live = self._live.get(job_id)
        if live is not None and not live.admitted and live.row.status is JobStatus.COMPLETED:
            self._run_hook(live.row)

    def _hold_chain(self, row: JobRow, hook: dict[str, Any]) -> None:
        """The next job waits for a person; this one is paused until then."""
        move(row, JobStatus.PAUSED, asked=True)
        row.reason = REASON
        fields = {"status": row.status, "reason": REASON}
        data = {"reason": REASON, "next": hook["job_path"]}
        changes: list[Change] = [
            UpdateJob(row.job_id, fields, asked=True),
            AddEvent(row.job_id, None, "job.paused", data, time.time()),
        ]
        self._desk.turns.pipe(self._desk.write(changes), raise_error)

    def _run_hook(self, row: JobRow) -> None:
        if LOG_DUE in row.options:
            self._log_chain(row)
            return
        place = self._next_hook(row)
        if place is None:
            self._away(row.job_id)
            return
        try:
            self._begin(row, place)
        except Exception as error:  # noqa: BLE001 - one hook is not worth the end of an actor
            self._not_begun(row.job_id, error)

    def _not_begun(self, job_id: str, error: BaseException | None) -> None:
        """A hook could not be begun: by its own fault it has failed."""
        if passing(error):
            self._hook_again(job_id, f"its hook cannot be started: {error}")
            return
        if not isinstance(error, (OSError, ValueError)):
            log.error("hook_not_begun", job_id=job_id, error=repr(error), exc_info=error)
        self._hook_ended(job_id, False, f"cannot be started: {error}")

    def _begin(self, row: JobRow, place: Place) -> None:
        meta = JobMeta.of(row, new_work=True)
        hook = place.hook
        names = {
            "workspace": row.workspace,
            "job_id": row.job_id,
            "sheet_count": row.sheet_count,
            "status": str(row.status),
        }
        if hook["type"] != "run_job":
            self._run_command(row, hook, names)
            return
        depth, concert = (meta.chain_depth or 0) + 1, meta.concert_config
        limit = concert["max_chain_depth"] if concert else MAX_CHAIN_DEPTH
        if concert is not None and not concert["enabled"]:
            self._hook_ended(row.job_id, False, "concert.enabled is false: no job was started")
        elif depth > limit:
            self._hook_ended(row.job_id, False, f"the chain has {limit} jobs: max_chain_depth")
        elif hook["pause_before_chain"] and row.options.get("chain_agreed") != place.index:
            self._hold_chain(row, hook)
        else:
            pause = concert["cooldown_between_jobs_seconds"] if concert else 0.0
            self._desk.turns.after(pause, self.chain, row.job_id, place, names, depth)

    def chain(self, job_id: str, place: Place, names: dict[str, Any], depth: int) -> None:
        """Submits the job that follows."""
        row = self._desk.reader.job(job_id)
        if row is None or job_id not in self._live:
            return
        reader = self._desk.reader
        environment = codec.unpack(reader.environment(job_id))
        plan = partial(queries.plan_of, reader, job_id)
        try:
            request, said = next_job(row, place.hook, names, depth, environment, plan)
        except (ValueError, Refused) as error:
            self._not_begun(job_id, error)
            return
        submitted = self._submit(request, place.request_id(row))
        self._desk.turns.pipe(submitted, self.chained, job_id, said)

    def chained(self, outcome: Outcome[Submitted], job_id: str, said: str = "") -> None:
        """The job that follows was taken in, of which this is said besides, or refused."""
        error = outcome.error
        if error is None:
            started = outcome.value
            self._hook_ended(
                job_id, True, f"started {started['job_id'] if started else None}{said}"
            )
        elif passing(error):
            self._hook_again(job_id, getattr(error, "message", None) or repr(error))
        else:
            self._hook_ended(job_id, False, getattr(error, "message", None) or repr(error))

    def _hook_again(self, job_id: str, why: str) -> None:
        """It could not be begun just now, or was lost, which is no failure of it: a later try, in
        a stop the next conductor's."""
        seconds = self._context.start_delays.note(job_id, why)
        self._live.hooks_run.discard(job_id)
        if self._context.stop.mode is None:
            self._desk.turns.after(seconds, self.hook_again, job_id)
        elif job_id in self._live:
            self._away(job_id)

    def hook_again(self, job_id: str) -> None:
        """The next try of the hook that is to run."""
        live = self._live.get(job_id)
        if live is not None and not live.admitted and self._context.stop.mode is None:
            self._run_hook(live.row)

    def _run_command(self, row: JobRow, hook: dict[str, Any], names: dict[str, Any]) -> None:
        base = Path(row.config_path).parent if row.config_path else Path(row.workspace)
        folder = fill(hook["working_directory"] or "", names)
        cwd = os.path.normpath(Path(row.workspace) / folder)
        if hook["type"] == "run_command":
            argv = ["bash", "-c", fill_command(hook["command"], names)]
        else:
            argv = shlex.split(fill(hook["command"], names))
            if not argv:
                raise ValueError("its command is empty")
            local = base / argv[0]
            if local.exists():
                argv[0] = str(local)
        command = SideCommand(
            row.job_id,
            "hook",
            argv,
            cwd,
            timeout=hook["timeout_seconds"],
            extra={"MARIANNE_WORKSPACE": row.workspace},
            alone=True,
        )
        self._live.hooks_run.add(row.job_id)
        ended = self._context.executor.command(command)
        self._desk.turns.pipe(ended, self.command_ended, row.job_id)

    def command_ended(self, outcome: Outcome[CommandEnd], job_id: str) -> None:
        """A hook's command ended, or could not be begun."""
        end, error = outcome.value, outcome.error
        if isinstance(error, ActorDied) and (not error.serving or self._lost_again(job_id)):
            self._hook_again(job_id, f"its hook was lost: {error}")
        elif end is None:
            self._not_begun(job_id, error)
        elif end.lost and (end.by_us or self._lost_again(job_id)):
            self._hook_again(job_id, end.words)
        else:
            self._hook_ended(job_id, end.ok, end.words, end.said)

    def _lost_again(self, job_id: str) -> bool:
        """Whether a hook that was lost is to run once more: in a stop it is, without end."""
        self._losses[job_id] += 1
        return self._losses[job_id] < LOSSES or self._context.stop.mode is not None

    def _hook_ended(self, job_id: str, ok: bool, words: str, said: str = "") -> None:
        """Notes what became of a hook, in one transaction with what follows from it."""
        self._context.start_delays.over(job_id)
        self._losses.pop(job_id, None)
        row = self._desk.reader.job(job_id)
        place = self._next_hook(row) if row is not None and job_id in self._live else None
        if row is None or place is None:
            return
        hook, now = place.hook, time.time()
        concert = JobMeta.of(row).concert_config or {}
        aborts = place.list == SUCCESS and bool(concert.get("abort_concert_on_hook_failure"))
        stops = not ok and (hook["on_failure"] == "abort" or aborts)
        row.options = options_after(row, place, ok, words, stops=stops)
        told = {
            "on": place.list,
            "hook": place.index + 1,
            "type": hook["type"],
            "ok": ok,
            "detail": words,
            "said": said,
        }
        if concert.get("concert_log_path"):
            row.options[LOG_DUE] = {"ts": timestamp(now), **told}
        fields: dict[str, Any] = {"options": row.options}
        changes: list[Change] = [AddEvent(job_id, None, "job.hook", told, now)]
        if not ok:
            log.warning("hook_failed", job_id=job_id, hook=place.name, words=words)
            before = f"{row.error}; " if row.error and row.status is not JobStatus.COMPLETED else ""
            row.error = f"{before}{place.name} failed: {words}"
            fields["error"] = row.error
        if stops and row.status is JobStatus.COMPLETED:
            move(row, JobStatus.FAILED, asked=True)
            fields["status"] = row.status
            changes.append(AddEvent(job_id, None, "job.failed", {"error": row.error}, now))
        changes.append(UpdateJob(job_id, fields, asked=True))
        self._desk.turns.pipe(self._desk.write(changes), self.hook_noted, job_id)

    def hook_noted(self, outcome: Outcome[Any], job_id: str) -> None:
        """It is on disk. What comes next, a line of the log or a hook, is in a stop left."""
        raise_error(outcome)
        self._live.hooks_run.discard(job_id)
        row = self._desk.reader.job(job_id)
        if row is not None and job_id in self._live:
            self._live[job_id].row = row
            self._run_hook(row) if self._context.stop.mode is None else self._away(job_id)

    def _log_chain(self, row: JobRow) -> None:
        """Has a line added to the concert's log."""
        meta = JobMeta.of(row)
        path = (meta.concert_config or {}).get("concert_log_path") or os.devnull
        path = fill(path, {"workspace": row.workspace, "job_id": row.job_id})
        depth, told = meta.chain_depth or 0, row.options[LOG_DUE]
        line = {"ts": told["ts"], "job_id": row.job_id, "chain_depth": depth, **told}
        stdin = json.dumps(line).encode() + b"\n"
        argv = ["bash", "-c", APPEND, LOG, path]
        command = SideCommand(
            row.job_id, LOG, argv, row.workspace, timeout=LOG_SECONDS, stdin=stdin
        )
        written = self._context.executor.command(command)
        self._desk.turns.pipe(written, self.chain_logged, row.job_id)

    def chain_logged(self, outcome: Outcome[CommandEnd], job_id: str) -> None:
        """The line is in the log, or cannot be: that keeps no hook."""
        end = outcome.value
        words = repr(outcome.error) if end is None else end.words
        lost = isinstance(outcome.error, ActorDied) or (end is not None and end.lost)
        if lost and self._lost_again(job_id):
            self._hook_again(job_id, f"the line of its log was lost: {words}")
            return
        if end is None or not end.ok:
            log.warning("concert_log_not_written", job_id=job_id, words=words)
        self._context.start_delays.over(job_id)
        self._losses.pop(job_id, None)
        row = self._desk.reader.job(job_id)
        if row is not None and job_id in self._live:
            row.options.pop(LOG_DUE, None)
            changes = [UpdateJob(job_id, {"options": row.options}, asked=True)]
            self._desk.turns.pipe(self._desk.write(changes), self.hook_noted, job_id)
