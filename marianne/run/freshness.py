"""A sheet that declares what it makes: is it up to date, and what it was made of.

The looking is done by a program of its own (:mod:`marianne.run.fresh`), beside the sheet and ended
with it. What a crash leaves: a record of an earlier completion that no longer fits, so that the
sheet runs.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from marianne.model.plan import Plan, SheetPlan
from marianne.run import fresh
from marianne.run.complain import complain
from marianne.run.grant import Grant
from marianne.run.validate import Answer
from marianne.run.workshop import UP_TO_DATE, Workshop
from marianne.score.context import injected_path
from marianne.score.surroundings import sheet_files
from marianne.score.variables import sheet_variables

SECONDS = 24 * 3600.0
"""The time limit of a look at files: none that anybody meets."""

RECORDS = ".marianne-fresh"
"""The directory of the records, in the workspace."""

LONGEST = 200
"""Characters of a record's name that stand for themselves."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_NOT_MADE = re.compile(rf": exit code {fresh.NOT_MADE}: (.*)", re.DOTALL)


class Shell(Protocol):
    """Runs a command line beside the sheet (marianne.run.attempt)."""

    def __call__(self, line: str, folder: str, timeout: float, answer: Answer) -> None: ...


class Freshness:
    """For one attempt; ``path`` is where its spec goes."""

    def __init__(
        self,
        shop: Workshop,
        sheet: SheetPlan,
        grant: Grant,
        path: str,
        shell: Shell,
    ) -> None:
        self._plan = shop.plan
        self._path = path
        self._shell = shell
        # A later attempt is one that a person wants, or that was cut short.
        may_skip = grant.attempt == 1 and not shop.anew
        spec = spec_of(shop.plan, sheet, grant.skipped, shop.job_id, may_skip=may_skip)
        Path(path).write_text(json.dumps(spec, default=str))

    def begin(self, up_to_date: Callable[[str], None], runs: Callable[[], None]) -> None:
        """Calls one of these when it is known, the first with the reason."""

        def answer(passed: bool, _detail: str) -> None:
            if passed:
                up_to_date(UP_TO_DATE)
            else:
                runs()

        self._look("begin", answer)

    def done(self, recorded: Callable[[], None], not_made: Callable[[str], None]) -> None:
        """The sheet's work is done: calls one of these when its outputs are known."""

        def answer(passed: bool, detail: str) -> None:
            missing = None if passed else _NOT_MADE.search(detail)
            if missing is not None:
                not_made(f"outputs: {missing[1].strip()}")
                return
            if not passed:
                complain(f"not recorded as up to date: {detail}")
            recorded()

        self._look("done", answer)

    def _look(self, what: str, answer: Answer) -> None:
        words = [sys.executable, "-I", "-S", str(fresh.__file__), what, self._path]
        self._shell(f"exec {shlex.join(words)}", self._plan.workspace, SECONDS, answer)


def spec_of(
    plan: Plan, sheet: SheetPlan, skipped: list[int], job_id: str, *, may_skip: bool
) -> dict[str, Any]:
    """What the program is told. A need that makes nothing by its score and ran in this job makes
    the sheet's basis one that no other job has. Raises TemplateError."""
    needed = _needed(plan, sheet)
    ran = [need.name for need in needed if not need.outputs and need.num not in skipped]
    inputs, outputs = sheet_files(plan, sheet)
    inputs += [glob.escape(injected_path(plan, sheet, one)) for one in sheet.injections]
    text = sheet.prompt
    spoken = " ".join([text.template, *(sheet.env or {}).values(), sheet.cwd or ""])
    words = set(_WORD.findall(spoken))
    names = sheet_variables(plan, sheet).items()
    return {
        "workspace": plan.workspace,
        "record": os.path.join(plan.workspace, RECORDS, _file_name(plan, sheet)),
        "basis": _hash(  # it may hold secrets, and the record lies in the workspace
            [text.template, text.stakes, text.thinking_method],
            {name: str(value) for name, value in sorted(names) if name in words},
            [sheet.instrument.profile, sheet.instrument.model],
            [sheet.env or {}, sheet.cwd],
            [job_id, *ran] if ran else [],
        ),
        "inputs": inputs,
        "outputs": outputs,
        "needs": {need.name: sheet_files(plan, need)[1] for need in needed if need.outputs},
        "may_skip": may_skip,
    }


def _needed(plan: Plan, sheet: SheetPlan) -> list[SheetPlan]:
    """The sheets before it; instead of one that makes a list those before that: its item is in
    what the sheet does, or its number."""
    found: dict[int, SheetPlan] = {}
    todo = list(sheet.needs)
    while todo:
        num = todo.pop()
        if num in plan.lists:
            todo += plan.sheet(num).needs
        else:
            found[num] = plan.sheet(num)
    return [found[num] for num in sorted(found)]


def _hash(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _file_name(plan: Plan, sheet: SheetPlan) -> str:
    name = quote(f"{plan.name}.{sheet.name}", safe="")
    # A file's name has 255 bytes, and those of items may end alike.
    return f"{name}.json" if len(name) <= LONGEST else f"{name[:150]}-{_hash(name)[:32]}.json"
