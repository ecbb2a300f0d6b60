"""A completed job and what follows it: its hooks end, its next job is taken, as a test says."""

from __future__ import annotations

from typing import Any

from manager_parts import Stage

from actors import Future
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.hooks import Hooks
from marianne.executors.beside import CommandEnd
from marianne.model.result import AttemptResult
from marianne.score.models import Concert, Hook
from marianne.state.changes import AddAttempt, AddEvent
from marianne.state.models import JobStatus

FIRST = {"type": "run_command", "command": "echo one"}
SECOND = {"type": "run_command", "command": "echo two"}
NEXT = {"type": "run_job", "job_path": "next.yaml"}


class Followed(Hooks):
    """Whose jobs are taken in when the test says so."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.submitted: list[tuple[Any, str]] = []
        self.future: Future[Any]
        commands = Commands(stage.desk, stage.admit)
        super().__init__(stage.desk, commands, self._take, self._gone)

    def _take(self, request: Any, request_id: str) -> Future[Any]:
        self.submitted.append((request, request_id))
        self.future = Future(self.stage.system, "manager", None, None)
        return self.future

    def _gone(self, job_id: str) -> None:
        self.stage.live.pop(job_id, None)
        self.stage.is_over(job_id)

    def taken(self, job_id: str) -> None:
        self.future.answer({"job_id": job_id})
        self.stage.turns.run()

    def refused(self, error: Exception) -> None:
        self.future.refuse(error)
        self.stage.turns.run()


def completes(
    stage: Stage,
    parts: Hooks,
    *hooks: dict[str, Any],
    concert: dict[str, Any] | None = None,
    work: bool = True,
    **fields: Any,
) -> None:
    """Job ``a`` with these hooks is completed, and its actors are gone."""
    after: dict[str, Any] = {"on_success": [Hook(**hook).model_dump() for hook in hooks]}
    if concert is not None:
        after["concert"] = Concert(**{"cooldown_between_jobs_seconds": 0, **concert}).model_dump()
    options = {"after": after, **fields.pop("options", {})}
    stage.insert("a", JobStatus.COMPLETED, options=options, **fields)
    if work:
        stage.write(AddAttempt("a", AttemptResult(1, 1, "completed", 1.0, 2.0, exit_code=0)))
    stage.found("a")
    parts.over("a")
    stage.turns.run()


def running(stage: Stage) -> list[str]:
    """The last words of the commands that run."""
    return [command.argv[-1] for command, _ in stage.executor.running]


def ends(stage: Stage, *, exit_code: int = 0, said: str = "") -> None:
    """The command that runs ends."""
    _end(stage, CommandEnd(exit_code == 0, f"exit code {exit_code}", said))


def is_lost(stage: Stage, *, by_us: bool = False) -> None:
    """The command that runs is ended, by no doing of its own."""
    words = "its process was lost: it was killed by SIGKILL"
    _end(stage, CommandEnd(False, words, lost=True, by_us=by_us))


def _end(stage: Stage, end: CommandEnd) -> None:
    ((_, future),) = stage.executor.running
    stage.executor.running.clear()
    future.answer(end)
    stage.turns.run()


def hooks_told(stage: Stage) -> list[tuple[int, bool, str]]:
    return [
        (change.data["hook"], change.data["ok"], change.data["detail"])
        for batch in stage.disk.batches
        for change in batch
        if isinstance(change, AddEvent) and change.event == "job.hook"
    ]
