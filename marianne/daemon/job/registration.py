"""A job's unfinished sheets, as they are handed to the scheduler. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container

from marianne.daemon.job.ledger import Ledger
from marianne.daemon.shared.effects import Effect, Register, Requeue, Step, WakeAt
from marianne.model.plan import Plan
from marianne.state.models import SheetRow, SheetStatus


def register(
    ledger: Ledger,
    step: Step,
    now: float,
    held: Callable[[int], bool] = lambda _: False,
) -> None:
    """Hands over what is not finished, before all else in the step, and sets the timers of what
    waits. What is ``held`` waits until somebody queues it; nothing else is queued a second time:
    the scheduler may have granted it by then, and would take that for its end."""
    sheets, needs, waiting = [], {}, set()
    for sheet in ledger.plan.sheets:
        row = ledger.peek(sheet.num)
        if row.status.terminal:
            continue
        sheets.append(ledger.info(row))
        if sheet.when == "succeeded":
            needs[sheet.num] = {n for n in sheet.needs if not ledger.is_satisfied(n)}
        elif held(sheet.num):
            waiting.add(sheet.num)
        if row.status is SheetStatus.WAITING:
            waiting.add(sheet.num)
            step.now.append(WakeAt(sheet.num, _due(ledger, step, row, now)))
    running = frozenset(ledger.running())
    work = Register(tuple(sheets), needs, running, frozenset(waiting), _agents(ledger.plan))
    step.now[:] = [work, *(one for one in step.now if not _is_in(one, waiting))]


def keep_slots(ledger: Ledger, step: Step) -> None:
    """What runs of a job of which nothing more begins keeps its slots, also with a scheduler that
    has not heard of it; what else is not finished is not handed over."""
    running = frozenset(ledger.running())
    if running:
        sheets = tuple(ledger.info(ledger.peek(num)) for num in sorted(running))
        work = Register(sheets, {}, running, frozenset(), _agents(ledger.plan))
        step.now.insert(0, work)


def _is_in(effect: Effect, waiting: Container[int]) -> bool:
    """Whether the handing over of all says this too."""
    queued = isinstance(effect, Requeue) and effect.info.sheet_num not in waiting
    return queued or isinstance(effect, Register)


def _due(ledger: Ledger, step: Step, row: SheetRow, now: float) -> float:
    """When a sheet is due whose wait goes on: no later than after the whole of it, whatever the
    clock said when it began. Noted where that is another time than before."""
    due_at = row.due_at or now
    whole = due_at - (row.finished_at or due_at)
    due_at = min(due_at, now + max(0.0, whole))
    if due_at != row.due_at:
        row.due_at = due_at
        ledger.save(step, row)
    return due_at


def _agents(plan: Plan) -> frozenset[str]:
    """The limit keys of the instruments that are asked, not merely run."""
    return frozenset(
        instrument.limit_key
        for sheet in plan.written
        for instrument in (sheet.instrument, *sheet.fallbacks)
        if not instrument.raw_prompt
    )
