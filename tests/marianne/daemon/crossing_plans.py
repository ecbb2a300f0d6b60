"""Small plans of every shape, for walks: needs, ends that others run for, limits, pace."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from marianne.model.plan import Instrument, Plan, Prompt, RetryPolicy, SheetPlan, When

WHENS: tuple[When, ...] = ("succeeded", "failed", "always")
OFTEN = (6, 1, 1)


CPUS = (1.0, 0.5, 2.0, 1.0, 9.0)
"""Of the sheets of some plans, in turn."""


def plan_of(random: Random, job_id: str) -> Plan:
    """One to ten sheets, side by side or each after up to two others."""
    retry = RetryPolicy(max_retries=random.choice([0, 1, 2, 9]), base_delay=1.0, jitter=False)
    instruments = _instruments(random)
    total = random.randint(1, 10)
    after = random.choice([0.0, 0.3, 0.7])  # others: how often
    sheets = tuple(_sheet(random, num, instruments, retry, after) for num in range(1, total + 1))
    if total % 3 == 0:
        sheets = tuple(replace(sheet, cpus=CPUS[sheet.num % len(CPUS)]) for sheet in sheets)
    limit = random.choice([None, None, 1, 2])
    plan = Plan(job_id, "/w", sheets, total_stages=total, max_concurrent=limit)
    if random.random() < 0.2:
        pace = random.choice([0.0, 1.0]), random.choice([0.0, 2.0])
        plan = replace(plan, stagger_seconds=pace[0], pause_between_sheets_seconds=pace[1])
    return plan


def _instruments(random: Random) -> list[Instrument]:
    """Scripts, which may be granted ahead, or agents, of which one may have a limit."""
    if random.random() < 0.6:
        return [Instrument("shell", raw_prompt=True)]
    limit = random.choice([None, 1, 2])
    agent = Instrument("agent", raw_prompt=False, max_concurrent=limit)
    return [agent, Instrument("other", raw_prompt=False)]


def _sheet(
    random: Random, num: int, instruments: list[Instrument], retry: RetryPolicy, after: float
) -> SheetPlan:
    needs: tuple[int, ...] = ()
    if random.random() < after:
        needs = tuple(random.sample(range(1, num), random.randint(0, min(2, num - 1))))
    when: When = random.choices(WHENS, OFTEN)[0] if needs else "succeeded"
    return SheetPlan(
        num,
        f"s{num}",
        num,
        random.choice(instruments),
        Prompt("x"),
        needs=needs,
        retry=retry,
        when=when,
        after_cancel=when != "succeeded" and random.random() < 0.5,
    )
