"""What a job has used so far: tokens, cost, and waits for rate limits. Pure.

It lies in the job's row and is written with the attempt that it counts, so that no restart
forgets or doubles anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from marianne.records import dataclass

if TYPE_CHECKING:
    from marianne.replies.job import Usage


@dataclass(frozen=True, slots=True)
class CostRules:
    """The score's ``cost_limits``: limits per sheet and job (None: none), prices for 1,000 tokens
    of a program that names no cost and whose profile has no prices (None: unknown)."""

    per_sheet: float | None = None
    per_job: float | None = None
    input_price: float | None = None
    output_price: float | None = None
    warn_at_percent: float = 100.0

    @classmethod
    def read(cls, section: Mapping[str, Any] | None) -> CostRules:
        """From the section of the plan; limits that are not enabled are none."""
        if not section:
            return cls()
        on = section["enabled"]
        return cls(
            section["max_cost_per_sheet"] if on else None,
            section["max_cost_per_job"] if on else None,
            section["cost_per_1k_input_tokens"],
            section["cost_per_1k_output_tokens"],
            section["warn_at_percent"],
        )

    def cost(self, usage: Mapping[str, Any]) -> float:
        """What an attempt cost, as far as anyone can say."""
        told = usage.get("cost_usd")
        if told is not None:
            return float(told)
        if self.input_price is None or self.output_price is None:
            return 0.0
        tokens_in, tokens_out = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        return float(tokens_in * self.input_price + tokens_out * self.output_price) / 1000


@dataclass(slots=True)
class Account:
    """``budget_from`` is what had been spent when the present budget began: a person who lets a
    job go on that spent its budget gives it another one. ``sheets`` (cost) and ``waits`` (for rate
    limits, for quotas) are kept for sheets that are not over."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    budget_from: float = 0.0
    sheets: dict[int, float] = field(default_factory=dict)
    waits: dict[int, list[int]] = field(default_factory=dict)

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Account:
        """From the job's options; unknown keys are ignored."""
        known = {k: v for k, v in (stored or {}).items() if k in cls.__slots__}
        account = cls(**_own(known))
        if not math.isfinite(account.cost_usd + account.budget_from):
            account.cost_usd = account.budget_from = 0.0  # of a time that took any number
        return account

    def stored(self) -> dict[str, Any]:
        """What goes into the job's options: as it is now, whatever is counted before it is read."""
        return _own({name: getattr(self, name) for name in self.__slots__})

    def usage(self) -> Usage:
        """What people are shown."""
        return {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost_usd": round(self.cost_usd, 6),
        }

    def charge(self, num: int, usage: Mapping[str, Any], cost: float) -> None:
        """Adds what an attempt of a sheet used."""
        self.input_tokens += int(usage.get("input_tokens", 0))
        self.output_tokens += int(usage.get("output_tokens", 0))
        self.cost_usd += cost
        if cost:
            self.sheets[num] = self.sheets.get(num, 0.0) + cost

    def waited(self, num: int, quota: bool) -> None:
        """A sheet waits once more for a rate limit or a quota."""
        self.waits.setdefault(num, [0, 0])[quota] += 1

    def waits_of(self, num: int, quota: bool) -> int:
        """How often the sheet has waited so with its present instrument."""
        return self.waits.get(num, [0, 0])[quota]

    def forget(self, num: int, *, over: bool) -> bool:
        """Begins a sheet's waits anew, and its cost when it is over; whether that changes any."""
        known = self.waits.pop(num, None) is not None
        return (over and self.sheets.pop(num, None) is not None) or known

    def spent(self) -> float:
        """What was spent of the present budget."""
        return self.cost_usd - self.budget_from

    def new_budget(self) -> None:
        """The present budget is spent; from here on counts the next one."""
        self.budget_from = self.cost_usd


def _own(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with maps that nobody else has."""
    found = dict(fields)
    if "sheets" in found:
        found["sheets"] = dict(found["sheets"])
    if "waits" in found:
        found["waits"] = {num: list(counts) for num, counts in found["waits"].items()}
    return found
