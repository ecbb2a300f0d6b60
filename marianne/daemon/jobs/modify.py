"""Going on with another score: modify, and resume with a new or changed file.

A job without actors gets its new plan at once. One that runs is paused first; the new plan waits
beside it in the database (``meta``), committed with the pause, until the running sheets have
ended. What a restart finds: a plan that waits; it is put in force when the pause is.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors import Future, Outcome
from ipc import codec
from marianne.daemon.job.actor import Job
from marianne.daemon.job.aftermath import CUT_SHORT
from marianne.daemon.job.asked_for import leaving_out
from marianne.daemon.job.endings import MODIFY, PENDING
from marianne.daemon.job.growing import used
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.desk import Desk, check_sure
from marianne.daemon.jobs.following import ANEW, anew_after_success
from marianne.daemon.jobs.pending_plan import goes_on, message, pack, stays
from marianne.daemon.jobs.plan_diff import (
    changes_of,
    check_cluster,
    check_kept,
    replan,
    still_left_out,
    text_diff,
)
from marianne.daemon.jobs.roster import Live
from marianne.daemon.services.parser import Parser
from marianne.daemon.shared.idempotency import Answer
from marianne.daemon.shared.log import get_logger
from marianne.daemon.shared.parsed import Parsed, ParseRequest
from marianne.daemon.shared.refusal import Refused, not_found
from marianne.daemon.shared.turns import raise_error
from marianne.daemon.shared.unforeseen import refusal_of
from marianne.daemon.views import queries
from marianne.environment import search_path
from marianne.model.placement import executors_of
from marianne.schedule.waits import Waits
from marianne.score.growth import as_before
from marianne.score.pack import PlanFormatError, pack_plan, unpack_plan
from marianne.state.changes import (
    AddEvent,
    Change,
    DropSheets,
    ReplacePlan,
    SaveSheet,
    SetMeta,
    UpdateJob,
)
from marianne.state.models import HELD, JobRow, JobStatus
from marianne.state.transitions import move

if TYPE_CHECKING:
    from marianne.replies.changes import Changed, Modified

log = get_logger(__name__)

_PAUSES = (JobStatus.PAUSED, JobStatus.PAUSING)

MAX_SCORE_BYTES = 8 << 20


class Modify:
    """``admit`` looks whom a change lets in, ``over`` is told of a job that is over by it,
    ``resume`` lets a job go on with the plan that it has."""

    def __init__(
        self,
        desk: Desk,
        commands: Commands,
        admit: Callable[[], None],
        over: Callable[[str], None],
        resume: Callable[[Answer[Changed], str], None],
    ) -> None:
        self._desk = desk
        self._live = desk.live
        self._commands = commands
        self._admit = admit
        self._over = over
        self._go_on = resume

    def take_up(self) -> None:
        """Takes up what an earlier incarnation of the manager did not put in force."""
        for name, pending in self._desk.reader.metas(PENDING):
            job_id = name.removeprefix(PENDING)
            live = self._live.get(job_id)
            row = live.row if live is not None else self._desk.reader.job(job_id)
            if row is None or (live is not None and live.admitted) or self._goes_with(row):
                continue
            self._live[job_id] = live or Live(row)
            self._put_in_force(job_id, pending)

    def takes(self, live: Live) -> bool:
        """Whether a job that has given back its place stopped only to go on with another plan."""
        job_id = live.row.job_id
        pending = self._desk.reader.meta(PENDING + job_id)
        if pending is None or self._goes_with(live.row):
            return False
        self._put_in_force(job_id, pending)
        return True

    def _goes_with(self, row: JobRow) -> bool:
        """Whether the plan goes with its job: nothing brings back what a person has cancelled."""
        if row.status is not JobStatus.CANCELLED:
            return False
        self._desk.write([SetMeta(PENDING + row.job_id, None)])
        return True

    # -- asked from outside ---------------------------------------------------------------------

    def resume(
        self,
        answer: Answer[Changed],
        job_id: str,
        workspace: Path | str | None,
        config_path: Path | str | None,
        no_reload: bool,
    ) -> None:
        live = self._live.get(job_id)
        row = live.row if live is not None else self._desk.reader.job(job_id)
        if row is None:
            raise not_found(job_id)
        if live is not None:
            check_sure(live)
        at_rest = live is None or (not live.admitted and row.status is JobStatus.PAUSED)
        changed = config_path is None and not no_reload and at_rest and self._has_changed(row)
        moved = at_rest and row.workspace != self._desk.known(job_id).workspace
        if config_path is None and workspace is None and not changed and not moved:
            self._go_on(answer, job_id)
        elif live is not None and not live.admitted and row.status is not JobStatus.PAUSED:
            raise Refused("conflict", f"job {job_id} is {row.status}: nothing to resume")
        else:
            path = config_path or row.config_path
            stored = no_reload and config_path is None
            score = self._desk.reader.score(job_id) if stored else None
            self.modify(answer, job_id, path, workspace, score, False, "job.resumed")

    def _has_changed(self, row: JobRow) -> bool:
        if row.config_path is None or row.status is JobStatus.COMPLETED:
            return False
        try:
            found = os.stat(row.config_path)
            if not stat.S_ISREG(found.st_mode) or found.st_size > MAX_SCORE_BYTES:
                return False
            text = Path(row.config_path).read_bytes().decode("utf-8-sig")  # as it was read first
        except (OSError, UnicodeDecodeError):
            return False  # gone or unreadable: what is stored is what there is
        return text != self._desk.reader.score(row.job_id)

    def note(
        self, job_id: str, *, config_path: Path | None = None, workspace: Path | None = None
    ) -> None:
        """Puts another score file or workspace into what is known of a job that has no actors.

        Only in memory: whoever resumes or modifies the job goes by it, and has it written with
        the change.
        """
        live = self._live.get(job_id)
        if live is None:
            return
        if config_path is not None:
            live.row.config_path = str(config_path)
        if workspace is not None:
            live.row.workspace = str(workspace)
            self._live[job_id] = live  # by where it works, too, it is found

    # -- deciding -------------------------------------------------------------------------------

    def modify(
        self,
        answer: Answer[Modified],
        job_id: str,
        config_path: Path | str | None,
        workspace: Path | str | None,
        score: str | None,
        dry_run: bool,
        event: str,
    ) -> None:
        row = self._modifiable(job_id)
        live = self._live.get(job_id)
        known = row if live is None else live.row  # which may say more than the disk
        context = self._desk.context
        environment = codec.unpack(self._desk.reader.environment(job_id))
        if score is None and config_path is None:
            score = self._desk.reader.score(job_id)
        base = config_path or known.config_path
        wanted = ParseRequest(
            path=str(config_path) if config_path else None,
            text=score,
            base_dir=str(Path(base).parent if base else row.workspace),
            workspace=str(workspace or known.workspace),
            variables=dict(row.options.get("variables") or {}),
            instruments=str(context.home.instruments),
            search_path=search_path(environment),
            executor=row.options.get("executor"),
        )
        parsed: Future[Any] = context.parser.within(90.0).call(Parser.load, wanted)
        path = str(config_path) if config_path else known.config_path
        self._desk.turns.pipe(parsed, self.reparsed, job_id, path, dry_run, event, answer)

    def _modifiable(self, job_id: str) -> JobRow:
        """The job as it is on disk; refuses one that is completed or ends just now."""
        row = self._desk.known(job_id)
        if row.status in (JobStatus.COMPLETED, JobStatus.CANCELLING):
            raise Refused(
                "conflict", f"job {job_id} is {row.status}", hint="run the score as a new job"
            )
        if row.status.terminal:
            self._desk.check_over(job_id)  # what follows it may still run
        return row

    def reparsed(
        self,
        outcome: Outcome[Parsed],
        job_id: str,
        config_path: str | None,
        dry_run: bool,
        event: str,
        answer: Answer[Modified],
    ) -> None:
        """The new score was read: compare it, and go on by it now or after a pause."""
        if outcome.error is not None or outcome.value is None:
            answer.fail(outcome.error or LookupError("no plan"))
            return
        try:
            self._go_on_by(outcome.value, job_id, config_path, dry_run, event, answer)
        except Exception as error:  # noqa: BLE001 - see marianne.daemon.shared.unforeseen
            answer.fail(refusal_of(error))

    def _go_on_by(
        self,
        parsed: Parsed,
        job_id: str,
        config_path: str | None,
        dry_run: bool,
        event: str,
        answer: Answer[Modified],
    ) -> None:
        row = self._modifiable(job_id)
        old = queries.plan_of(self._desk.reader, job_id)
        new = as_before(old, unpack_plan(parsed.plan))
        rows = {sheet.num: sheet for sheet in self._desk.reader.sheets(job_id)}
        check_kept(old, new, rows, job_id)
        check_cluster(row.options, new, job_id)
        live = self._live.get(job_id)
        if live is not None:
            check_sure(live)
        runs = live is not None and live.admitted
        asked_to = event == "job.resumed"  # by a person, who may have had it pause
        held = not asked_to and row.status in _PAUSES and row.reason in HELD
        status = JobStatus.PAUSED if held else JobStatus.QUEUED
        changed = changes_of(old, new, rows)
        going = message(changed, goes_on(runs), dry_run)
        staying = message(changed, stays(row, runs), dry_run)
        reply: Modified = {
            "job_id": job_id,
            "status": str(row.status if dry_run else JobStatus.PAUSING if runs else status),
            "message": staying if held else going,
            "changes": changed,
            "diff": text_diff(self._desk.reader.score(job_id), parsed.score),
            "warnings": parsed.warnings,
        }
        if dry_run:
            answer.set(reply)
            return
        pending = pack(parsed, config_path, event)
        if runs:
            job = self._desk.context.job(job_id).within(None)
            meta = SetMeta(PENDING + job_id, pending)
            words = (going, None if asked_to else staying)
            asked = job.call(Job.modify, meta, reply, words, answer.request_id)
            self._desk.turns.pipe(asked, self._commands.answered, answer)
            return
        if live is None:
            live = self._live[job_id] = Live(row)
        live.row = row
        try:
            changes = [*self._in_force(row, pending, status), *answer.remember(reply)]
        except Exception:
            self._desk.back_to_disk(job_id)  # nothing was changed
            raise
        self._live.change(live)
        self._desk.turns.pipe(
            self._desk.ask_to_write(changes), self._commands.was_set, job_id, reply, answer
        )

    # -- putting in force -----------------------------------------------------------------------

    def _put_in_force(self, job_id: str, pending: bytes) -> None:
        """The job has stopped: give it the plan that waits."""
        row = self._live[job_id].row
        held = row.status is JobStatus.PAUSED and row.reason != MODIFY
        try:
            changes = self._in_force(row, pending, JobStatus.PAUSED if held else JobStatus.QUEUED)
        except (Refused, PlanFormatError) as error:
            log.warning("plan_not_replaced", job_id=job_id, error=str(error))
            changes = [SetMeta(PENDING + job_id, None)]
            if row.status is JobStatus.PAUSED:
                row.reason = "person"
                fields = {"reason": row.reason, "error": f"the new score is not in force: {error}"}
                changes.append(UpdateJob(job_id, fields))
        self._live.change(self._live[job_id])
        self._desk.turns.pipe(self._desk.write(changes), self.in_force, job_id)

    def in_force(self, outcome: Outcome[Any], job_id: str) -> None:
        """The new plan is on disk: the job goes on, or is over if nothing of it was left."""
        raise_error(outcome)
        self._live.decided(job_id)
        row = self._desk.reader.job(job_id)
        if row is not None and row.status.terminal:
            self._over(job_id)
        self._admit()

    def _in_force(self, row: JobRow, pending: bytes, status: JobStatus) -> list[Change]:
        """The changes that replace the plan; ``row`` becomes what it then is."""
        job_id, more = row.job_id, codec.unpack(pending)
        old = queries.plan_of(self._desk.reader, job_id)
        new = as_before(old, unpack_plan(more["plan"]))
        plan = pack_plan(new) if new.grown else more["plan"]
        rows = {sheet.num: sheet for sheet in self._desk.reader.sheets(job_id)}
        check_kept(old, new, rows, job_id)
        out = still_left_out(old, new, row.options)
        before = self._desk.reader.last_attempts(job_id, len(old.sheets) + 1)
        made = replan(old, new, rows, before, out)
        forget: list[Change] = [SetMeta(PENDING + job_id, None)]
        if row.status is JobStatus.COMPLETED and made.left == 0:
            return forget
        changes: list[Change] = []
        if made.drop_from is not None:
            changes.append(DropSheets(job_id, made.drop_from))
        changes.append(ReplacePlan(job_id, plan, more["score"], len(new.sheets)))
        changes += [SaveSheet(job_id, sheet, asked=True) for sheet in made.saves]
        path = more["config_path"]
        self.note(job_id, config_path=Path(path) if path else None, workspace=Path(new.workspace))
        ran = 0.0 if row.status.terminal else row.options.get("ran_seconds", 0.0)
        move(row, status, asked=True)
        row.sheet_count, row.crashes = len(new.sheets), 0
        if status is JobStatus.QUEUED:
            row.reason = Waits.read(row.options).reason
        row.finished_at = row.error = None
        row.name, row.config_hash = new.name, more["config_hash"]
        row.options = {
            **row.options,
            **ANEW,
            **leaving_out(out),
            "executors": list(executors_of(new)),
            "after": more["after"] if row.options.get("hooks", True) else {},
            **anew_after_success(row),
            "chain_agreed": None,
            "ran_seconds": ran,
            **used(len(new.sheets), rows.values(), before),
            CUT_SHORT: False,
        }
        names = (
            "options status reason crashes finished_at error name workspace config_hash config_path"
        )
        fields = {name: getattr(row, name) for name in names.split()}
        told = {"changes": changes_of(old, new, rows)[:100], "left": made.left}
        changes.append(UpdateJob(job_id, fields, asked=True))
        changes.append(AddEvent(job_id, None, "job.modified", told, time.time()))
        if more["event"] == "job.resumed" and status is JobStatus.QUEUED:
            changes.append(AddEvent(job_id, None, "job.resumed", {"reason": None}, time.time()))
        return changes + forget
