"""Why a sheet does not run now, as data and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from marianne.records import dataclass
from marianne.schedule.entries import SheetEntry, SheetInfo
from marianne.schedule.lines import Job, Pool
from marianne.schedule.slots import Slots
from marianne.schedule.stocks import NAMES, Stocks


@dataclass(frozen=True, slots=True)
class Explanation:
    """``code`` is for programs, ``text`` for people, ``data`` holds the figures in the text.

    Codes: unknown_job, unknown_sheet, running, ahead, needs, waiting, ended, rate_limited,
    call_limit, resources, total_limit, pool_limit, job_limit, fair_share, next.
    """

    code: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)


def explain(job: Job | None, num: int) -> Explanation:
    """Of a sheet that stands in no line: the first reason that applies, strongest first."""
    if job is None or not (job.registered or num in job.holding or num in job.ahead):
        return Explanation("unknown_job", "the job is not being scheduled")
    if num in job.holding:
        return Explanation("running", "it holds a slot")
    if num in job.ahead:
        return Explanation("ahead", "it is next in its job's worker")
    if num not in job.info:
        return Explanation("unknown_sheet", "the sheet is finished, or the job has none such")
    if job.needs.get(num):
        needs = sorted(job.needs[num])
        return Explanation("needs", f"it waits for {_sheets(needs)}", {"needs": needs})
    if num in job.waiting:
        return Explanation("waiting", "it waits for a retry delay or a rate limit to pass")
    return Explanation("ended", "its last attempt has just ended")


def explain_queued(
    job: Job,
    entry: SheetEntry,
    pool: Pool,
    *,
    slots: Slots,
    stocks: Stocks,
    closed: Sequence[bool],
    calls: tuple[int | None, float | None],
) -> Explanation:
    """Of a sheet in its line: the first reason that applies, strongest first. ``slots`` are those
    of its kind, ``closed`` says which of the ``stocks`` are kept for another, ``calls`` is the
    limit of calls in a minute and when the next one may be made, None if now."""
    if pool.blocked_until is not None:
        limits = pool.blocks + entry.rate_limit_skip_count
        text = f"{pool.name} is rate limited"
        if limits > 1:
            text += f", {limits} times since the sheet is ready"
        data = {"pool": pool.name, "until": pool.blocked_until, "limits": limits}
        return Explanation("rate_limited", text, data)
    if pool.agent and calls[1] is not None:
        text = f"{calls[0]} sheets of agents began within the last minute, as many as may"
        return Explanation("call_limit", text, {"limit": calls[0], "until": calls[1]})
    lacking = _lacking(entry.info, stocks, closed)
    if lacking is not None:
        return lacking
    if slots.full or not slots.fits(pool.cost(entry.info)):
        return _no_slot(entry.info, pool, slots)
    return _of_job(job, pool, slots)


def _of_job(job: Job, pool: Pool, slots: Slots) -> Explanation:
    running = len(job.holding)
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


def _lacking(info: SheetInfo, stocks: Stocks, closed: Sequence[bool]) -> Explanation | None:
    beyond = stocks.beyond(info.scarce)
    for at, (name, amount) in enumerate(zip(NAMES, info.scarce, strict=True)):
        if not amount or beyond not in (None, at):
            continue
        limit = stocks.limits[at]
        free = max(0.0, limit - stocks.taken[at])
        data = {"kind": ("gpus", "memory_mb")[at], "takes": amount, "free": free, "limit": limit}
        text = f"it takes {amount} {name.removesuffix('s') if amount == 1 else name}, and "
        if beyond == at:
            more = f"{text}the conductor has {limit:g} in all: run it elsewhere, or set more"
            return Explanation("resources", more, data)
        if amount > free:
            return Explanation("resources", f"{text}{free:g} of {limit:g} are free", data)
        if closed[at]:
            more = f"{text}those that are free are kept for a sheet before it"
            return Explanation("resources", more, data)
    return None


def _no_slot(info: SheetInfo, pool: Pool, slots: Slots) -> Explanation:
    data: dict[str, Any] = {"limit": slots.limit}
    if info.where:
        data["executor"] = info.where
    cost = pool.cost(info)
    if cost == 1.0:
        kind = " for agents" if pool.agent else ""
        return Explanation("total_limit", f"all {slots.limit:g} slots{kind} are taken", data)
    free = max(0.0, slots.limit - slots.taken)
    text = f"it takes {cost:g} cpus, and {free:g} of {slots.limit:g} are free"
    return Explanation("total_limit", text, {**data, "cpus": cost})
