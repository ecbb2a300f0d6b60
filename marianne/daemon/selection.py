"""Several jobs meant by one request, and one answer made of theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import BaseModel

from actors import Future
from marianne.daemon import queries
from marianne.daemon.call import Call, error_of
from marianne.daemon.refusal import Refused
from marianne.state.models import JobStatus


class Selection(BaseModel):
    """Jobs by id or unique prefix, by status, or all that are not over."""

    ids: list[str] = []
    all: bool = False
    statuses: list[JobStatus] = []

    def resolve(self, call: Call) -> list[str]:
        """The ids that are meant, without repeats. Refuses when nothing was named."""
        chosen = [call.resolve(job) for job in self.ids]
        statuses = list(self.statuses)
        if self.all:
            statuses += [status for status in JobStatus if not status.terminal]
        if statuses:
            chosen += [view.row.job_id for view in queries.every_job(call.reader, statuses)]
        elif not self.ids:
            raise Refused("invalid_params", "no job was named", hint="give ids, statuses or all")
        return list(dict.fromkeys(chosen))


def each(
    call: Call, selection: Selection, ask: Callable[[str], Future[Any]]
) -> Future[dict[str, Any]]:
    """Asks for every job at once; answers ``{"jobs": [...]}`` when the last one is decided.

    Each entry is what the job answered plus ``ok`` and ``error`` (None, or code, message, hint).
    """
    ids = selection.resolve(call)
    gathered: Future[dict[str, Any]] = Future(call.context.system, "selection", None, None)
    answers: dict[str, dict[str, Any]] = {}
    lock = threading.Lock()

    def finished(job_id: str, future: Future[Any]) -> None:
        outcome = future.outcome()
        if outcome.error is None:
            entry = {"job_id": job_id, **(outcome.value or {}), "ok": True, "error": None}
        else:
            refusal = error_of(outcome.error, call)
            told = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
            entry = {"job_id": job_id, "ok": False, "error": told}
        with lock:
            answers[job_id] = entry
            complete = len(answers) == len(ids)
        if complete:
            gathered.answer({"jobs": [answers[job] for job in ids]})

    if not ids:
        gathered.answer({"jobs": []})
    for job_id in ids:
        ask(job_id).on_done(partial(finished, job_id))
    return gathered
