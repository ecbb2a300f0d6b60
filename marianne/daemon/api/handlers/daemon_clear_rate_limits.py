"""``daemon.clear_rate_limits``: let what waits for a rate limit go on at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors import Future
from marianne.daemon.api.request_context import Call
from marianne.daemon.services.rates import RatesActor
from marianne.daemon.shared import edge

if TYPE_CHECKING:
    from marianne.replies.conductor import ClearedLimits

MUTATING = True


class Params(edge.Params):
    """``instrument`` is a profile (all its models) or ``profile/model``; None means all."""

    instrument: edge.Name | None = None


def handle(call: Call, params: Params) -> Future[ClearedLimits]:
    """``cleared`` (a number), ``instrument`` and ``keys``."""
    rates = call.context.rates.within(call.deadline)
    return rates.call(RatesActor.clear_limits, params.instrument, call.request_id)
