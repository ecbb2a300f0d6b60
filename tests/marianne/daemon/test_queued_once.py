"""What a job tells the scheduler when it goes on, message by message: it may grant between any two,
and no slot is given twice."""

from __future__ import annotations

from dataclasses import replace

from job_play import plan_of
from ledger_stage import NOW, ledger_of

from marianne.daemon.job.machine import JobMachine
from marianne.daemon.job.registration import register
from marianne.daemon.shared.effects import Effect, Register, Requeue, Step
from marianne.schedule.queue import SheetQueue
from marianne.state.models import JobRow, JobStatus, SheetRow, SheetStatus


def tell(queue: SheetQueue, effect: Effect) -> None:
    """As the scheduler's actor takes it."""
    if isinstance(effect, Register):
        work = effect
        queue.register(
            "job", work.sheets, work.dependencies, running=work.running, waiting=work.waiting
        )
    elif isinstance(effect, Requeue):
        queue.requeue("job", effect.info.sheet_num, info=effect.info)


def test_a_sheet_that_was_lost_over_a_restart_is_granted_once() -> None:
    """Seven scripts ran where six may: a soak of 20 minutes met it once. The sheet's slot was freed
    by the second message, after it had been granted for the first."""
    lost = SheetRow(1, SheetStatus.RUNNING, 1, started_at=NOW - 10)
    plan = plan_of({1: (), 2: ()})
    job = JobRow("job", "job", JobStatus.RUNNING, "/w", 0.0, len(plan.sheets))
    machine = JobMachine(plan, job, {1: lost}, lambda: 0.5)
    queue, granted = SheetQueue(1), []
    for effect in machine.recover((), NOW).now:
        tell(queue, effect)
        while (entry := queue.grant(0.0)) is not None:
            granted.append(entry.info.sheet_num)
    assert granted == [1]


def test_what_is_held_until_somebody_queues_it_is_queued_by_what_was_decided_before() -> None:
    """A sheet that runs after a failure, say: to register it is not to queue it."""
    plan = plan_of({1: (), 2: ()})
    held = replace(plan.sheets[0], when="failed")
    ledger = ledger_of(replace(plan, sheets=(held, plan.sheets[1])))
    both = [Requeue(ledger.info(ledger.row(num))) for num in (1, 2)]
    step = Step(now=list(both))
    register(ledger, step, NOW, lambda num: num == 1)
    assert [type(step.now[0]), *step.now[1:]] == [Register, both[0]]
