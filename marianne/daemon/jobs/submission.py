"""From a request and a readable score to a new job: its id, its row, its first changes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from marianne.daemon.jobs.roster import Roster
from marianne.daemon.shared import next_steps
from marianne.daemon.shared.fired import Fired
from marianne.daemon.shared.parsed import Parsed, ParseRequest
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views.wire import timestamp
from marianne.environment import search_path
from marianne.home import Home
from marianne.schedule.waits import NOTHING, Waits
from marianne.state import ids
from marianne.state.changes import AddEvent, Change, FireSlot, InsertJob
from marianne.state.models import JobRow, JobStatus
from marianne.state.reader import Reader

if TYPE_CHECKING:
    from marianne.daemon.types import JobRequest
    from marianne.replies.changes import Submitted


NAMED_NEIGHBOURS = 5
"""Jobs in the same workspace that a warning names at most."""


def parse_request(request: JobRequest, home: Home) -> ParseRequest:
    """What the parser has to read; relative paths are the client's."""
    cwd = os.fspath(request.client_cwd or os.getcwd())
    path = os.path.join(cwd, request.config_path) if request.config_path else None
    workspace = os.path.join(cwd, request.workspace) if request.workspace else None
    return ParseRequest(
        path=os.path.normpath(path) if path else None,
        text=request.score,
        base_dir=os.path.dirname(path) if path else cwd,
        workspace=os.path.normpath(workspace) if workspace else None,
        variables=dict(request.variables),
        instruments=str(home.instruments),
        search_path=search_path(request.environment),
        preview=request.dry_run,
        first=request.start_sheet or 1,
        only=tuple(request.only),
        start=request.from_sheet,
        until=request.until_sheet,
        executor=request.executor,
    )


def config_path(request: JobRequest) -> str | None:
    """The absolute path of the score's file, or None for one that came as text alone."""
    if request.config_path is None:
        return None
    return os.path.normpath(os.path.join(request.client_cwd or os.getcwd(), request.config_path))


def choose_id(
    request: JobRequest,
    parsed: Parsed,
    live: Roster,
    reader: Reader,
    naming: Collection[str],
    fired: Fired | None = None,
    after: Collection[str] = (),
) -> str:
    """The new job's id: the one asked for, else from the score's name, never used before.

    Refuses with ``conflict`` when the id asked for is or was in use, and, unless one was asked for
    or a schedule asks (which looks at its own jobs alone), as :func:`check_beside` does. Those that
    it begins ``after`` are no more when it does.
    """
    if request.id is not None:
        check_id(request.id)
        if request.id in naming or reader.taken(request.id):
            raise Refused(
                "conflict",
                f"the job id {request.id!r} is taken; ids are never used again",
                hint="choose another one, or leave --id away",
            )
        return request.id
    if fired is None:
        check_beside(request, parsed, live, reader, after)
    return ids.next_free(
        ids.from_name(parsed.name), lambda name: name in naming or reader.taken(name)
    )


def check_beside(
    request: JobRequest,
    parsed: Parsed,
    live: Roster,
    reader: Reader,
    after: Collection[str] = (),
) -> None:
    """Refuses with ``conflict`` a second job of a score's file beside one that is not over, where
    the two would do the same work in the same directory, or the score is ``single``."""
    path = config_path(request)
    if path is None:
        return
    if parsed.single:
        beside = live.of_file(path)
        what = f"{path} says 'single: true' and has a job that is not over"
    else:
        beside = live.at_same_work(path, parsed.workspace, request.variables)
        what = f"{path} has a job that does the same in {parsed.workspace} and is not over"
    for known in beside:
        # Of an admitted job the row on disk is the true one; one that has none is on its way.
        row = reader.job(known.job_id) or known
        if row.status.terminal or row.job_id in after:
            continue
        place = "" if parsed.single else ", or with another `--workspace`"
        raise Refused(
            "conflict",
            f"{what}: {row.job_id} is {row.status}",
            hint=f"{next_steps.until_over(row.job_id, row.status)}, run it `--after {row.job_id}`,"
            f" or beside it with `--id NEW`{place}",
            data={"job_id": row.job_id, "status": str(row.status)},
        )


def placed(parsed: Parsed, job_id: str) -> Parsed:
    """The score with its workspace called after the job, where it wants that."""
    if not parsed.named:
        return parsed
    from marianne.score.pack import pack_plan, unpack_plan

    workspace = parsed.workspace.replace("{job_id}", job_id)
    plan = replace(unpack_plan(parsed.plan), workspace=workspace)
    return replace(parsed, workspace=workspace, plan=pack_plan(plan))


def check_id(job_id: str) -> None:
    """Refuses an id that no job can have."""
    if not ids.is_legal(job_id):
        raise Refused(
            "invalid_params",
            f"{job_id!r} cannot be a job id",
            hint="use letters, digits, _ and -, at most 63, the first a letter or digit",
        )


def as_asked(request: JobRequest, parsed: Parsed) -> Parsed:
    """The score without what the request leaves out; warnings name that, and what of the request
    has no effect."""
    said = [
        f"{name}: accepted, no effect (a failed sheet is retried as the score's 'retry' says)"
        for name in ("self_healing", "self_healing_auto_confirm")
        if getattr(request, name)
    ]
    after = parsed.after
    if not request.hooks and after:
        said += [
            f"{name}: only a conductor does this, not --local"
            for name in ("on_success", "on_failure", "on_exit", "notifications")
            if name in after
        ]
        after = {}
    return replace(parsed, after=after, warnings=[*parsed.warnings, *said]) if said else parsed


