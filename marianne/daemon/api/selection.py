"""Several jobs meant by one request, and one answer made of theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from actors import Future
from ipc import codec
from ipc.errors import RETRYABLE
from marianne.daemon.api.request_context import Call, error_of
from marianne.daemon.services.store import Store
from marianne.daemon.shared import edge
from marianne.daemon.shared.idempotency import reply_row
from marianne.daemon.shared.refusal import Refused
from marianne.daemon.views import queries
from marianne.state.models import JobStatus

if TYPE_CHECKING:
    from marianne.replies.changes import Refusal, Several


class Selection(edge.Params):
    """Jobs by id or unique prefix, by status, or all that are not over."""

    ids: edge.Names = []
    all: bool = False
    statuses: Annotated[list[JobStatus], Field(max_length=100)] = []

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
    call: Call, selection: Selection, ask: Callable[[str, str], Future[Any]]
) -> Future[Several[Any]]:
    """Asks ``ask(job_id, request_id)`` for every job at once; answers ``{"jobs": [...]}`` when the
    last one is decided.

    Each entry is what the job answered plus ``ok`` and ``error`` (None, or code, message, hint).
    Each job's part is a request of its own, with an id made of this one's and the job's: a resend
    acts only where the first did not. Which jobs are meant is on disk before the first is asked,
    unless every one was named in full: a resend means the same ones.
    """
    gathered: Future[Several[Any]] = Future(call.context.system, "selection", None, None)
    key = call.request_id.part("")
    kept = call.reader.reply(key)
    ids = codec.unpack(kept) if kept is not None else selection.resolve(call)
    if kept is not None or ids == selection.ids:
        _ask_each(call, ids, ask, gathered)
        return gathered
    call.context.storage.check()
    remember = [reply_row(key, ids)]
    store = call.context.store.within(call.deadline)

    def settled(future: Future[Any]) -> None:
        error = future.outcome().error
        if error is None:
            _ask_each(call, ids, ask, gathered)
        else:
            gathered.refuse(error)

    store.call(Store.write, remember, kept=False).on_done(settled)
    return gathered


def _ask_each(
    call: Call,
    ids: list[str],
    ask: Callable[[str, str], Future[Any]],
    gathered: Future[Several[Any]],
) -> None:
    answers: dict[str, dict[str, Any]] = {}
    lock = threading.Lock()

    def finished(job_id: str, future: Future[Any]) -> None:
        outcome = future.outcome()
        if outcome.error is None:
            entry = {"job_id": job_id, **(outcome.value or {}), "ok": True, "error": None}
        else:
            refusal = error_of(outcome.error, call)
            told: Refusal = {"code": refusal.code, "message": refusal.message, "hint": refusal.hint}
            entry = {"job_id": job_id, "ok": False, "error": told}
        with lock:
            answers[job_id] = entry
            complete = len(answers) == len(ids)
        if complete:
            _conclude(gathered, [answers[job] for job in ids])

    if not ids:
        gathered.answer({"jobs": []})
    for job_id in ids:
        ask(job_id, call.request_id.part(job_id)).on_done(partial(finished, job_id))


def _conclude(gathered: Future[Several[Any]], entries: list[Any]) -> None:
    passing = [e["error"] for e in entries if not e["ok"] and e["error"]["code"] in RETRYABLE]
    if passing:
        # Asked again under its id, the request finds what is done and asks for the rest.
        error = passing[0]
        gathered.refuse(Refused(error["code"], error["message"], hint=error["hint"]))
    else:
        gathered.answer({"jobs": entries})
