"""Why a sheet does not run now, as data and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marianne.schedule.lines import Job, Pool
from marianne.schedule.slots import Slots


@dataclass(frozen=True, slots=True)
class Explanation:
    """``code`` is for programs, ``text`` for people, ``data`` holds the figures in the text.

    Codes: unknown_job, unknown_sheet, running, ahead, needs, waiting, ended, rate_limited,
    call_limit, total_limit, pool_limit, job_limit, fair_share, next.
    """

    code: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


def explain(
    job: Job | None,
    num: int,
    *,
    slots: Slots,
    calls: tuple[int | None, float | None] = (None, None),
) -> Explanation:
    """The first reason that applies, strongest first. ``slots`` are those of the sheet's kind,
    ``calls`` the limit of calls in a minute and when the next one may be made, None if now."""
    if job is None or not (job.registered or num in job.holding or num in job.ahead):
        return Explanation("unknown_job", "the job is not being scheduled")
    if num in job.holding:
        return Explanation("running", "it holds a slot")
    if num in job.ahead:
        return Explanation("ahead", "it is next in its job's worker")
    if num in job.queued:
        return _explain_queued(job, num, slots, calls)
    if num not in job.info:
        return Explanation("unknown_sheet", "the sheet is finished, or the job has none such")
    if job.needs.get(num):
        needs = sorted(job.needs[num])
        return Explanation("needs", f"it waits for {_sheets(needs)}", {"needs": needs})
    if num in job.waiting:
        return Explanation("waiting", "it waits for a retry delay or a rate limit to pass")
    return Explanation("ended", "its last attempt has just ended")


def _explain_queued(
    job: Job, num: int, slots: Slots, calls: tuple[int | None, float | None]
) -> Explanation:
    pool = job.lines[job.queued[num].info.pool].pool
    running = len(job.holding)
    if pool.blocked_until is not None:
        limits = pool.blocks + job.queued[num].rate_limit_skip_count
        text = f"{pool.name} is rate limited"
        if limits > 1:
            text += f", {limits} times since the sheet is ready"
        data = {"pool": pool.name, "until": pool.blocked_until, "limits": limits}
        return Explanation("rate_limited", text, data)
    if pool.agent and calls[1] is not None:
        text = f"{calls[0]} sheets of agents began within the last minute, as many as may"
        return Explanation("call_limit", text, {"limit": calls[0], "until": calls[1]})
    cost = pool.cost(job.queued[num].info)
    if slots.full or not slots.fits(cost):
        return _no_slot(pool, slots, cost)
    if pool.full:
        text = f"{pool.running} of {pool.limit} sheets of {pool.name} run already"
        return Explanation("pool_limit", text, {"pool": pool.name, "limit": pool.limit})
    if job.max_concurrent is not None and running >= job.max_concurrent:
        text = f"its job runs {running} of at most {job.max_concurrent} sheets"
        return Explanation("job_limit", text, {"limit": job.max_concurrent})
    held = slots.held.get(job.job_id, 0.0)
    if held >= slots.hard_cap:
        text = f"its job has {held:g} slots, twice its fair share"
        return Explanation("fair_share", text, {"limit": slots.hard_cap})
    return Explanation("next", "it is among the next to be granted")


def _sheets(nums: list[int]) -> str:
    some = ", ".join(map(str, nums[:5])) + (f" and {len(nums) - 5} more" if len(nums) > 5 else "")
    return f"sheet {some}" if len(nums) == 1 else f"sheets {some}"


def _no_slot(pool: Pool, slots: Slots, cost: float) -> Explanation:
    data = {"limit": slots.limit}
    if cost == 1.0:
        kind = " for agents" if pool.agent else ""
        return Explanation("total_limit", f"all {slots.limit:g} slots{kind} are taken", data)
    free = max(0.0, slots.limit - slots.taken)
    text = f"it takes {cost:g} cpus, and {free:g} of {slots.limit:g} are free"
    return Explanation("total_limit", text, {**data, "cpus": cost})