def check_sheets(request: JobRequest, parsed: Parsed) -> None:
    """Refuses a first sheet that the score does not have."""
    first = request.start_sheet
    if first is not None and first > parsed.sheet_count:
        raise Refused(
            "invalid_params",
            f"there is no sheet {first} to start with: the score has {parsed.sheet_count}",
        )


def check_executors(request: JobRequest, parsed: Parsed) -> None:
    """Refuses a fresh run that moves what is in its workspace away, of a job on two executors: the
    first sheet of each would, and the second one what the first has made."""
    if request.fresh and parsed.archives and len(parsed.executors) > 1:
        raise Refused(
            "invalid_params",
            "a fresh run moves away what is in the workspace, and the score has sheets on"
            f" {' and on '.join(parsed.executors)}",
            hint="have all its sheets on one executor, or run it without --fresh",
        )


def check_workspace(
    request: JobRequest, parsed: Parsed, live: Roster, after: Collection[str] = ()
) -> list[str]:
    """Warnings of jobs that are not over and work in the same directory; of many, a few. Those that
    it begins ``after`` do not any more when it does.

    Refuses with ``conflict`` where one of the two moves what it finds there away.
    """
    mine = parsed.workspace
    archives = request.fresh and parsed.archives
    for job in [one.row for one in live.values()] if archives else live.archiving():
        other = job.workspace
        if job.job_id in after:
            continue
        if os.path.commonpath([mine, other]) in (mine, other):
            raise Refused(
                "conflict",
                f"the job {job.job_id} works in {other}, and a fresh run moves what is there away",
                hint=f"{next_steps.until_over(job.job_id, job.status)},"
                " or choose another --workspace",
                data={"job_id": job.job_id},
            )
    beside = (job for job in live.working_in(mine) if job.job_id not in after)
    return [
        f"the job {job.job_id} works in the same directory: {mine}"
        for job in itertools.islice(beside, 0 if request.shared else NAMED_NEIGHBOURS)
    ]


def new_row(
    job_id: str, request: JobRequest, parsed: Parsed, now: float, waits: Waits = NOTHING
) -> JobRow:
    """The row of a job that was just accepted."""
    return JobRow(
        job_id=job_id,
        name=parsed.name,
        status=JobStatus.QUEUED,
        workspace=parsed.workspace,
        submitted_at=now,
        sheet_count=parsed.sheet_count,
        config_path=config_path(request),
        priority=request.priority,
        config_hash=parsed.config_hash,
        reason=waits.reason,
        options={
            **waits.into({}),
            "variables": dict(request.variables),
            "start_sheet": request.start_sheet,
            "fresh": request.fresh,
            "archives": request.fresh and parsed.archives,
            "after": parsed.after,
            "executors": parsed.executors,
            **({"executor": request.executor} if request.executor is not None else {}),
            "chain_depth": request.chain_depth,
            **({} if request.hooks else {"hooks": False}),
            **({"left_out": parsed.left_out} if parsed.left_out else {}),
            **({"group": request.group} if request.group is not None else {}),
            **({"max_concurrent": request.max_concurrent} if request.max_concurrent else {}),
        },
    )


def changes(row: JobRow, parsed: Parsed, environment: bytes, now: float) -> list[Change]:
    """The new job and the event that says so."""
    return [
        InsertJob(row, parsed.plan, parsed.score, environment),
        AddEvent(
            row.job_id,
            None,
            "job.submitted",
            {"name": row.name, "sheets": row.sheet_count, "config_path": row.config_path},
            now,
        ),
    ]


def fired_changes(fired: Fired, job_id: str, now: float) -> list[Change]:
    """What belongs into the transaction that makes the job of a schedule: so a slot that has fired
    has its job, and no slot has two."""
    told = {"schedule": fired.schedule, "slot": timestamp(fired.slot), "job_id": job_id}
    return [
        FireSlot(fired.schedule, fired.slot, job_id),
        AddEvent(None, None, "schedule.fired", told, now),
    ]


def response(row: JobRow, warnings: list[str], waits: str | None = None) -> Submitted:
    """The JobResponse of a job that was taken in; ``waits`` says in words why it does not begin."""
    message = f"{_sheets(row.sheet_count)} in {row.workspace}"
    return {
        "job_id": row.job_id,
        "status": "pending" if row.status is JobStatus.PENDING else "accepted",
        "message": f"{message}; {waits}" if waits else message,
        "warnings": warnings,
    }


def dry_run_response(parsed: Parsed) -> Submitted:
    """The JobResponse of a dry run: what would run, nothing kept."""
    answer: Submitted = {
        "job_id": "",
        "status": "accepted",
        "message": f"dry run: {_sheets(parsed.sheet_count)} would run in {parsed.workspace}",
        "warnings": parsed.warnings,
    }
    if parsed.preview is not None:
        answer["plan"] = parsed.preview
    return answer


def _sheets(count: int) -> str:
    return f"{count} sheet{'' if count == 1 else 's'}"
