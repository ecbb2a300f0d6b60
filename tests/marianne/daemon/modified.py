"""A job that goes on by another plan: what was read, what waits, and who is told to go on."""

from __future__ import annotations

from typing import Any

from manager_parts import Stage, plan_of

from ipc import codec
from marianne.daemon.jobs.commands import Commands
from marianne.daemon.jobs.modify import Modify
from marianne.daemon.shared.parsed import Parsed
from marianne.model.plan import Plan
from marianne.score.pack import pack_plan

OLD, NEW = plan_of("one", "two"), plan_of("one", "two", "three")


class Modified(Modify):
    """Notes who goes on with the plan that he has."""

    def __init__(self, stage: Stage) -> None:
        self.went_on: list[str] = []
        commands = Commands(stage.desk, stage.admit)
        super().__init__(stage.desk, commands, stage.admit, stage.is_over, self._goes)

    def _goes(self, answer: Any, job_id: str) -> None:
        self.went_on.append(job_id)
        answer.set({})


def parsed(plan: Plan = NEW, score: str = "new") -> Parsed:
    return Parsed("new", "/w/a", len(plan.sheets), "hash", score, pack_plan(plan))


def pending(plan: Plan = NEW, packed: bytes | None = None) -> bytes:
    """A plan that waits, as it is kept."""
    data = {"plan": packed or pack_plan(plan), "score": "new", "config_hash": "hash"}
    more = {"config_path": None, "event": "job.modified", "after": {}}
    return bytes(codec.pack({**data, **more}))
