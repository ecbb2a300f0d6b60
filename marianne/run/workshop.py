"""What all attempts of a job share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marianne.environment import of_attempt, of_sheets
from marianne.model.plan import Instrument, Plan, SheetPlan
from marianne.run.archive import archive_once
from marianne.run.child import Child, Ended
from marianne.run.complain import complain
from marianne.run.loop import Loop
from marianne.run.nursery import Nursery
from marianne.run.spawn import Command, SpawnError
from marianne.run.tools import Tools
from marianne.score.preflight import UNBOUNDED, PromptLimits
from marianne.score.surroundings import sheet_env
from marianne.trace_context import trace_of

if TYPE_CHECKING:
    from marianne.run.walled import Walled, Walls

UP_TO_DATE = "up to date: its inputs and outputs are as they were when it completed"
"""Why a sheet that declares its outputs is skipped."""


class Workshop:
    """The plan, the places and the means. ``env`` is the submitter's with our names over it.
    ``fresh`` has the workspace archived where the score wants that; ``anew`` says that nothing is
    skipped as up to date. With a ``trace_seed`` a collector is told of attempts, so what an attempt
    starts finds the span that it is part of in its environment. ``tell`` sends a message to whoever
    brings files, where that has to be.

    ``on_cleared`` is called when old archives that were removed beside the sheets are gone.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        env: dict[str, str],
        job_id: str,
        job_dir: str,
        owner: str,
        grace: float,
        output_limit: int | None,
        loop: Loop,
        nursery: Nursery,
        tools: Tools,
        limits: Mapping[str, float] | None = None,
        prompts: PromptLimits = UNBOUNDED,
        fresh: bool = False,
        anew: bool = False,
        trace_seed: str | None = None,
        on_cleared: Callable[[], None] = lambda: None,
        tell: Callable[[dict[str, Any]], None] = lambda message: None,
    ) -> None:
        self.plan = plan
        self.job_id = job_id
        self.job_dir = job_dir
        self.grace = grace
        self.output_limit = output_limit
        self._limits = limits or {}
        self.prompts = prompts
        self.loop = loop
        self.nursery = nursery
        self.tools = tools
        self.tell = tell
        self.anew, self._fresh = anew, fresh
        self._removal: Child | None = None
        self._walled: Walled | None = None
        self._on_cleared = on_cleared
        self._owner = owner
        self.env = env | of_sheets(job_id, plan.workspace, owner)
        self._trace = trace_of(trace_seed, job_id, env) if trace_seed else None

    def at(self, workspace: str) -> Workshop:
        """The same with another workspace, for one attempt."""
        made = copy(self)
        made.plan = replace(self.plan, workspace=workspace)
        made._walled = None
        made.env = self.env | of_sheets(self.job_id, workspace, self._owner)
        return made

    def env_of(self, num: int, attempt: int) -> dict[str, str]:
        """What an attempt finds in its environment. Raises TemplateError."""
        span = self._trace.handed_on(num, attempt) if self._trace else {}
        own = sheet_env(self.plan, self.plan.sheet(num))
        return {**self.env, **span, **own, **of_attempt(num, attempt)}

    def limits_of(self, sheet: SheetPlan, instrument: Instrument) -> dict[str, Any]:
        """What the processes of its program may use: the sheet's word goes before the score's, that
        before the instrument's, and the conductor's comes last."""
        memory = {} if sheet.max_memory_mb is None else {"max_memory_mb": sheet.max_memory_mb}
        return {**self._limits, **instrument.limits, **(sheet.limits or {}), **memory}

    def walls(self, num: int, fallback: int, env: Mapping[str, str]) -> Walls | None:
        """The walls that what a sheet starts runs behind, when this instrument plays it. Raises
        SpawnError where one is missing that it needs, OSError for what passes."""
        sheet = self.plan.sheet(num)
        instrument = sheet.instrument_at(fallback)
        limits = instrument.sandbox if instrument is not None else None
        if sheet.sandbox is None and limits is None:
            return None
        from marianne.run.walled import Walled  # late: few sheets ask for walls
        from marianne.walls.asked import asked_for

        asked = asked_for(sheet.sandbox, limits)
        if asked is None:
            return None
        if self._walled is None:
            self._walled = Walled(self.plan.workspace, self.job_dir)
        return self._walled.of(asked, env)

    def clear(self) -> None:
        """Before a sheet: moves what earlier jobs left out of the workspace if this one is to be
        fresh and its score wants that. Once a job; raises ArchiveError."""
        section = self.plan.extras.get("workspace_lifecycle")
        if self._fresh and section and section["archive_on_fresh"]:
            old = archive_once(self.plan, section, self.job_dir)
            if old:
                self._remove(old)
        self._fresh = False

    @property
    def removing(self) -> bool:
        """Whether old archives are still being removed."""
        return self._removal is not None

    def finish(self, grace: float) -> None:
        """The worker ends: a removal may take ``grace`` seconds more. What is left of an archive
        then goes with the next fresh run."""
        if self._removal is not None:
            child = self._removal
            self.loop.call_later(grace, lambda: self.nursery.end(child, 0.0))

    def _remove(self, old: Sequence[Path]) -> None:
        """In a process of its own: a large archive takes seconds, and the sheets need not wait."""
        env = self.env | {"PATH": os.defpath}
        command = Command(["rm", "-rf", "--", *map(str, old)], env, self.job_dir, os.devnull)
        try:
            self._removal = self.nursery.start(command, self._removed, "archives", 0.0)
        except (SpawnError, OSError) as error:
            complain(f"old archives are not removed: {error}")

    def _removed(self, ended: Ended) -> None:
        self._removal = None
        if ended.exit_code:
            complain(f"old archives are not removed: rm ended with exit code {ended.exit_code}")
        self._on_cleared()
