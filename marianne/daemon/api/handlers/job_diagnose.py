"""``job.diagnose``: why a job is not done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marianne.daemon.api.request_context import Call
from marianne.daemon.api.shown import Shown
from marianne.daemon.views import reports

if TYPE_CHECKING:
    from marianne.replies.reports import Diagnosis

MUTATING = False


class Params(Shown):
    """The job; ``newest`` as in ``job.status``."""


def handle(call: Call, params: Params) -> Diagnosis:
    """The report of docs/protocol.md."""
    job_id, context = params.resolve(call), call.context
    return reports.diagnosis(call.reader, context.home.job_dir(job_id), job_id, context.learned)
