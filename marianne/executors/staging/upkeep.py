"""Whether a sheet's outputs are up to date, by the files of the workspace: as on one machine
(:mod:`marianne.run.freshness`), but looked at where they are, before anything goes to a node."""

from __future__ import annotations

import json
import os

from marianne.executors.staging.home import Facts, Plans
from marianne.executors.staging.names import StagingError
from marianne.executors.staging.stream import Message
from marianne.run import fresh
from marianne.run.complain import complain
from marianne.run.freshness import spec_of
from marianne.run.outputs import Files
from marianne.score.template import TemplateError


class Upkeep:
    """Of the jobs of one bridge. Each takes as long as reading the files does."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    def fresh(self, facts: Facts, key: tuple[int, int], asked: Message) -> bool:
        """Whether the attempt need not run. Raises StagingError, OSError."""
        num, attempt = key
        plan, sheet = self._plans.sheet(facts, num)
        if not sheet.outputs:
            return False
        skipped = [int(one) for one in asked.get("skipped") or ()]
        may_skip = attempt == 1 and not asked.get("anew")
        try:
            spec = spec_of(plan, sheet, skipped, facts.job_id, may_skip=may_skip)
        except TemplateError as error:
            raise StagingError(f"line {error.line}: {error.message}") from None
        path = Files(facts.home, num, attempt).fresh
        spec = json.loads(json.dumps(spec, default=str))
        try:
            return fresh.look(spec, path) is None
        except OSError as error:
            complain(f"sheet {num}.{attempt}: not known whether it is up to date: {error}")
            return False

    def made(self, facts: Facts, key: tuple[int, int]) -> None:
        """Records what the attempt was made of and what it made; without it, it runs again."""
        path = Files(facts.home, *key).fresh
        try:
            if os.path.exists(path):
                fresh.record(fresh.load(path))
        except OSError as error:
            complain(f"sheet {key[0]}.{key[1]}: not recorded as up to date: {error}")
