"""A random history of one job: grants, ends, timers, wishes, and deaths before and after commits.

Play refuses two attempts of a sheet at once, a dependent before its need, an attempt recorded
twice, and every illegal transition; the walk adds that what is completed stays completed at its
attempt, and that every job comes to an end.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from job_play import Play, plan_of

from marianne.model.plan import Instrument, Plan, When
from marianne.state.models import JobStatus, SheetStatus

WHENS: tuple[When, ...] = ("succeeded", "failed", "always")
OUTCOMES = ("completed", "completed", "completed", "failed", "interrupted")
CATEGORY = {"failed": "exit", "interrupted": "lost"}


def walk(seed: int) -> Play:
    """One history; raises AssertionError, or what the table of transitions refuses."""
    random = Random(seed)
    count = random.randint(1, 9)
    needs = {
        n: tuple(random.sample(range(1, n), random.randint(0, min(3, n - 1))))
        for n in range(1, count + 1)
    }
    plan = _some_missing(seed, plan_of(needs, retries=random.randint(0, 2)))
    play = Play(_some_for_ends(seed, plan))
    completed: dict[int, int] = {}
    for _ in range(random.randint(0, 80)):
        if play.finished:
            break
        if random.random() < 0.15:
            play.doomed = random.random() < 0.5
        _move(play, random)
        play.doomed = None
        _nothing_taken_back(play, completed)
    if not play.finished:
        play.take(play.machine.resume(play.now))
        play.run_out()
    _nothing_taken_back(play, completed)
    assert play.finished is not None, "the job came to no end"
    if play.finished is not JobStatus.PAUSED:
        assert all(row.status.terminal for row in play.disk.values())
    if play.finished in (JobStatus.COMPLETED, JobStatus.FAILED):
        _ran_for_their_ends(play)
    return play


def _some_for_ends(seed: int, plan: Plan) -> Plan:
    """Half of the plans have sheets that run for a bad end or for any, some after a cancel too."""
    random = Random(seed + 1)
    if random.random() < 0.5:
        return plan
    made = []
    for sheet in plan.sheets:
        when = random.choice(WHENS)
        after_cancel = when != "succeeded" and random.random() < 0.5
        made.append(replace(sheet, when=when, after_cancel=after_cancel))
    return replace(plan, sheets=tuple(made))


def _ran_for_their_ends(play: Play) -> None:
    rows = play.disk
    if not any(row.attempt for row in rows.values()):
        return  # nothing could be played, so nothing was done
    for sheet in play.plan.sheets:
        needs, row = [rows[n] for n in sheet.needs], rows[sheet.num]
        bad = any(
            r.status in (SheetStatus.FAILED, SheetStatus.CANCELLED) or r.category == "dependency"
            for r in needs
        )
        runs = sheet.when == "always" or (sheet.when == "failed" and bad)
        if sheet.when == "succeeded":
            runs = all(r.satisfied for r in needs)
        assert (row.attempt > 0) is runs, f"sheet {sheet.num}, {sheet.when}: {row}"
    good = all(row.good for row in rows.values())
    assert good is (play.finished is JobStatus.COMPLETED)


def _some_missing(seed: int, plan: Plan) -> Plan:
    """One plan in ten has sheets whose instrument is not there."""
    random = Random(-seed)
    if random.random() > 0.1:
        return plan
    ghost = Instrument("ghost", unavailable="it is not installed")
    return replace(
        plan,
        sheets=tuple(
            replace(sheet, instrument=ghost) if random.random() < 0.4 else sheet
            for sheet in plan.sheets
        ),
    )


def _move(play: Play, random: Random) -> None:
    roll = random.random()
    if roll < 0.35 and play.queue:
        play.grant(random.choice(sorted(play.queue)))
    elif roll < 0.75 and play.running:
        outcome = random.choice(OUTCOMES)
        play.end(random.choice(sorted(play.running)), outcome, CATEGORY.get(outcome))
    elif roll < 0.83 and play.timers:
        play.wake(random.choice(sorted(play.timers)))
    elif roll < 0.90:
        play.restart(worker=random.random() < 0.5, pause=random.random() < 0.2)
    elif roll < 0.94:
        play.take(play.machine.pause("person", play.now))
    elif roll < 0.99:
        play.take(play.machine.resume(play.now))
    elif play.disk_job.status is JobStatus.CANCELLING and roll < 0.995:
        play.take(play.machine.cancel(play.now, again=True))
    else:
        play.take(play.machine.cancel(play.now))


def _nothing_taken_back(play: Play, completed: dict[int, int]) -> None:
    for num, row in play.disk.items():
        if num in completed:
            assert (row.status, row.attempt) == (SheetStatus.COMPLETED, completed[num])
        elif row.status is SheetStatus.COMPLETED:
            completed[num] = row.attempt
